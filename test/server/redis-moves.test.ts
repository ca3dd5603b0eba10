/** What fallbacks have counted and learned arrives in Redis once, whoever is killed and whichever answer is lost on the way. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { createClient } from 'redis';
import { defaultSettings } from '#src/greylist/settings.js';
import { allEntries, type Store } from '#src/greylist/store.js';
import { withFallback } from '#src/store/fallback.js';
import { MemoryStore } from '#src/store/memory.js';
import { openSqlite } from '#src/store/sqlite/client.js';
import { start } from '../support/background.js';
import { deafProxy } from '../support/deaf-proxy.js';
import { eventually } from '../support/deadline.js';
import { program } from '../support/greyctl.js';
import { request, type PolicyClient } from '../support/policy-client.js';
import { needs } from '../support/programs.js';
import { random } from '../support/random.js';
import { openRedisStore, redisServer, type RedisServer } from '../support/redis.js';
import { testServer } from '../support/server.js';
import { temporaryFolder } from '../support/temporary.js';

const installed = needs('redis-server', 'redis-cli');
const crashes = Number(process.env['SOAK_CRASHES'] ?? 15);
const hour = 3600;

/** All that was counted, as one text a count. */
async function countsOf(store: Store): Promise<string[]> {
  const tallies = (await store.tallies(0)).map((tally) => `${tally.hour} ${tally.reason} ${tally.count}`);
  const delays = (await store.hourlyDelays()).map(
    (delay) => `${delay.hour} ${delay.seconds} s ${delay.count}`,
  );
  return [...tallies, ...delays].sort();
}

/** Counts of so many hours, some of them the same each time. */
function outage(number: number, hours: number) {
  const all = Array.from({ length: hours }, (_, index) => (100_000 + number * 100 + index) * hour);
  return {
    id: `outage ${number}`,
    tallies: all.map((time) => ({ hour: time, verdict: 'pass', reason: 'triplet found', count: 3 }) as const),
    delays: all.map((time) => ({ hour: time, seconds: 310, count: 2 })),
  };
}

