/** Clients that are many, slow, endless or mad. Others are answered meanwhile, and memory stays bounded. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import net from 'node:net';
import { test } from 'node:test';
import { start } from '../support/background.js';
import { socketAddress } from '../support/conversation.js';
import { eventually, within } from '../support/deadline.js';
import { residentBytes } from '../support/fuzz.js';
import { repositoryRoot } from '../support/greyctl.js';
import { connect, encode, request, type PolicyClient } from '../support/policy-client.js';
import { random } from '../support/random.js';
import { testServer, type TestServer } from '../support/server.js';
import { temporaryFolder } from '../support/temporary.js';

const mebibyte = 1024 * 1024;
const question = encode(request());

interface Raw {
  readonly socket: net.Socket;
  readonly closed: Promise<void>;
  readonly received: () => number;
}

/** A connection that counts what it receives and never complains. */
function raw(endpoint: string): Promise<Raw> {
  return new Promise((resolve) => {
    const socket = net.connect(socketAddress(endpoint));
    let received = 0;
    socket.on('data', (chunk) => (received += chunk.length));
    socket.on('error', () => undefined);
    const closed = new Promise<void>((done) =>
      socket.once('close', () => {
        done();
      }),
    );
    const ready = () => {
      resolve({ socket, closed, received: () => received });
    };
    socket.once('connect', ready).once('close', ready);
  });
}

function pid(server: TestServer): number {
  return server.process.pid ?? 0;
}

/** Milliseconds within which 99 of 100 answers came. */
async function p99(client: PolicyClient, count = 300): Promise<number> {
  const took: number[] = [];
  for (let index = 0; index < count; index += 1) {
    const beganAt = performance.now();
    assert.match(
      await client.ask(request({ sender: `${'p'.repeat(index % 60)}z@example.com` })),
      /^(DEFER|DUNNO)/,
    );
    took.push(performance.now() - beganAt);
  }
  return took.sort((one, other) => one - other)[Math.floor(count * 0.99)] ?? 0;
}

test('a thousand silent clients and a thousand that send a byte at a time keep nobody else waiting', async (t) => {
  const server = await testServer(t, ['--max-connections=2100']);
  const client = await server.client();
  const alone = await p99(client);
  const before = residentBytes(pid(server));
  const silent = await Promise.all(Array.from({ length: 1000 }, () => raw(server.endpoint)));
  const slow = await Promise.all(Array.from({ length: 1000 }, () => raw(server.endpoint)));
  t.after(() => {
    for (const { socket } of [...silent, ...slow]) socket.destroy();
  });
  let at = 0;
  const dripping = setInterval(() => {
    for (const { socket } of slow) socket.write(question.charAt(at % question.length));
    at += 1;
  }, 200);
  t.after(() => {
    clearInterval(dripping);
  });
  const crowded = await p99(client);
  const grown = residentBytes(pid(server)) - before;
  assert.ok(grown < 128 * mebibyte, `${grown / mebibyte} MiB`);
  assert.ok(
    silent.every(({ socket }) => !socket.destroyed),
    'silent ones are left in peace',
  );
  t.diagnostic(
    `p99 ${alone.toFixed(1)} ms alone, ${crowded.toFixed(1)} ms in the crowd; ${Math.round(grown / mebibyte)} MiB`,
  );
});

const { oneOf, pick } = random(7);
const noise = Buffer.from(Array.from({ length: 65_536 }, () => pick(256)));

for (const [name, chunk] of [
  ['an endless line', Buffer.alloc(65_536, 'a')],
  ['an endless value', Buffer.from(`sender=${'b'.repeat(65_536)}`)],
  ['endless attributes', Buffer.from('name=value\n'.repeat(6000))],
  ['binary noise', noise],
  ['lines of nothing', Buffer.alloc(65_536, '\n')],
] as const) {
  test(`${name} is cut off without an answer, and costs no memory`, async (t) => {
    const server = await testServer(t);
    const client = await server.client();
    await client.ask(request());
    const before = residentBytes(pid(server));
    const attackers = await Promise.all(Array.from({ length: 50 }, () => raw(server.endpoint)));
    for (const { socket } of attackers) {
      const send = (): void => {
        while (!socket.destroyed && socket.write(chunk));
      };
      socket.on('drain', send);
      send();
    }
    await within(Promise.all(attackers.map(({ closed }) => closed)), 'end of all attackers', 30_000);
    assert.ok(attackers.every(({ received }) => received() === 0));
    assert.match(await client.ask(request()), /^DEFER/);
    assert.ok(residentBytes(pid(server)) - before < 96 * mebibyte);
    assert.ok(
      (server.stderr().match(/^closed the connection/gm) ?? []).length < 5,
      'said once, not fifty times',
    );
  });
}

