/** Redis behind Sentinel, and as a cluster. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultSettings } from '#src/greylist/settings.js';
import { allClients, allEntries } from '#src/greylist/store.js';
import { MemoryStore } from '#src/store/memory.js';
import { openRedis } from '#src/store/redis/store.js';
import { eventually } from '../support/deadline.js';
import { request } from '../support/policy-client.js';
import { needs } from '../support/programs.js';
import { random } from '../support/random.js';
import { guardedRedis, redisCluster, type RedisCluster } from '../support/redis.js';
import { testServer } from '../support/server.js';

const installed = needs('redis-server', 'redis-cli');

test(
  'when the master dies, the one that Sentinel chooses goes on with what it knows',
  installed,
  async (t) => {
    const { servers, url } = await guardedRedis(t);
    const [master, replica] = servers;
    assert.ok(master && replica);
    const server = await testServer(t, [`--db=${url}`]);
    const client = await server.client();
    const ask = (sender: string) => client.ask(request({ sender }));
    await eventually(
      async () => ((await ask('alice@example.com')).startsWith('DEFER') ? true : undefined),
      'greylisting',
    );
    await eventually(
      async () => ((await replica.cli('--scan', '--pattern', '*alice*')) !== '' ? true : undefined),
      'the entry at the replica',
    );
    await master.kill();
    assert.equal(await ask('bob@example.com'), 'DUNNO');
    await eventually(
      async () => ((await ask('carol@example.com')).startsWith('DEFER') ? true : undefined),
      'greylisting',
    );
    assert.match(await replica.cli('ROLE'), /^master/);
    assert.match(await replica.cli('--scan', '--pattern', '*alice*'), /alice/);
    // What has passed for want of a database is counted in the new master.
    await eventually(async () => {
      await ask('dave@example.com');
      const hour = (await replica.cli('--scan', '--pattern', '*:hour:*')).split('\n')[0] ?? '';
      return (await replica.cli('HGET', hour, 'pass store unavailable')) !== '' ? true : undefined;
    }, 'the count');
  },
);

function openCluster({ nodes }: RedisCluster) {
  return openRedis({
    address: {
      ...{ kind: 'cluster', database: 0, isTls: false, prefix: 'greyctl' },
      hosts: nodes.map(({ port }) => ({ host: '127.0.0.1', port })),
    },
    location: 'redis+cluster://test',
    timeoutMs: 10_000,
    rules: defaultSettings,
    now: () => 1_800_000_000,
  });
}

test(
  'a cluster shares the keys among its nodes, and answers and remembers as one server',
  installed,
  async (t) => {
    const { pick, seed } = random();
    const cluster = await redisCluster(t);
    const store = await openCluster(cluster);
    t.after(() => store.close());
    const model = new MemoryStore();
    for (let time = 1_800_000_000; time < 1_800_020_000; time += 100) {
      const attempts = Array.from({ length: 30 }, () => {
        const network = pick(40);
        // Some by the name of their domain, whose records lie elsewhere.
        const client = network < 5 ? `domain${network}.example` : `10.${network}.1.0`;
        const triplet = { client, sender: `s${pick(10)}@example.com`, recipient: 'bob@example.org' };
        return { time, triplet, address: `10.${network}.1.${pick(2)}`, rules: defaultSettings };
      });
      const more = { time, exemption: 'authenticated' } as const;
      assert.deepEqual(
        await store.settle([more, ...attempts]),
        await model.settle([more, ...attempts]),
        `seed ${seed}`,
      );
    }
    const everything = async (of: typeof model | typeof store) => {
      const found: string[] = [];
      for await (const { triplet, ...entry } of allEntries(of, {}))
        found.push(JSON.stringify([Object.values(triplet), Object.entries(entry).sort()]));
      for await (const client of allClients(of)) found.push(JSON.stringify(Object.entries(client).sort()));
      for (const tally of await of.tallies(0)) found.push(JSON.stringify(Object.entries(tally).sort()));
      return found.sort();
    };
    assert.deepEqual(await everything(store), await everything(model), `seed ${seed}`);
    for (const node of cluster.nodes)
      assert.ok(Number(await node.cli('DBSIZE')) > 20, 'every node has a share');
    assert.equal((await store.info()).waiting, (await model.info()).waiting);
    let removed = 0;
    for (let isDone = false; !isDone;) {
      const step = await store.purge(1_900_000_000, defaultSettings, 100);
      removed += step.removed;
      isDone = step.done;
    }
    assert.ok(removed > 100);
    assert.equal((await store.info()).waiting, 0);
  },
);

test('three servers at a cluster count every attempt once', installed, async (t) => {
  const { pick, seed } = random();
  const cluster = await redisCluster(t);
  const stores = await Promise.all([openCluster(cluster), openCluster(cluster), openCluster(cluster)]);
  t.after(() => Promise.all(stores.map((store) => store.close())));
  const asked = new Map<string, { first: number; count: number }>();
  await Promise.all(
    stores.map(async (store) => {
      for (let step = 0; step < 100; step += 1) {
        const time = 1_800_000_000 + step * 10 + pick(5);
        const attempts = Array.from({ length: 20 }, () => {
          const sender = `s${pick(200)}@example.com`;
          const known = asked.get(sender) ?? { first: time, count: 0 };
          asked.set(sender, { first: Math.min(known.first, time), count: known.count + 1 });
          const triplet = { client: `10.${sender.length}.1.0`, sender, recipient: 'bob@example.org' };
          return {
            time,
            triplet,
            address: `10.${sender.length}.1.1`,
            rules: { ...defaultSettings, awlClients: 0 },
          };
        });
        await store.settle(attempts);
      }
    }),
  );
  const [store] = stores;
  assert.ok(store);
  for await (const { triplet, firstSeen, deferrals, passes } of allEntries(store, {}))
    assert.deepEqual(
      { first: firstSeen, count: deferrals + passes },
      asked.get(triplet.sender),
      `seed ${seed}`,
    );
  assert.equal(
    (await store.tallies(0)).reduce((sum, { count }) => sum + count, 0),
    6000,
  );
});

test(
  'when a node of the cluster is away mail passes, and greylisting comes back with it',
  installed,
  async (t) => {
    const cluster = await redisCluster(t);
    const server = await testServer(t, [`--db=${cluster.url}`]);
    const client = await server.client();
    let number = 0;
    const ask = () =>
      client.ask(
        request({ client_address: `10.${(number += 1) % 250}.2.3`, sender: `s${number}@example.com` }),
      );
    await eventually(async () => ((await ask()).startsWith('DEFER') ? true : undefined), 'greylisting');
    for (const node of cluster.nodes) node.process.kill('SIGSTOP');
    for (let count = 0; count < 5; count += 1) assert.equal(await ask(), 'DUNNO');
    for (const node of cluster.nodes) node.process.kill('SIGCONT');
    let row = 0;
    await eventually(async () => {
      row = (await ask()).startsWith('DEFER') ? row + 1 : 0;
      return row > 20 ? true : undefined;
    }, 'greylisting at every node');
    assert.equal(server.stderr().match(/greylisting is suspended/g)?.length, 1);
  },
);
