/**
 * Three servers whose clocks differ at a cluster, where the client key is a domain: the entry of a triplet and the auto-whitelist records of
 * its clients lie in different slots, so no step changes both. What is promised all the same: entries are as one server would have them,
 * a pass is never taken back, and a client is counted once for a pass at most, which may be one that another server gave.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KeyedAttempt } from '#src/greylist/decide.js';
import { awlCountIntervalSeconds, defaultSettings } from '#src/greylist/settings.js';
import { allClients, allEntries, type Store } from '#src/greylist/store.js';
import { needs } from '../support/programs.js';
import { random } from '../support/random.js';
import { openRedisStore, redisCluster } from '../support/redis.js';

const began = 1_800_000_000;
const simulatedSeconds = 12 * 3600;
/** By so much servers' clocks differ at most. */
const skewSeconds = 4;
const rules = { ...defaultSettings, awlClients: 1000 };

/** What was asked about one triplet, and answered. */
interface Told {
  first: number;
  count: number;
  /** Who passed, and when by the server's clock. */
  readonly passes: { readonly address: string; readonly time: number; readonly isFirst: boolean }[];
}

/** Of times that are sorted: how many can be picked, the earliest first, that lie `apart` or more. */
function spaced(times: readonly number[], apart: number): number {
  let [picked, last] = [0, -Infinity];
  for (const time of times) {
    if (time - last < apart) continue;
    picked += 1;
    last = time;
  }
  return picked;
}

test(
  'at a cluster, three servers keep what they promise of clients known by their domain',
  needs('redis-server', 'redis-cli'),
  async (t) => {
    const { pick, seed } = random();
    const { nodes } = await redisCluster(t);
    const hosts = nodes.map(({ port }) => ({ host: '127.0.0.1', port }));
    const address = { kind: 'cluster', hosts, database: 0, isTls: false, prefix: 'greyctl' } as const;
    const stores = await Promise.all(
      [0, 2, skewSeconds].map(() => openRedisStore(0, { address, rules, now: () => began })),
    );
    t.after(() => Promise.all(stores.map((store) => store.close())));
    const told = new Map<string, Told>();
    let time = began;

    /** New triplets come up all the time, and all servers are asked about them while they wait and when they pass. */
    function attemptAt(now: number): KeyedAttempt {
      const domain = pick(6);
      const sender = `s${Math.floor(now / 900)}.${pick(3)}@example.com`;
      const triplet = { client: `${domain}.pool.example`, sender, recipient: 'bob@example.org' };
      return { time: now, triplet, address: `10.${domain}.0.${pick(2)}`, rules };
    }

    async function serve(store: Store, skew: number): Promise<void> {
      while (time < began + simulatedSeconds) {
        time += pick(40);
        const now = time + skew;
        const attempts = Array.from({ length: 1 + pick(12) }, () => attemptAt(now));
        const known = attempts.map(({ triplet }) => {
          const name = `${triplet.client} ${triplet.sender}`;
          const one = told.get(name) ?? { first: now, count: 0, passes: [] };
          told.set(name, one);
          one.first = Math.min(one.first, now);
          one.count += 1;
          return { one, hasPassed: one.passes.length > 0 };
        });
        const decisions = await store.settle(attempts);
        for (const [index, { one, hasPassed }] of known.entries()) {
          const [decision, attempt] = [decisions[index], attempts[index]];
          assert.ok(decision && attempt);
          assert.ok(decision.verdict === 'pass' || !hasPassed, `a pass was taken back, seed ${seed}`);
          const isFirst = decision.delaySeconds !== undefined;
          if (decision.verdict === 'pass') one.passes.push({ address: attempt.address, time: now, isFirst });
        }
      }
    }
    await Promise.all(stores.map((store, index) => serve(store, (index * skewSeconds) / 2)));

    const [store] = stores;
    assert.ok(store);
    const mayCount = new Map<string, number[]>();
    const mustCount = new Map<string, number[]>();
    const note = (times: Map<string, number[]>, client: string, when: number) =>
      times.set(client, [...(times.get(client) ?? []), when]);
    let entries = 0;
    for await (const { triplet, ...entry } of allEntries(store, {})) {
      entries += 1;
      const one = told.get(`${triplet.client} ${triplet.sender}`);
      assert.ok(one);
      const found = [entry.firstSeen, entry.deferrals + entry.passes, entry.passes];
      assert.deepEqual(found, [one.first, one.count, one.passes.length], `seed ${seed}`);
      const firsts = one.passes.filter(({ isFirst }) => isFirst);
      assert.equal(firsts.length, entry.passedAt === undefined ? 0 : 1, `first passes, seed ${seed}`);
      for (const { address: client, time: when, isFirst } of one.passes) {
        if (when <= (entry.passedAt ?? 0) + 2 * 40 + skewSeconds) note(mayCount, client, when);
        if (isFirst) note(mustCount, client, when);
      }
    }
    assert.equal(entries, told.size);
    let [clients, crowded] = [0, 0];
    for await (const { address: client, count } of allClients(store)) {
      clients += 1;
      const sorted = (times?: readonly number[]) => [...(times ?? [])].sort((a, b) => a - b);
      const most = spaced(sorted(mayCount.get(client)), awlCountIntervalSeconds);
      const least = spaced(sorted(mustCount.get(client)), awlCountIntervalSeconds + skewSeconds);
      assert.ok(count <= most && count >= least, `${client}: ${least} ≤ ${count} ≤ ${most}, seed ${seed}`);
      if ((mustCount.get(client)?.length ?? 0) > 2 * count) crowded += 1;
    }
    assert.deepEqual([clients, crowded], [12, 12]);
    const counted = (await store.tallies(0)).reduce((sum, { count }) => sum + count, 0);
    assert.equal(
      counted,
      [...told.values()].reduce((sum, { count }) => sum + count, 0),
    );
  },
);