test('a hundred thousand requests on one connection are answered, all of them', async (t) => {
  const server = await testServer(t, ['--quiet']);
  const { socket, received } = await raw(server.endpoint);
  t.after(() => socket.destroy());
  const count = 100_000;
  socket.write(question);
  const first = await eventually(() => received() || undefined, 'first answer');
  const before = residentBytes(pid(server));
  const some = question.repeat(100);
  let sent = 1;
  const send = (): void => {
    while (sent < count) {
      const rest = Math.min(100, count - sent);
      sent += rest;
      if (!socket.write(rest === 100 ? some : question.repeat(rest))) return;
    }
  };
  socket.on('drain', send);
  send();
  // Each answer is as long as the first: the delay has three digits all the while.
  await eventually(() => (received() >= first * count ? true : undefined), 'all answers', 120_000);
  assert.equal(received(), first * count);
  const grown = residentBytes(pid(server)) - before;
  assert.ok(grown < 128 * mebibyte, `${grown / mebibyte} MiB`);
});

test('a client that never reads its answers is not read from, and gets them when it does', async (t) => {
  const folder = await temporaryFolder(t);
  // The kernel holds far fewer bytes for a unix socket than for TCP.
  const server = await testServer(t, ['--quiet', `--unix=${folder}/s`], { folder });
  const other = await server.client();
  const { socket, received } = await raw(server.endpoint);
  t.after(() => socket.destroy());
  socket.write(question);
  const first = await eventually(() => received() || undefined, 'first answer');
  socket.pause();
  const before = residentBytes(pid(server));
  const count = 20_000;
  for (let sent = 0; sent < count; sent += 100) socket.write(question.repeat(100));
  await p99(other, 2000);
  // What it has sent lies on its own side: the server stopped reading.
  await eventually(() => (socket.writableLength > 5 * mebibyte ? true : undefined), 'stop');
  const grown = residentBytes(pid(server)) - before;
  assert.ok(grown < 64 * mebibyte, `${grown / mebibyte} MiB`);
  socket.resume();
  await eventually(() => (received() >= first * (count + 1) ? true : undefined), 'all answers', 120_000);
});

test('thousands that come and go, in the middle of a request or not, leave nothing open', async (t) => {
  const server = await testServer(t);
  const client = await server.client();
  await client.ask(request());
  const openFiles = () => readdirSync(`/proc/${pid(server)}/fd`).length;
  const before = openFiles();
  const leave = [
    (socket: net.Socket) => socket.destroy(),
    (socket: net.Socket) => socket.resetAndDestroy(),
    (socket: net.Socket) => socket.end(),
    (socket: net.Socket) => socket.end(question.slice(0, 100)),
    (socket: net.Socket) => socket.end(question, () => socket.destroy()),
  ] as const;
  let count = 0;
  const come = async (): Promise<void> => {
    while (count < 5000) {
      count += 1;
      const { socket, closed } = await raw(server.endpoint);
      oneOf(leave)(socket);
      await within(closed, 'end of a connection');
    }
  };
  await Promise.all([...Array.from({ length: 50 }, come), p99(client)]);
  await eventually(() => (openFiles() <= before ? true : undefined), 'files closed');
  assert.match(await client.ask(request()), /^DEFER/);
});

test('a crowd beyond --max-connections is refused with one warning, and the places are free again after it', async (t) => {
  const server = await testServer(t, ['--max-connections=50']);
  const crowd = await Promise.all(Array.from({ length: 300 }, () => raw(server.endpoint)));
  await eventually(
    () => (crowd.filter(({ socket }) => socket.destroyed).length >= 250 ? true : undefined),
    'refusals',
  );
  assert.ok(crowd.every(({ received }) => received() === 0));
  assert.equal(server.stderr().match(/^refused a connection/gm)?.length, 1);
  for (const { socket } of crowd) socket.destroy();
  await eventually(async () => {
    const client = await connect(server.endpoint);
    const action = await client.ask(request()).catch(() => undefined);
    client.close();
    return action;
  }, 'answer');
});

test('too few file descriptors are told at the start, and survived', async (t) => {
  const server = await testServer(t);
  assert.doesNotMatch(server.stderr(), /files may be open/);
  const limited = start('sh', [
    ...['-c', 'ulimit -n 60 && exec "$0" "$@"', process.execPath, `${repositoryRoot}/bin/greyctl.js`],
    ...[
      'serve',
      '--inet=127.0.0.1:0',
      `--db=${server.folder}/other.db`,
      `--whitelist-clients=${server.folder}/none.local`,
    ],
  ]);
  t.after(() => limited.kill());
  const endpoint = await limited.until(
    () => /^listening on (\S+)$/m.exec(limited.stderr())?.[1],
    'limited server',
  );
  assert.match(
    limited.stderr(),
    /^only 60 files may be open, too few for 1000 connections \(--max-connections\): raise the limit \(LimitNOFILE= of systemd, ulimit -n\) or say --max-connections$/m,
  );
  const crowd = await Promise.all(Array.from({ length: 200 }, () => raw(endpoint)));
  for (const { socket } of crowd) socket.destroy();
  await eventually(async () => {
    const client = await connect(endpoint).catch(() => undefined);
    const action = await client?.ask(request({ sender: 'after@example.com' })).catch(() => undefined);
    client?.close();
    return action;
  }, 'answer after the crowd');
  await limited.until(() => /sender=after@example.com/.exec(limited.stderr()) ?? undefined, 'log line');
});
