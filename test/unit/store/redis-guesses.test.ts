/** A server on Redis decides by what it believes to be there, and the script makes sure: nobody may notice but by the time it takes. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { KeyedAttempt } from '#src/greylist/decide.js';
import { defaultSettings } from '#src/greylist/settings.js';
import type { Store } from '#src/greylist/store.js';
import { Guesses } from '#src/store/redis/guesses.js';
import { needs } from '../../support/programs.js';
import { openRedisStore, redisServer, type RedisServer } from '../../support/redis.js';

const installed = needs('redis-server', 'redis-cli');
const rules = { ...defaultSettings, delaySeconds: 300 };
const start = 1_800_000_000;

function attempt(time: number, number: number): KeyedAttempt {
  const network = `192.0.${number % 250}`;
  const triplet = { client: `${network}.0`, sender: `s${number}@example.org`, recipient: 'r@example.net' };
  return { time, triplet, address: `${network}.1`, rules };
}

const keyOf = (number: number) =>
  `greyctl:{192.0}:entry:192.0.${number % 250}.0|s${number}@example.org|r@example.net`;

async function reasons(store: Store, ...attempts: readonly KeyedAttempt[]): Promise<string[]> {
  return (await store.settle(attempts)).map(({ reason }) => reason);
}

async function opened(t: TestContext, redis: RedisServer): Promise<Store> {
  const store = await openRedisStore(redis.port, { rules, now: () => start });
  t.after(() => store.close());
  return store;
}

/** Round trips of settling so far: reading asks for windows, too. */
async function trips(redis: RedisServer): Promise<number> {
  const stats = await redis.cli('INFO', 'commandstats');
  return [...stats.matchAll(/^cmdstat_(?:evalsha|hmget):calls=(\d+)/gm)].reduce(
    (sum, [, calls]) => sum + Number(calls),
    0,
  );
}

test('new triplets and those a server has met before are settled in one round trip', installed, async (t) => {
  const redis = await redisServer(t);
  const store = await opened(t, redis);
  await store.settle([attempt(start, 0)]);
  const cost = async (work: () => Promise<unknown>) => {
    const before = await trips(redis);
    await work();
    return (await trips(redis)) - before;
  };
  const expect = (time: number, reason: string) => async () => {
    assert.deepEqual(await reasons(store, attempt(time, 1), attempt(time, 2)), [reason, reason]);
  };
  assert.equal(await cost(expect(start, 'new')), 1, 'new ones');
  assert.equal(await cost(expect(start + 300, 'triplet found')), 2, 'a wrong guess: they came back');
  assert.equal(await cost(() => store.settle([attempt(start, 3)])), 2, 'the next is read first');
  assert.equal(await cost(expect(start + 301, 'triplet found')), 1, 'known ones');
});

test('what others have written, removed or released counts at once', installed, async (t) => {
  const redis = await redisServer(t);
  const [one, other] = [await opened(t, redis), await opened(t, redis)];
  await one.settle([attempt(start, 1)]);
  assert.deepEqual(await reasons(other, attempt(start + 10, 1)), ['early-retry']);
  assert.deepEqual(await reasons(one, attempt(start + 20, 1)), ['early-retry']);
  assert.deepEqual((await one.recall(attempt(start, 1).triplet, '192.0.1.1')).entry?.deferrals, 3);

  await other.release([attempt(start, 1).triplet], start + 30);
  assert.deepEqual(await reasons(one, attempt(start + 30, 1)), ['released']);
  assert.equal(await other.remove([{ triplet: attempt(start, 1).triplet }], []), 1);
  assert.deepEqual(await reasons(one, attempt(start + 40, 1)), ['new']);
});

test('a window is in force at once, and over at once, at servers that knew of none', installed, async (t) => {
  const redis = await redisServer(t);
  const [one, other] = [await opened(t, redis), await opened(t, redis)];
  assert.deepEqual(await reasons(one, attempt(start, 1)), ['new']);
  await other.openWindow('r@example.net', start + 60);
  assert.deepEqual(await reasons(one, attempt(start, 2), attempt(start, 1)), ['released', 'released']);
  assert.equal(await other.closeWindow('r@example.net'), true);
  for (const number of [3, 4, 5]) assert.deepEqual(await reasons(one, attempt(start, number)), ['new']);
});

test(
  'what greyctl did not write is not overwritten, nor is anything beside it written',
  installed,
  async (t) => {
    const redis = await redisServer(t);
    const store = await opened(t, redis);
    for (const key of [keyOf(1), 'greyctl:{192.0}:awl:192.0.1.1']) {
      await redis.cli('HSET', key, 'field', 'text');
      for (let times = 0; times < 3; times += 1)
        await assert.rejects(store.settle([attempt(start, 2), attempt(start, 1)]), {
          message: `cannot use the database redis://127.0.0.1:${redis.port}: what greyctl did not write is in the key ${key}`,
        });
      assert.equal(await redis.cli('HGET', key, 'field'), 'text');
      assert.equal(await redis.cli('EXISTS', keyOf(2)), '0');
      await redis.cli('DEL', key);
    }
    assert.deepEqual(await store.tallies(0), []);
  },
);

test('after wrong guesses a server reads first, for longer and longer, until a guess is right', () => {
  const guesses = new Guesses();
  const batchesUntilGuess = () => {
    let count = 0;
    while (!guesses.isTime()) count += 1;
    return count;
  };
  const pauses = Array.from({ length: 9 }, () => {
    guesses.was(false);
    return batchesUntilGuess();
  });
  assert.deepEqual(pauses, [1, 3, 7, 15, 31, 63, 64, 64, 64]);
  guesses.was(true);
  assert.equal(batchesUntilGuess(), 0);
});

test('what was seen last is guessed, and forgotten when much else was seen since', () => {
  const guesses = new Guesses();
  guesses.see('known', 'old');
  guesses.see('known', 'text');
  guesses.see('used', 'text');
  assert.deepEqual(
    [...guesses.ofAll(['known', 'never'])],
    [
      ['known', 'text'],
      ['never', ''],
    ],
  );
  for (let number = 0; number < 100_000; number += 1) {
    guesses.see(`other ${number}`, 'text');
    if (number % 10_000 === 0) guesses.see('used', 'text');
  }
  assert.deepEqual([...guesses.ofAll(['known', 'used']).values()], ['', 'text']);
});

test('keys that only a stranger makes so long are not kept', () => {
  const guesses = new Guesses();
  const [short, long] = ['greyctl:{192.0}:awl:192.0.2.1', `greyctl:{192.0}:entry:${'%7C'.repeat(100)}`];
  for (const key of [short, long]) guesses.see(key, '1 1800000000');
  assert.deepEqual(
    guesses.ofAll([short, long]),
    new Map([
      [short, '1 1800000000'],
      [long, ''],
    ]),
  );
});
