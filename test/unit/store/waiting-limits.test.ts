import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { KeyedAttempt, PreparedAttempt, Reason } from '#src/greylist/decide.js';
import { defaultSettings } from '#src/greylist/settings.js';
import type { Store } from '#src/greylist/store.js';
import { MemoryStore } from '#src/store/memory.js';
import { openSqlite } from '#src/store/sqlite/client.js';
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

const stores: Record<string, (t: TestContext) => Promise<Store>> = {
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
