import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chown, lchown, mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import Database from 'better-sqlite3';
import { options } from '#src/config/options.js';
import { Failure } from '#src/greylist/failure.js';
import { defaultSettings } from '#src/greylist/settings.js';
import { privacyKey } from '#src/store/privacy.js';
import { openSqlite } from '#src/store/sqlite/client.js';
import { lockTimeoutMs } from '#src/store/sqlite/database.js';
import { waitingReader } from '#src/store/sqlite/waiting.js';
import { applicationId, migrate, schemaVersion } from '#src/store/sqlite/schema.js';
import { needsRoot } from '../../support/programs.js';
import { temporaryFolder } from '../../support/temporary.js';

const attempt = {
  time: 1000,
  triplet: { client: '192.0.2.0', sender: 'a@s', recipient: 'b@r' },
  address: '192.0.2.5',
  rules: defaultSettings,
};

async function refused(location: string): Promise<Failure> {
  const before = await readFile(location).catch(() => undefined);
  const error: unknown = await openSqlite(location).then(
    () => assert.fail('opened'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof Failure, String(error));
  assert.deepEqual(await readFile(location).catch(() => undefined), before, 'the file is left as it was');
  return error;
}

test('a new database is marked as greyctl’s, with its schema version, and only its group may read it', async (t) => {
  const file = `${await temporaryFolder(t)}/new.db`;
  await (await openSqlite(file)).close();
  const db = new Database(file);
  assert.equal(db.pragma('application_id', { simple: true }), applicationId);
  assert.equal(db.pragma('user_version', { simple: true }), schemaVersion);
  assert.equal(db.pragma('journal_mode', { simple: true }), 'wal');
  db.close();
  assert.equal((await stat(file)).mode & 0o027, 0);
});

test('a database of a newer greyctl is refused with both versions', async (t) => {
  const file = `${await temporaryFolder(t)}/newer.db`;
  await (await openSqlite(file)).close();
  const db = new Database(file);
  db.pragma('user_version = 99');
  db.close();
  const error = await refused(file);
  assert.equal(
    error.message,
    `cannot use the database ${file}: its schema is version 99, this greyctl knows up to ${schemaVersion}`,
  );
});

test('a database from before counts could be moved is brought up to date, and keeps what it knows', async (t) => {
  const file = `${await temporaryFolder(t)}/older.db`;
  const before = await openSqlite(file);
  await before.settle([attempt]);
  const tallies = await before.tallies(0);
  await before.close();
  const db = new Database(file);
  db.exec('DROP TABLE counts_taken; DROP TABLE counts_added; PRAGMA user_version = 1');
  db.close();
  const after = await openSqlite(file);
  t.after(() => after.close());
  assert.equal((await after.info()).schemaVersion, schemaVersion);
  assert.equal((await after.recall(attempt.triplet, attempt.address)).entry?.firstSeen, 1000);
  assert.deepEqual((await after.takeCounts(10))?.tallies, tallies);
});

test('migrations run in order, once, and a failing one leaves the file as it was', async (t) => {
  const db = new Database(`${await temporaryFolder(t)}/steps.db`);
  const steps = ['CREATE TABLE one (x)', 'ALTER TABLE one ADD COLUMN y; INSERT INTO one VALUES (1, 2)'];
  migrate(db, 'steps.db', steps.slice(0, 1));
  assert.throws(() => {
    migrate(db, 'steps.db', [...steps, 'nonsense']);
  }, /syntax error/);
  assert.equal(db.pragma('user_version', { simple: true }), 1);
  migrate(db, 'steps.db', steps);
  migrate(db, 'steps.db', steps);
  assert.deepEqual(db.prepare('SELECT * FROM one').all(), [{ x: 1, y: 2 }]);
  assert.equal(db.pragma('user_version', { simple: true }), 2);
  db.close();
});

test('a database of the same version with other tables, of a greyctl that was never released, is refused with what to type', async (t) => {
  const folder = await temporaryFolder(t);
  for (const [name, change, why] of [
    ['column', 'ALTER TABLE entries DROP COLUMN released_at', 'no such column: released_at'],
    ['table', 'DROP TABLE windows', 'no such table: windows'],
    ['blocks', 'DROP TABLE key_hashes', 'no such table: key_hashes'],
    ['counts', 'ALTER TABLE tallies RENAME COLUMN verdict TO answer', 'no such column: verdict'],
  ] as const) {
    const file = `${folder}/${name}.db`;
    await (await openSqlite(file)).close();
    const db = new Database(file);
    db.exec(change);
    db.close();
    const error = await refused(file);
    assert.ok(
      error.message.startsWith(
        `cannot use the database ${file}: its tables are not those of schema version ${schemaVersion} (`,
      ) && error.message.includes(why.replace(/.*: /, '')),
      error.message,
    );
    assert.equal(
      error.hint,
      `mv ${file} ${file}.old, and a new one is made, without what this one remembers`,
    );
  }
});

test('a lock is waited for less than a second, which is how long a request waits for the store', () => {
  const storeTimeoutMs = options['store-timeout'].default * 1000;
  assert.ok(lockTimeoutMs < storeTimeoutMs && storeTimeoutMs <= 1000);
});

test('files of other programs, damaged files, folders and missing folders are refused with what to do', async (t) => {
  const folder = await temporaryFolder(t);
  const foreign = new Database(`${folder}/foreign.db`);
  foreign.exec('CREATE TABLE theirs (x)');
  foreign.close();
  assert.match((await refused(`${folder}/foreign.db`)).message, /it belongs to another program$/);
  await writeFile(`${folder}/text`, 'this is not a database at all\n'.repeat(100));
  assert.match((await refused(`${folder}/text`)).message, /it is not a SQLite database$/);
  assert.match((await refused(folder)).message, /is a directory$/);
  const missing = await refused(`${folder}/missing/greyctl.db`);
  assert.match(missing.message, /no such file or directory$/);
  assert.equal(missing.hint, `mkdir -p ${folder}/missing`);
});

test('two open stores on one file see each other’s entries and whitelist', async (t) => {
  const file = `${await temporaryFolder(t)}/shared.db`;
  const [one, two] = [await openSqlite(file), await openSqlite(file)];
  await one.settle([attempt]);
  assert.equal((await two.settle([{ ...attempt, time: 1300 }]))[0]?.delaySeconds, 300);
  const revision = await one.listedRevision();
  await two.addListed({ kind: 'client', pattern: 'example.org', comment: '', addedAt: 1 });
  assert.notEqual(await one.listedRevision(), revision);
  await one.close();
  await two.close();
});

test('a lock held by another process fails the batch, writes nothing, and the next batch works', async (t) => {
  const file = `${await temporaryFolder(t)}/locked.db`;
  const store = await openSqlite(file);
  t.after(() => store.close());
  const other = new Database(file);
  other.exec('BEGIN IMMEDIATE');
  await assert.rejects(
    store.settle([attempt]),
    /cannot use the database .*: it is locked by another process/,
  );
  other.exec('COMMIT');
  other.close();
  assert.equal((await store.settle([attempt]))[0]?.reason, 'new');
});

test('a privacy key is made once, for its owner only, and a bad one is refused', async (t) => {
  const file = `${await temporaryFolder(t)}/greyctl.db.key`;
  const key = await privacyKey(file);
  assert.equal(key.length, 32);
  assert.deepEqual(await privacyKey(file), key);
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  await writeFile(file, 'short');
  await assert.rejects(privacyKey(file), /it is not 64 hexadecimal digits/);
});

test('of a great many waiting entries the largest groups are picked from a sample and counted exactly', async (t) => {
  const file = `${await temporaryFolder(t)}/many.db`;
  const db = new Database(file);
  t.after(() => db.close());
  migrate(db, file);
  const insert = db.prepare(
    'INSERT INTO entries (client, sender, recipient, first_seen, last_seen, deferrals, passes) VALUES (?, ?, ?, 1, 1, 1, 0)',
  );
  db.transaction(() => {
    for (let index = 0; index < 4000; index += 1) {
      const domain = index % 3 === 0 ? 'big.example' : `d${index}.example`;
      insert.run('192.0.2.0', `u${index}@${domain}`, index % 4 === 0 ? 'bob@r' : `r${index}@r`);
    }
  })();
  const { senderDomains, clients, recipients } = waitingReader(db, 1000)({ firstSeenSince: 0, limit: 1 });
  assert.deepEqual(senderDomains, [{ name: 'big.example', count: 1334 }]);
  assert.deepEqual(clients, [{ name: '192.0.2.0', count: 4000 }]);
  assert.deepEqual(recipients, [{ name: 'bob@r', count: 1000 }]);
});

test(
  'root follows no link that another user has put in the place of the database',
  needsRoot(),
  async (t) => {
    const folder = await temporaryFolder(t);
    const state = `${folder}/state`;
    await mkdir(state);
    const nobody = Number(execFileSync('id', ['-u', 'nobody'], { encoding: 'utf8' }));
    await chown(state, nobody, nobody);
    for (const target of [`${folder}/new`, `${folder}/empty`]) {
      const file = `${state}/${target.slice(-3)}.db`;
      if (target.endsWith('empty')) await writeFile(target, '');
      await symlink(target, file);
      await lchown(file, nobody, nobody);
      const error: unknown = await openSqlite(file).then(
        (store) => store.close(),
        (reason: unknown) => reason,
      );
      assert.ok(error instanceof Failure);
      assert.equal(
        error.message,
        `cannot open the database ${file}: it is a link that another user has made (id ${nobody})`,
      );
    }
    await assert.rejects(stat(`${folder}/new`));
    assert.equal((await stat(`${folder}/empty`)).size, 0);
    // A link of root's own leads where root wants it.
    await symlink(`${folder}/elsewhere`, `${state}/own.db`);
    await (await openSqlite(`${state}/own.db`)).close();
    assert.equal((await stat(`${folder}/elsewhere`)).uid, 0);
  },
);
