/** A log that nobody reads, and clients that do not let go: answers and the end of the server wait for neither. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { once } from 'node:events';
import { test } from 'node:test';
import Database from 'better-sqlite3';
import { environment } from '../support/background.js';
import { eventually, within } from '../support/deadline.js';
import { codeOf } from '#src/greylist/failure.js';
import { repositoryRoot } from '../support/greyctl.js';
import { connect, encode, request } from '../support/policy-client.js';
import { socketAddress } from '../support/conversation.js';
import { testServer } from '../support/server.js';
import { temporaryFolder } from '../support/temporary.js';

/** What there is to read now. */
function readAll(fd: number): string {
  const buffer = Buffer.alloc(65_536);
  let text = '';
  for (;;) {
    try {
      const count = readSync(fd, buffer);
      if (count === 0) return text;
      text += buffer.toString('latin1', 0, count);
    } catch (error) {
      if (codeOf(error) === 'EAGAIN') return text;
      throw error;
    }
  }
}

test('a log that nobody reads stops no answer, and tells how much of it was lost when it is read again', async (t) => {
  const folder = await temporaryFolder(t);
  const [fifo, socket] = [`${folder}/log`, `${folder}/s`];
  execFileSync('mkfifo', [fifo]);
  const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  const writer = openSync(fifo, constants.O_WRONLY);
  const args = ['serve', `--unix=${socket}`, `--db=${folder}/db`, `--whitelist-clients=${folder}/none.local`];
  const server = spawn(process.execPath, [path.join(repositoryRoot, 'bin/greyctl.js'), ...args], {
    env: environment(),
    stdio: ['ignore', 'ignore', writer],
  });
  closeSync(writer);
  t.after(() => server.kill('SIGKILL'));
  const ended = once(server, 'exit');
  const client = await eventually(() => connect(`unix:${socket}`).catch(() => undefined), 'server');
  t.after(() => {
    client.close();
  });
  await client.ask(request());
  await eventually(() => /^listening on unix:/m.exec(readAll(reader)) ?? undefined, 'word that it listens');
  // Two mebibytes of log lines: more than pipe and server hold.
  const count = 8000;
  const recipient = `${'r'.repeat(150)}@example.org`;
  for (let index = 0; index < count; index += 1) client.send(encode(request({ recipient })));
  for (let index = 0; index < count; index += 1) assert.match(await client.answer(), /^DEFER/);
  let told = '';
  await eventually(() => {
    told += readAll(reader);
    return / log lines were lost: nobody read them$/m.exec(told) ?? undefined;
  }, 'word of lost lines');
  await client.ask(request({ sender: 'again@example.com' }));
  await eventually(() => {
    told += readAll(reader);
    return told.includes('sender=again@example.com') || undefined;
  }, 'line of what was asked afterwards');
  const lost = [...told.matchAll(/^(\d+) log lines were lost/gm)].reduce(
    (sum, [, lines]) => sum + Number(lines),
    0,
  );
  assert.equal(lost + (told.match(/recipient=r+@example\.org$/gm)?.length ?? 0), count);
  // The reader ends: a write fails from here on.
  closeSync(reader);
  for (let index = 0; index < 10; index += 1) assert.match(await client.ask(request()), /^DEFER/);
  server.kill('SIGTERM');
  assert.deepEqual(await within(ended, 'end of the server'), [0, null]);
});

test('SIGTERM ends the server though clients do not read, do not finish and do not leave, and the database is locked', async (t) => {
  const folder = await temporaryFolder(t);
  const server = await testServer(t, ['--quiet', `--unix=${folder}/s`], { folder });
  const deaf = net.connect(socketAddress(server.endpoint)).on('error', () => undefined);
  t.after(() => deaf.destroy());
  deaf.pause();
  for (let sent = 0; sent < 20_000; sent += 100) deaf.write(encode(request()).repeat(100));
  const unfinished = await server.client();
  unfinished.send(encode(request()).slice(0, 100));
  const idle = await server.client();
  assert.match(await idle.ask(request()), /^DEFER/);
  const other = new Database(server.db);
  t.after(() => other.close());
  other.exec('BEGIN IMMEDIATE');
  const asking = await server.client();
  asking.send(encode(request({ sender: 'late@example.com' })));
  const stopped = server.stop();
  assert.equal(await asking.answer(), 'DUNNO');
  assert.deepEqual(await stopped, { status: 0, signal: null });
  await unfinished.expectClosed();
  await idle.expectClosed();
});
