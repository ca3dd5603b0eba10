/**
 * Three servers, one Redis, no order among them: whatever they answer must be what one server would have answered, had it been asked in
 * some order. Redis itself tells the order (MONITOR): a batch counts from the script in which it was counted. In that order all is told to a
 * store in memory, and every answer and everything remembered must be the same.
 */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { createClient } from 'redis';
import type { Decision, KeyedAttempt, PreparedAttempt } from '#src/greylist/decide.js';
import { defaultSettings } from '#src/greylist/settings.js';
import { allClients, allEntries, type Store } from '#src/greylist/store.js';
import { MemoryStore } from '#src/store/memory.js';
import { eventually } from '../support/deadline.js';
import { needs } from '../support/programs.js';
import { random } from '../support/random.js';
import { openRedisStore, redisServer, type RedisServer } from '../support/redis.js';
import { request } from '../support/policy-client.js';
import { testServer } from '../support/server.js';

const attemptsInAll = 100_000;
const servers = 3;
/** A life is short, so that there are many. */
const rules = {
  ...defaultSettings,
  ...{ delaySeconds: 300, retryWindowSeconds: 7200, maxAgeSeconds: 14_400, awlClients: 15 },
};

type Pick = (count: number) => number;

function keyedAt(time: number, pick: Pick): KeyedAttempt {
  const network = pick(20);
  return {
    time,
    triplet: {
      client: `10.0.${network}.0`,
      sender: `s${pick(pick(2) === 0 ? 8 : 200)}@example.com`,
      recipient: `r${pick(2)}@example.org`,
    },
    address: `10.0.${network}.${pick(3)}`,
    rules,
  };
}

/** Up to 40 attempts at about `time`, at least one with a key: servers' clocks differ by a few seconds. */
function batchAt(time: number, pick: Pick): PreparedAttempt[] {
  const now = time + pick(5);
  const more = Array.from({ length: pick(40) }, (): PreparedAttempt =>
    pick(50) === 0 ? { time: now, exemption: 'recipient whitelist' } : keyedAt(now, pick),
  );
  return [keyedAt(now, pick), ...more];
}

interface Settled {
  readonly attempts: readonly PreparedAttempt[];
  readonly decisions: readonly Decision[];
  /** Its place in the order that Redis tells. */
  readonly place: () => number;
}

/** Follows which connection ran which scripts. */
async function watch(t: TestContext, redis: RedisServer) {
  const monitor = createClient({ url: redis.url, RESP: 2 });
  monitor.on('error', () => undefined);
  await monitor.connect();
  t.after(() => {
    monitor.destroy();
  });
  /** By connection: the scripts that counted a batch, which one does that finds nothing changed. */
  const batches = new Map<string, number[]>();
  let scripts = 0;
  let own: number[] = [];
  await monitor.monitor((line) => {
    const [, connection = '', command = ''] = /^\S+ \[\d+ (\S+)\] "(\w+)"/.exec(line) ?? [];
    if (command === 'EVALSHA' || command === 'EVAL') {
      own = batches.get(connection) ?? [];
      batches.set(connection, own);
      scripts += 1;
    } else if (connection === 'lua' && command === 'HINCRBY' && own.at(-1) !== scripts) own.push(scripts);
  });
  return { batches, scripts: () => scripts };
}

async function openWatched(
  t: TestContext,
  redis: RedisServer,
): Promise<{ store: Store; connection: string }> {
  const connections = async () =>
    (await redis.cli('CLIENT', 'LIST'))
      .split('\n')
      .flatMap((line) => (line.includes('name=greyctl ') ? [/ addr=(\S+)/.exec(line)?.[1] ?? ''] : []));
  const before = new Set(await connections());
  const store = await openRedisStore(redis.port);
  t.after(() => store.close());
  const connection = (await connections()).find((one) => !before.has(one));
  assert.ok(connection);
  return { store, connection };
}

