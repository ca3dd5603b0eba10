/** What a disk, another program or an operator can do to the database while the server runs, and before it starts. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmod, copyFile, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import Database from 'better-sqlite3';
import { damageTable } from '../support/damage.js';
import { eventually } from '../support/deadline.js';
import { diskFaults } from '../support/disk-faults.js';
import { run, serve } from '../support/greyctl.js';
import { connect, request, type PolicyClient } from '../support/policy-client.js';
import { needs, needsRoot } from '../support/programs.js';
import { testServer, type TestServer } from '../support/server.js';
import { temporaryFolder } from '../support/temporary.js';

let lastSender = 0;

/** The answer to a triplet that is not known, within the deadline of a step. */
function askNew(client: PolicyClient): Promise<string> {
  lastSender += 1;
  return client.ask(
    request({ sender: `${'n'.repeat(lastSender % 60)}x${'y'.repeat(lastSender / 60)}@example.com` }),
  );
}

async function expectGreylisting(client: PolicyClient): Promise<void> {
  await eventually(
    async () => ((await askNew(client)).startsWith('DEFER') ? true : undefined),
    'greylisting again',
  );
}

/** Asks until the store has been tried and has failed `times` times, each of which is followed by a second of rest. */
async function passThrough(client: PolicyClient, seconds = 2.5): Promise<number> {
  let asked = 0;
  for (const end = performance.now() + seconds * 1000; performance.now() < end; asked += 1)
    assert.equal(await askNew(client), 'DUNNO');
  return asked;
}

function suspensions(server: TestServer): string[] {
  return server.stderr().match(/^greylisting is suspended, mail passes: .*$/gm) ?? [];
}

async function unavailable(server: TestServer): Promise<number> {
  const stats = await run(['stats', '--json', `--db=${server.db}`]);
  return (JSON.parse(stats.stdout) as { reasons: Record<string, number> }).reasons['store unavailable'] ?? 0;
}

for (const [error, kinds, why] of [
  ['ENOSPC', 'w', 'the disk is full'],
  ['EIO', 'ws', 'the disk does not give or take what is read or written (SQLITE_IOERR_WRITE)'],
  ['EIO', 'rws', 'the disk does not give or take what is read or written (SQLITE_IOERR_'],
] as const) {
  test(
    `${error} in answer to ${kinds}: mail passes, it is said once, nothing is lost, and greylisting comes back by itself`,
    needs('cc'),
    async (t) => {
      const folder = await temporaryFolder(t);
      const faults = diskFaults(folder, `${folder}/greyctl.db`);
      const server = await testServer(t, [], { folder, env: faults.env });
      const client = await server.client();
      assert.match(await client.ask(request()), /^DEFER/);
      faults.begin(error, kinds);
      const passed = await passThrough(client);
      faults.end();
      await expectGreylisting(client);
      assert.equal(suspensions(server).length, 1, server.stderr());
      assert.ok(suspensions(server)[0]?.includes(why), server.stderr());
      assert.ok((await unavailable(server)) >= passed, 'what passed is counted');
      assert.match(
        (await run(['db', 'list', '--json', `--db=${server.db}`])).stdout,
        /"sender":"alice@example.com"/,
      );
      assert.equal((await run(['db', 'check', `--db=${server.db}`])).status, 0);
    },
  );
}

/** A file system of so many kilobytes; taken down before the test's folder is removed. */
async function smallDisk(t: TestContext, kilobytes: number): Promise<string> {
  const place = await mkdtemp(path.join(tmpdir(), 'greyctl-disk-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${kilobytes}k`, 'none', place]);
  t.after(async () => {
    execFileSync('umount', ['-l', place]);
    await rm(place, { recursive: true });
  });
  return place;
}

function mountable(): { skip?: string } {
  const root = needsRoot();
  if (root.skip) return root;
  try {
    execFileSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'none', '/mnt'], { stdio: 'ignore' });
    return {};
  } catch {
    return { skip: 'mounting is not allowed here' };
  }
}

test(
  'a real disk that fills up: mail passes until there is room, and the database is whole',
  mountable(),
  async (t) => {
    const place = await smallDisk(t, 512);
    const server = await testServer(t, ['--max-waiting-per-client=100000'], { folder: place });
    const client = await server.client();
    await eventually(async () => {
      for (let count = 0; count < 200; count += 1) if ((await askNew(client)) === 'DUNNO') return true;
      return undefined;
    }, 'full disk');
    await server.expectStderr(/^greylisting is suspended, mail passes: .*: the disk is full/m);
    await passThrough(client, 1.5);
    execFileSync('mount', ['-o', 'remount,size=8m', place]);
    await expectGreylisting(client);
    await server.stop();
    const checked = await run(['db', 'check', `--db=${place}/greyctl.db`]);
    assert.equal(checked.status, 0, checked.stdout);
  },
);

test('a database that is made read-only, and writable again', mountable(), async (t) => {
  const place = await smallDisk(t, 4096);
  const server = await testServer(t, [], { folder: place });
  await server.stop();
  execFileSync('mount', ['-o', 'remount,ro', place]);
  const refused = await run(['serve', '--inet=127.0.0.1:0', `--db=${place}/greyctl.db`]);
  assert.deepEqual(
    [refused.status, refused.stderr],
    [
      1,
      `greyctl: cannot open the database ${place}/greyctl.db: read-only file system\n` +
        `Try: findmnt -T ${place} shows how it is mounted\n`,
    ],
  );
  execFileSync('mount', ['-o', 'remount,rw', place]);
  const again = await serve(['--inet=127.0.0.1:0', `--db=${place}/greyctl.db`]);
  t.after(() => again.stop());
  const client = await connect(again.endpoint);
  assert.match(await client.ask(request()), /^DEFER/);
  client.close();
});

