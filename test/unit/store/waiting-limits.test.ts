import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { KeyedAttempt, PreparedAttempt, Reason } from '#src/greylist/decide.js';
import { defaultSettings } from '#src/greylist/settings.js';
import type { Store } from '#src/greylist/store.js';
import { MemoryStore } from '#src/store/memory.js';
import { openSqlite } from '#src/store/sqlite/client.js';
import { find, needs } from '../../support/programs.js';
import { openRedisStore, redisCluster, redisServer } from '../../support/redis.js';
import { temporaryFolder } from '../../support/temporary.js';

const rules = { ...defaultSettings, delaySeconds: 10, maxWaiting: 1200, maxWaitingPerClient: 600 };

function attempt(time: number, client: string, number: number): KeyedAttempt {
  const triplet = { client, sender: `s${number}@example.org`, recipient: 'r@example.net' };
  return { time, triplet, address: '192.0.2.1', rules };
}

function flood(client: string, from: number, count: number, time = 0): KeyedAttempt[] {
  return Array.from({ length: count }, (_, index) => attempt(time, client, from + index));
}

/** Settles one by one, as counts are of what was settled before a batch. */
async function reasons(
  store: Store,
  attempts: readonly PreparedAttempt[],
): Promise<Partial<Record<Reason, number>>> {
  const counts: Partial<Record<Reason, number>> = {};
  for (const each of attempts)
    for (const { reason } of await store.settle([each])) counts[reason] = (counts[reason] ?? 0) + 1;
  return counts;
}

async function wholePurge(store: Store, now: number): Promise<void> {
  while (!(await store.purge(now, rules, 100)).done);
}

async function sqlite(t: TestContext): Promise<{ file: string; store: Store }> {
  const file = `${await temporaryFolder(t)}/greyctl.db`;
  const store = await openSqlite(file);
  t.after(() => store.close());
  return { file, store };
}

const withRedis = needs('redis-server', 'redis-cli');

async function shared(
  t: TestContext,
  ports: readonly number[],
  time: () => number = () => 10,
): Promise<Store> {
  const hosts = ports.map((port) => ({ host: '127.0.0.1', port }));
  const kind = hosts.length > 1 ? 'cluster' : 'single';
  const address = { kind, hosts, database: 0, isTls: false, prefix: 'greyctl' } as const;
  const store = await openRedisStore(hosts[0]?.port ?? 0, { address, rules, now: time });
  t.after(() => store.close());
  return store;
}

const shareds: Record<string, (t: TestContext) => Promise<Store>> = {
  redis: async (t) => shared(t, [(await redisServer(t)).port]),
  'redis cluster': async (t) =>
    shared(
      t,
      (await redisCluster(t)).nodes.map(({ port }) => port),
    ),
};

const stores: Record<string, (t: TestContext) => Promise<Store>> = {
  ...(find('redis-server') && find('redis-cli') && shareds),
  memory: () => Promise.resolve(new MemoryStore()),
  sqlite: async (t) => (await sqlite(t)).store,
};

for (const [name, open] of Object.entries(stores)) {
  test(`a flood from one network is held back and others are not, in the ${name} store`, async (t) => {
    const store = await open(t);
    assert.deepEqual(await reasons(store, flood('192.0.2.0', 0, 700)), {
      new: 600,
      'too many from client': 100,
    });
    assert.deepEqual(await reasons(store, flood('198.51.100.0', 0, 650)), {
      new: 600,
      'too many from client': 50,
    });
    assert.equal((await store.info()).waiting, 1200);
    assert.deepEqual(await reasons(store, flood('203.0.113.0', 0, 5)), { 'too many waiting': 5 });
    assert.equal((await store.info()).waiting, 1200);
    assert.deepEqual(await reasons(store, flood('192.0.2.0', 0, 20, 10)), { 'triplet found': 20 });
    assert.deepEqual(await reasons(store, flood('192.0.2.0', 1000, 30, 10)), {
      new: 20,
      'too many from client': 10,
    });
    await store.remove([{ triplet: attempt(0, '198.51.100.0', 0).triplet }], []);
    assert.deepEqual(await reasons(store, flood('203.0.113.0', 0, 2, 10)), { new: 1, 'too many waiting': 1 });
    await wholePurge(store, 3 * 86_400);
    assert.deepEqual(await reasons(store, flood('192.0.2.0', 2000, 601, 3 * 86_400)), {
      new: 600,
      'too many from client': 1,
    });
  });
}