async function everything(store: Store) {
  const entries: string[] = [];
  for await (const { triplet, ...entry } of allEntries(store, {}))
    entries.push(`${Object.values(triplet).join('/')} ${JSON.stringify(Object.entries(entry).sort())}`);
  const clients: string[] = [];
  for await (const client of allClients(store)) clients.push(JSON.stringify(Object.entries(client).sort()));
  const tallies = (await store.tallies(0)).map((tally) => JSON.stringify(Object.entries(tally).sort()));
  return {
    entries: entries.sort(),
    clients: clients.sort(),
    tallies: tallies.sort(),
    delays: await store.delays(0),
  };
}

test(
  `three servers answer ${attemptsInAll} attempts as one would`,
  needs('redis-server', 'redis-cli'),
  async (t) => {
    const { pick, seed } = random();
    const redis = await redisServer(t);
    const { batches, scripts } = await watch(t, redis);
    const opened = [];
    for (let count = 0; count < servers; count += 1) opened.push(await openWatched(t, redis));

    const settled: Settled[] = [];
    let [time, left] = [1_800_000_000, attemptsInAll];
    await Promise.all(
      opened.map(async ({ store, connection }) => {
        for (let number = 0; left > 0; number += 1) {
          const attempts = batchAt(time, pick).slice(0, left);
          left -= attempts.length;
          time += pick(40);
          const decisions = await store.settle(attempts);
          settled.push({ attempts, decisions, place: () => batches.get(connection)?.[number] ?? -1 });
        }
      }),
    );
    await eventually(
      () => settled.every(({ place }) => place() > 0) || undefined,
      'the order of all batches',
    );

    const model = new MemoryStore();
    let passes = 0;
    for (const { attempts, decisions } of settled.sort((a, b) => a.place() - b.place())) {
      assert.deepEqual(decisions, await model.settle(attempts), `seed ${seed}`);
      passes += decisions.filter(({ verdict }) => verdict === 'pass').length;
    }
    assert.ok(
      passes > attemptsInAll / 10 && passes < attemptsInAll * 0.99,
      `both verdicts: ${passes} passes`,
    );
    const [store] = opened;
    assert.ok(store);
    assert.deepEqual(await everything(store.store), await everything(model), `seed ${seed}`);
    assert.ok(scripts() > settled.length, 'servers got in each other’s way');
  },
);

test(
  'three running servers remember the earliest attempt, never take a pass back, and count exactly',
  needs('redis-server', 'redis-cli'),
  async (t) => {
    const { pick, seed } = random();
    const redis = await redisServer(t);
    const running = await Promise.all(
      Array.from({ length: servers }, () =>
        testServer(t, [`--db=${redis.url}`, '--delay=2', '--auto-whitelist-clients=0']),
      ),
    );
    const clients = await Promise.all(running.flatMap((server) => [server.client(), server.client()]));
    const asked = new Map<string, { first: number; count: number; passed: boolean; before: number }>();
    const began = performance.now();
    const now = () => Math.floor(Date.now() / 1000);
    await Promise.all(
      clients.map(async (client) => {
        while (performance.now() - began < 6000) {
          const sender = `s${pick(40)}@example.com`;
          const known = asked.get(sender) ?? { first: now(), count: 0, passed: false, before: 0 };
          asked.set(sender, known);
          known.count += 1;
          const hadPassed = known.passed;
          const action = await client.ask(request({ sender, instance: `${sender}${known.count}` }));
          const isPass = !action.startsWith('DEFER_IF_PERMIT');
          assert.ok(isPass || !hadPassed, `a pass was taken back, seed ${seed}`);
          known.passed ||= isPass;
          if (!known.passed) known.before += 1;
        }
      }),
    );
    const store = await openRedisStore(redis.port);
    t.after(() => store.close());
    let total = 0;
    for await (const { triplet, firstSeen, deferrals, passes } of allEntries(store, {})) {
      const known = asked.get(triplet.sender);
      assert.ok(known && firstSeen - known.first <= 1, `first seen, seed ${seed}`);
      assert.equal(deferrals + passes, known.count, `attempts of ${triplet.sender}, seed ${seed}`);
      assert.ok(passes > 0);
      total += deferrals + passes;
    }
    const counted = (await store.tallies(0)).reduce((sum, { count }) => sum + count, 0);
    assert.equal(counted, total);
  },
);