/** Calls back with the number of each script that Redis has run. */
async function onScript(t: TestContext, redis: RedisServer, called: () => void): Promise<void> {
  const monitor = createClient({ url: redis.url, RESP: 2 });
  monitor.on('error', () => undefined);
  await monitor.connect();
  t.after(() => {
    monitor.destroy();
  });
  await monitor.monitor((line) => {
    if (/^\S+ \[\d+ [^l]\S+\] "EVAL/.test(line)) called();
  });
}

test(`a server killed ${crashes} times while it moves its counts moves each once`, installed, async (t) => {
  const { pick, seed } = random();
  const redis = await redisServer(t);
  const fallback = `${await temporaryFolder(t)}/fallback.db`;
  const args = [program, 'serve', '--inet=127.0.0.1:0', `--db=${redis.url}`, `--db-fallback=${fallback}`];
  let killAfter = Infinity;
  let victim: ReturnType<typeof start> | undefined;
  await onScript(t, redis, () => {
    killAfter -= 1;
    if (killAfter === 0) victim?.process.kill('SIGKILL');
  });
  const expected = new MemoryStore();
  let killed = 0;
  // On a busy machine some servers are ready before they are hit: then there are more rounds.
  for (let round = 0; round < crashes || (killed <= crashes / 3 && round < 10 * crashes); round += 1) {
    const local = await openSqlite(fallback);
    const counted = outage(round, 2500);
    await Promise.all([local.addCounts(counted), expected.addCounts(counted)]);
    await local.close();
    // There are three moves, and what was left.
    killAfter = 1 + pick(3);
    victim = start(process.execPath, args);
    const child = victim;
    const end = await Promise.race([
      child.exited,
      child.until(() => /listening on/.exec(child.stderr())?.[0], 'an end or a start').catch(() => undefined),
    ]);
    if (typeof end === 'object') killed += 1;
    await child.kill();
  }
  assert.ok(killed > crashes / 3, `killed on the way: ${killed}, seed ${seed}`);
  killAfter = Infinity;
  const last = await testServer(t, [`--db=${redis.url}`, `--db-fallback=${fallback}`]);
  await last.stop();
  const shared = await openRedisStore(redis.port);
  t.after(() => shared.close());
  assert.deepEqual(await countsOf(shared), await countsOf(expected), `seed ${seed}`);
});

test('a move that Redis has added, and whose answer was lost, is not added again', installed, async (t) => {
  const redis = await redisServer(t);
  const direct = await openRedisStore(redis.port);
  t.after(() => direct.close());
  // So that Redis knows the script.
  await direct.addCounts({ id: 'before', tallies: [], delays: [] });
  const proxy = await deafProxy(t, redis.port, ':moved:');
  const local = await openSqlite(`${await temporaryFolder(t)}/fallback.db`);
  const counted = outage(1, 20);
  await local.addCounts(counted);
  proxy.loseAnswers();
  const reasons: string[] = [];
  let isBack = false;
  const shared = await openRedisStore(proxy.port, { timeoutMs: 300 });
  const store = await withFallback(shared, local, {
    away: (reason) => reasons.push(reason),
    back: () => {
      isBack = true;
    },
  });
  t.after(() => store.close());
  assert.deepEqual([proxy.isDeaf(), reasons.length], [true, 1]);
  assert.match(reasons[0] ?? '', /has not answered/);
  const added = await countsOf(direct);
  assert.equal(added.length, 40);
  const attempt = { time: 7 * hour, exemption: 'recipient whitelist' } as const;
  await store.settle([attempt]);
  proxy.hear();
  await eventually(() => isBack || undefined, 'return');
  assert.deepEqual(await countsOf(direct), [`${7 * hour} recipient whitelist 1`, ...added].sort());
});

test('a move that Redis adds only after the server has given up is not added again', installed, async (t) => {
  const redis = await redisServer(t);
  const direct = await openRedisStore(redis.port);
  t.after(() => direct.close());
  // So that Redis knows the script.
  await direct.addCounts({ id: 'before', tallies: [], delays: [] });
  const local = await openSqlite(`${await temporaryFolder(t)}/fallback.db`);
  await local.addCounts(outage(1, 20));
  const move = await local.takeCounts(1000);
  assert.ok(move);
  const late = await openRedisStore(redis.port, { timeoutMs: 300 });
  redis.process.kill('SIGSTOP');
  await assert.rejects(late.addCounts(move), /has not answered/);
  await late.close();
  redis.process.kill('SIGCONT');
  const store = await withFallback(await openRedisStore(redis.port), local, {
    away: () => undefined,
    back: () => undefined,
  });
  t.after(() => store.close());
  assert.deepEqual(
    (await direct.tallies(0)).map(({ count }) => count),
    Array.from({ length: 20 }, () => 3),
  );
});

test(
  'a Redis that is gone again while it is told what was learned takes no pass back',
  installed,
  async (t) => {
    const redis = await redisServer(t);
    const proxy = await deafProxy(t, redis.port, ':awl:');
    const local = await openSqlite(`${await temporaryFolder(t)}/fallback.db`);
    const attempt = (time: number) => ({
      time,
      triplet: { client: '192.0.2.0', sender: 'a@s', recipient: 'b@r' },
      address: '192.0.2.5',
      rules: defaultSettings,
    });
    await local.settle([attempt(0), attempt(300)]);
    proxy.loseAnswers();
    const store = await withFallback(await openRedisStore(proxy.port, { timeoutMs: 300 }), local, {
      away: () => undefined,
      back: () => undefined,
    });
    t.after(() => store.close());
    assert.equal(proxy.isDeaf(), true);
    assert.deepEqual(
      (await store.settle([attempt(400)])).map(({ reason }) => reason),
      ['triplet found'],
    );
  },
);

/** What a client has seen of one triplet. */
interface Seen {
  /** Epoch seconds. */
  first: number;
  hasPassed: boolean;
}

/** Asks again and again, for as long as there is time; counts every answer. */
async function askOn(
  client: PolicyClient,
  pick: (below: number) => number,
  isOver: () => boolean,
  heard: (sender: string, askedAt: number, isPass: boolean) => void,
): Promise<void> {
  while (!isOver()) {
    const sender = `s${pick(60)}@example.com`;
    const askedAt = Math.floor(Date.now() / 1000);
    const action = await client.ask(request({ sender, instance: String(pick(2 ** 30)) }));
    heard(sender, askedAt, !action.startsWith('DEFER_IF_PERMIT'));
  }
}

test(
  'three servers whose fallbacks come and go lose no entry and count every answer once',
  installed,
  async (t) => {
    const { pick, seed } = random();
    const redis = await redisServer(t);
    const folder = await temporaryFolder(t);
    const fallbacks = [1, 2, 3].map((number) => `${folder}/fallback${number}.db`);
    const settings = [`--db=${redis.url}`, '--delay=1', '--auto-whitelist-clients=0'];
    const startOn = (file: string) => testServer(t, [...settings, `--db-fallback=${file}`]);
    const running = await Promise.all(fallbacks.map(startOn));
    const clients = await Promise.all(running.flatMap((server) => [server.client(), server.client()]));
    const seen = new Map<string, Seen>();
    const verdicts = { pass: 0, greylist: 0 };
    const answers = clients.map(() => 0);
    let isOver = false;
    const asking = Promise.all(
      clients.map((client, at) =>
        askOn(
          client,
          pick,
          () => isOver,
          (sender, askedAt, isPass) => {
            verdicts[isPass ? 'pass' : 'greylist'] += 1;
            answers[at] = (answers[at] ?? 0) + 1;
            const known = seen.get(sender) ?? { first: askedAt, hasPassed: false };
            seen.set(sender, { first: Math.min(known.first, askedAt), hasPassed: known.hasPassed || isPass });
          },
        ),
      ),
    );
    // Redis refuses what is to be written, so that it is known which attempts it has settled.
    for (let outages = 0; outages < 3; outages += 1) {
      await redis.cli('CONFIG', 'SET', 'maxmemory', '1');
      const before = [...answers];
      await eventually(
        () => answers.every((count, at) => count > (before[at] ?? 0) + 2) || undefined,
        'answers of all servers without Redis',
      );
      await redis.cli('CONFIG', 'SET', 'maxmemory', '0');
      for (const server of running) await server.expectStderr(manyTimes(/the database is back/, outages + 1));
    }
    isOver = true;
    await asking;
    for (const server of running) {
      assert.match(server.stderr(), /greylisting goes by/);
      await server.stop();
    }
    // What came last may not have been merged yet.
    for (const file of fallbacks) await (await startOn(file)).stop();
    for (const file of fallbacks) {
      const local = await openSqlite(file);
      const left = [await local.takeCounts(1), (await local.entries({}, 1)).found[0]];
      await local.close();
      assert.deepEqual(left, [undefined, undefined], `left behind, seed ${seed}`);
    }
    const store = await openRedisStore(redis.port);
    t.after(() => store.close());
    const counted = { pass: 0, greylist: 0 };
    for (const { verdict, count } of await store.tallies(0)) counted[verdict] += count;
    assert.deepEqual(counted, verdicts, `seed ${seed}`);
    let entries = 0;
    for await (const { triplet, firstSeen, passedAt } of allEntries(store, {})) {
      const known = seen.get(triplet.sender);
      assert.ok(
        known && Math.abs(firstSeen - known.first) <= 1,
        `first seen of ${triplet.sender}, seed ${seed}`,
      );
      assert.equal(passedAt !== undefined, known.hasPassed, `${triplet.sender}, seed ${seed}`);
      entries += 1;
    }
    assert.equal(entries, seen.size);
  },
);

/** Matches a text in which `pattern` is found so often. */
function manyTimes({ source }: RegExp, times: number): RegExp {
  return new RegExp(`(?:${source}[^]*){${times}}`);
}