test('a lock that another program holds for long stops no answer and is said once', async (t) => {
  const server = await testServer(t);
  const clients = await Promise.all(Array.from({ length: 10 }, () => server.client()));
  const other = new Database(server.db);
  t.after(() => other.close());
  other.exec('BEGIN IMMEDIATE');
  const passed = await Promise.all(clients.map((client) => passThrough(client, 4)));
  assert.ok(
    passed.every((count) => count > 4),
    `${passed.join(', ')}: each is answered within a second`,
  );
  other.exec('ROLLBACK');
  await expectGreylisting(clients[0] ?? assert.fail());
  assert.deepEqual(
    suspensions(server).map((line) => line.replace(/.*: /, '')),
    ['it is locked by another process'],
  );
});

test('a database that is replaced under the server by a damaged one, and then by a good one', async (t) => {
  const server = await testServer(t);
  const client = await server.client();
  await client.ask(request());
  const copy = `${server.folder}/copy.db`;
  assert.equal((await run(['db', 'backup', copy, `--db=${server.db}`])).status, 0);
  const replace = async (by: string) => {
    for (const end of ['-wal', '-shm']) await rm(server.db + end, { force: true });
    await rename(by, server.db);
  };
  await writeFile(`${server.folder}/bad`, Buffer.alloc(40_960, 'no database '));
  await replace(`${server.folder}/bad`);
  await eventually(async () => {
    await askNew(client);
    return /deleted or replaced|it is not a SQLite database/.test(server.stderr()) || undefined;
  }, 'a warning');
  await passThrough(client, 2.5);
  await replace(copy);
  await expectGreylisting(client);
  assert.equal(suspensions(server).length, 1, server.stderr());
  assert.match(
    (await run(['db', 'list', '--json', `--db=${server.db}`])).stdout,
    /"sender":"alice@example.com"/,
  );
});

test('pages of the database that are damaged under the server: mail passes, and a good copy is taken up', async (t) => {
  const folder = await temporaryFolder(t);
  const first = await testServer(t, ['--max-waiting-per-client=100000'], { folder });
  const filling = await first.client();
  for (let count = 0; count < 3000; count += 1) await askNew(filling);
  await first.stop();
  await copyFile(`${folder}/greyctl.db`, `${folder}/good.db`);
  assert.ok(damageTable(`${folder}/greyctl.db`, 'entries', 0.1, 1) > 10);
  const server = await testServer(t, ['--max-waiting-per-client=100000'], { folder });
  const client = await server.client();
  await passThrough(client);
  assert.deepEqual(
    suspensions(server).map((line) => line.replace(/.*: /, '')),
    ['it is damaged'],
  );
  await rename(`${folder}/good.db`, server.db);
  await expectGreylisting(client);
});

/** What `greyctl serve` says when it cannot start with the file. */
async function refusal(file: string): Promise<string> {
  const { status, stderr } = await run(['serve', '--inet=127.0.0.1:0', `--db=${file}`]);
  assert.equal(status, 1, stderr);
  return stderr;
}

test('at its start each fault is told in one line, with what to type', needs('cc'), async (t) => {
  const folder = await temporaryFolder(t);
  const file = `${folder}/greyctl.db`;
  await writeFile(`${folder}/text`, 'not a database\n'.repeat(1000));
  assert.equal(
    await refusal(`${folder}/text`),
    `greyctl: cannot use the database ${folder}/text: it is not a SQLite database\nTry: name another file with --db\n`,
  );
  await (await testServer(t, [], { folder })).stop();
  const db = new Database(file);
  db.pragma('locking_mode = EXCLUSIVE');
  db.exec('BEGIN EXCLUSIVE');
  assert.equal(
    await refusal(file),
    `greyctl: cannot use the database ${file}: it is locked by another process\nTry: fuser -v ${file} shows which\n`,
  );
  db.exec('COMMIT');
  db.pragma('user_version = 99');
  db.close();
  assert.match(
    await refusal(file),
    /: its schema is version 99, this greyctl knows up to \d+\nTry: upgrade greyctl, or name another file with --db\n$/,
  );
  const faults = diskFaults(folder, `${folder}/new.db`);
  const faulty = () => run(['serve', '--inet=127.0.0.1:0', `--db=${folder}/new.db`], { env: faults.env });
  faults.begin('ENOSPC', 'w');
  assert.equal(
    (await faulty()).stderr,
    `greyctl: cannot use the database ${folder}/new.db: the disk is full\nTry: df -h ${folder} shows how much room there is\n`,
  );
  faults.begin('EIO', 'ws');
  assert.equal(
    (await faulty()).stderr,
    `greyctl: cannot use the database ${folder}/new.db: the disk does not give or take what is read or written (SQLITE_IOERR_WRITE)\nTry: dmesg | tail shows what the disk says\n`,
  );
});

test('a database that its user may not write is refused at the start', needsRoot(), async (t) => {
  const folder = await temporaryFolder(t);
  await chmod(folder, 0o755);
  await (await testServer(t, [], { folder })).stop();
  const { status, stderr } = await run([
    ...['serve', '--inet=127.0.0.1:0', '--user=nobody', `--db=${folder}/greyctl.db`],
  ]);
  assert.deepEqual(
    [status, stderr],
    [
      1,
      `greyctl: cannot open the database ${folder}/greyctl.db: permission denied\n` +
        'Try: name another place with --db, or check who may write there\n',
    ],
  );
});
