import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import Database from 'better-sqlite3';
import type { Entry } from '#src/greylist/decide.js';
import { defaultSettings } from '#src/greylist/settings.js';
import type { Triplet } from '#src/greylist/triplet.js';
import { SqliteDatabase } from '#src/store/sqlite/database.js';
import { HashIndex } from '#src/store/sqlite/hashindex.js';
import { keyHash } from '#src/store/keyhash.js';
import { random } from '../../support/random.js';
import { temporaryFolder } from '../../support/temporary.js';

const day = 86_400;

function triplet(number: number): Triplet {
  return { client: '192.0.2.0', sender: `s${number}@example.org`, recipient: 'r@example.net' };
}

function entry(time: number, more: Partial<Entry> = {}): Entry {
  return { firstSeen: time, lastSeen: time, deferrals: 1, passes: 0, ...more };
}

function stored(from: number, count: number, time = 0) {
  return Array.from({ length: count }, (_, index) => ({ triplet: triplet(from + index), ...entry(time) }));
}

async function databaseFile(t: TestContext): Promise<string> {
  return `${await temporaryFolder(t)}/greyctl.db`;
}

function opened(t: TestContext, location: string): SqliteDatabase {
  const database = new SqliteDatabase(location);
  t.after(() => {
    database.close();
  });
  return database;
}

function knows(database: SqliteDatabase, number: number): boolean {
  return database.recall(triplet(number), '192.0.2.1').entry !== undefined;
}

function purgeAll(database: SqliteDatabase, now: number): number {
  let removed = 0;
  for (;;) {
    const step = database.purge(now, defaultSettings, 100);
    removed += step.removed;
    if (step.done) return removed;
  }
}

test('the index finds what was added and not deleted, like a map would', () => {
  const { pick, seed } = random();
  const index = new HashIndex();
  const model = new Map<number, number>();
  // Few hashes, near one another and far apart: many ids of one hash, many hashes of one place.
  const hashOf = (id: number) =>
    [id % 7, (id % 97) * 2 ** 25, 2 ** 32 - 1 - (id % 3), (id * 1009) % 2 ** 32][id % 4] ?? 0;
  for (let round = 0; round < 20_000; round += 1) {
    const id = 1 + pick(3000) + (round % 5 === 0 ? 2 ** 39 : 0);
    if (pick(3) > 0) {
      index.add(hashOf(id), id);
      model.set(id, hashOf(id));
    } else {
      index.delete(hashOf(id), id);
      model.delete(id);
    }
  }
  const has = (id: number) => index.find(hashOf(id), (candidate) => candidate === id) === id;
  for (let id = 1; id <= 3000; id += 1) {
    assert.equal(has(id), model.has(id), `id ${id}, seed ${seed}`);
    assert.equal(has(id + 2 ** 39), model.has(id + 2 ** 39), `id ${id} + 2^39, seed ${seed}`);
  }
  assert.equal(
    index.find(12_345, () => true),
    0,
  );
});

test('what is added in bulk is all found, also where one table gets most of it', () => {
  const index = new HashIndex(1000);
  const hashOf = (id: number) => (id % 3 > 0 ? (id * 3) % 2 ** 32 : Math.imul(id, 0x9e3779b1) >>> 0);
  const ids = Array.from({ length: 20_000 }, (_, number) => number + (number % 2 === 0 ? 1 : 2 ** 39));
  index.addAll((take) => {
    for (const id of ids) take(hashOf(id), id);
  });
  for (const id of ids)
    assert.equal(
      index.find(hashOf(id), (candidate) => candidate === id),
      id,
    );
  assert.equal(
    index.find(hashOf(20_002), (candidate) => candidate === 20_002),
    0,
  );
});

test('hashes differ by seed, and by where a part ends', () => {
  const seed = { start: 1, factor: 0x9e3779b1 };
  const one = { client: 'a', sender: 'bc', recipient: 'd' };
  assert.equal(keyHash(one, seed), keyHash({ ...one }, seed));
  assert.notEqual(keyHash(one, seed), keyHash({ ...one, client: 'ab', sender: 'c' }, seed));
  assert.notEqual(keyHash(one, seed), keyHash(one, { ...seed, start: 2 }));
  const hashes = new Set(Array.from({ length: 20_000 }, (_, index) => keyHash(triplet(index), seed)));
  assert.ok(hashes.size > 19_990, `${hashes.size} different ones of 20000`);
});

test('all entries of several blocks are found by whoever opens the file later', async (t) => {
  const file = await databaseFile(t);
  const first = opened(t, file);
  for (const count of [511, 1, 1, 700, 2000]) first.merge(stored(first.info().waiting, count), []);
  const second = opened(t, file);
  for (let number = 0; number < 3213; number += 1) assert.ok(knows(second, number), String(number));
  assert.ok(!knows(second, 3213));
});