test('who waited before a start is counted by the first round of the purge, and what others removed by the next', async (t) => {
  const { file, store } = await sqlite(t);
  await store.settle(flood('192.0.2.0', 0, 599));
  const second = await openSqlite(file);
  t.after(() => second.close());
  await second.settle([]);
  assert.deepEqual(await reasons(second, flood('192.0.2.0', 700, 1)), { new: 1 });
  await wholePurge(second, 0);
  assert.deepEqual(await reasons(second, flood('192.0.2.0', 800, 1)), { 'too many from client': 1 });
  await store.remove(
    flood('192.0.2.0', 0, 300).map(({ triplet }) => ({ triplet })),
    [],
  );
  assert.deepEqual(await reasons(second, flood('192.0.2.0', 800, 1)), { 'too many from client': 1 });
  await wholePurge(second, 0);
  assert.deepEqual(await reasons(second, flood('192.0.2.0', 800, 301)), {
    new: 300,
    'too many from client': 1,
  });
  assert.deepEqual(await reasons(store, flood('192.0.2.0', 2000, 1)), { 'too many from client': 1 });
});

test(
  'servers that share a Redis count together within ten seconds, and a server that starts knows at once',
  withRedis,
  async (t) => {
    const { port } = await redisServer(t);
    const [one, other] = [await shared(t, [port]), await shared(t, [port])];
    await one.settle(flood('192.0.2.0', 0, 300));
    await other.settle(flood('192.0.2.0', 300, 299));
    const again = await reasons(one, flood('192.0.2.0', 700, 2, 10));
    assert.deepEqual(again, { new: 1, 'too many from client': 1 });
    const started = await shared(t, [port]);
    const first = await reasons(started, flood('192.0.2.0', 800, 1, 10));
    assert.deepEqual(first, { 'too many from client': 1 });
    assert.deepEqual(await reasons(other, flood('192.0.2.0', 0, 300, 11)), { 'triplet found': 300 });
    const later = await reasons(one, flood('192.0.2.0', 800, 301, 70));
    assert.deepEqual(later, { new: 300, 'too many from client': 1 });
  },
);

test('what is merged, again or as passed, counts as what it is then', withRedis, async (t) => {
  const store = await shared(t, [(await redisServer(t)).port]);
  const entries = flood('192.0.2.0', 0, 600).map(({ triplet }) => ({
    ...{ triplet, firstSeen: 5, lastSeen: 5, deferrals: 1, passes: 0 },
  }));
  for (let times = 0; times < 2; times += 1) await store.merge(entries, []);
  assert.deepEqual(await reasons(store, flood('192.0.2.0', 700, 1)), { 'too many from client': 1 });
  await store.merge(
    entries.slice(0, 3).map((entry) => ({ ...entry, passedAt: 9, lastSeen: 9, passes: 1 })),
    [],
  );
  assert.deepEqual(await reasons(store, flood('192.0.2.0', 700, 4)), { new: 3, 'too many from client': 1 });
});

test(
  'what Redis forgets by itself is counted for a quarter of the retry window longer at most',
  withRedis,
  async (t) => {
    const redis = await redisServer(t);
    const store = await shared(t, [redis.port]);
    const [quarter, last] = [rules.retryWindowSeconds / 4, 5 * (rules.retryWindowSeconds / 4)];
    await store.settle(flood('192.0.2.0', 0, 300, quarter - 1));
    await store.settle(flood('192.0.2.0', 300, 300, quarter));
    assert.deepEqual(await reasons(store, flood('192.0.2.0', 700, 1, last - 1)), {
      'too many from client': 1,
    });
    assert.deepEqual(await reasons(store, flood('192.0.2.0', 700, 301, last + 10)), {
      new: 300,
      'too many from client': 1,
    });
    const keys = (await redis.cli('--scan', '--pattern', 'greyctl:{site}:waiting:*')).split('\n');
    assert.equal(keys.length, 3);
    for (const key of keys) assert.ok(Number(await redis.cli('TTL', key)) > 0, `${key} goes by itself`);
  },
);