test('what another process adds and removes is seen at once', async (t) => {
  const file = await databaseFile(t);
  const [mine, other] = [opened(t, file), opened(t, file)];
  mine.merge(stored(0, 600), []);
  other.merge(stored(600, 600), []);
  mine.merge(stored(1200, 10), []);
  for (const number of [0, 599, 600, 1199, 1209]) {
    assert.ok(knows(mine, number), `mine, ${number}`);
    assert.ok(knows(other, number), `the other, ${number}`);
  }
  other.remove([{ triplet: triplet(700) }, { triplet: triplet(5) }], []);
  assert.ok(!knows(mine, 700) && !knows(mine, 5));
  mine.merge(stored(5, 1), []);
  assert.ok(knows(other, 5));
  assert.equal(other.info().waiting, 1209);
});

test('after a transaction that failed nothing is known of it, and its ids may be used by another process', async (t) => {
  const file = await databaseFile(t);
  const [mine, other] = [opened(t, file), opened(t, file)];
  mine.merge(stored(0, 500), []);
  const broken = { triplet: triplet(900), ...entry(0), firstSeen: null as unknown as number };
  assert.throws(() => mine.merge([...stored(500, 100), broken], []), /NOT NULL/);
  other.merge(stored(2000, 200), []);
  for (const number of [0, 499, 2000, 2199]) assert.ok(knows(mine, number), String(number));
  for (const number of [500, 599, 900]) assert.ok(!knows(mine, number), String(number));
  mine.merge(stored(500, 100), []);
  assert.equal(mine.info().waiting, 800);
  assert.ok(knows(other, 599));
});

test('the purge takes the dead out of every block, whoever removed them, and keeps the rest findable', async (t) => {
  const file = await databaseFile(t);
  const [mine, other] = [opened(t, file), opened(t, file)];
  for (let number = 0; number < 2000; number += 1) {
    const isKept = number % 10 === 0 || (number >= 1024 && number < 1536);
    mine.merge([{ triplet: triplet(number), ...entry(isKept ? 10 * day : 0) }], []);
  }
  other.remove(
    Array.from({ length: 100 }, (_, index) => ({ triplet: triplet(500 + index) })),
    [],
  );
  const left = mine.info().waiting;
  const removed = purgeAll(mine, 10 * day);
  assert.equal(mine.info().waiting, left - removed);
  assert.equal(purgeAll(mine, 10 * day), 0);
  for (const database of [mine, other, opened(t, file)]) {
    assert.ok(!knows(database, 1) && !knows(database, 550) && knows(database, 10) && knows(database, 1030));
  }
  mine.merge(stored(500, 100), []);
  assert.ok(knows(opened(t, file), 599));
});

test('batches that cannot be committed, on a full disk for hours, leave nothing in memory', async (t) => {
  const location = await databaseFile(t);
  const database = opened(t, location);
  database.merge(stored(0, 1), []);
  // Stands for the full disk: what was written is taken back at the end of the batch.
  const other = new Database(location);
  t.after(() => other.close());
  other.exec(`CREATE TRIGGER full AFTER INSERT ON tallies BEGIN SELECT raise(ABORT, 'full'); END`);
  const rules = defaultSettings;
  const fail = (batch: number) => {
    const attempts = Array.from({ length: 1000 }, (_, index) => {
      return { time: 1, triplet: triplet(batch * 1000 + index + 1), address: '192.0.2.1', rules };
    });
    assert.throws(() => database.settle(attempts), /full/);
  };
  fail(0);
  const before = process.memoryUsage().arrayBuffers;
  for (let batch = 1; batch < 200; batch += 1) fail(batch);
  assert.ok(process.memoryUsage().arrayBuffers - before < 500_000);
  other.exec('DROP TRIGGER full');
  database.merge(stored(7, 1, 1), []);
  assert.ok(knows(database, 0) && knows(database, 7) && !knows(database, 8));
});

test('entries that come while a round of the purge is under way stay findable', async (t) => {
  const file = await databaseFile(t);
  const database = opened(t, file);
  database.merge(stored(0, 1300), []);
  let from = 1300;
  for (let isDone = false; !isDone; from += 700) {
    isDone = database.purge(0, defaultSettings, 100).done;
    database.merge(stored(from, 700), []);
  }
  assert.ok(from > 3000, 'several steps');
  for (const each of [database, opened(t, file)]) {
    for (let number = 0; number < from; number += 1) assert.ok(knows(each, number), String(number));
  }
});

test('a check tells of entries that nobody would find by their keys', async (t) => {
  const file = await databaseFile(t);
  const database = opened(t, file);
  database.merge(stored(0, 1100), []);
  assert.deepEqual(database.check().problems, []);
  const other = new Database(file);
  t.after(() => other.close());
  other.exec('DELETE FROM key_hashes WHERE block = 0');
  assert.match(opened(t, file).check().problems.join(), /^511 entries cannot be found by their keys: /);
});
