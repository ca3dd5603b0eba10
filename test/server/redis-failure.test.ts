/** Whatever happens to Redis, mail flows, the operator is told once, what passed for it is counted, and greylisting comes back by itself. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { eventually } from '../support/deadline.js';
import { freePort } from '../support/free-port.js';
import { request, type PolicyClient } from '../support/policy-client.js';
import { needs } from '../support/programs.js';
import { openRedisStore, redisServer, type RedisServer } from '../support/redis.js';
import { testServer } from '../support/server.js';

const installed = needs('redis-server', 'redis-cli');

let lastSender = 0;

/** Asks for a triplet never seen before: where greylisting works, it is deferred. */
function askAnew(client: PolicyClient): Promise<string> {
  lastSender += 1;
  return client.ask(request({ sender: `stranger${lastSender}@example.com` }));
}

function greylists(client: PolicyClient): Promise<true> {
  return eventually(
    async () => ((await askAnew(client)).startsWith('DEFER_IF_PERMIT') ? true : undefined),
    'greylisting',
  );
}

async function unavailable(port: number): Promise<number> {
  const store = await openRedisStore(port);
  const tallies = await store.tallies(0);
  await store.close();
  return tallies
    .filter(({ reason }) => reason === 'store unavailable')
    .reduce((sum, { count }) => sum + count, 0);
}

interface Trouble {
  readonly name: string;
  readonly begin: (redis: RedisServer) => Promise<unknown>;
  readonly end: (redis: RedisServer) => Promise<unknown>;
  readonly says: RegExp;
}

const troubles: readonly Trouble[] = [
  {
    name: 'does not answer',
    begin: (redis) => Promise.resolve(redis.process.kill('SIGSTOP')),
    end: (redis) => Promise.resolve(redis.process.kill('SIGCONT')),
    says: /has not answered for/,
  },
  {
    name: 'is a replica',
    begin: (redis) => redis.cli('REPLICAOF', '127.0.0.1', '1'),
    end: (redis) => redis.cli('REPLICAOF', 'NO', 'ONE'),
    says: /it may not be written: it is a replica/,
  },
  {
    name: 'has no memory left',
    begin: (redis) => redis.cli('CONFIG', 'SET', 'maxmemory', '1'),
    end: (redis) => redis.cli('CONFIG', 'SET', 'maxmemory', '0'),
    says: /its memory is full \(maxmemory\)/,
  },
  {
    name: 'holds something else under our key',
    begin: async (redis) => {
      const hour = (await redis.cli('--scan', '--pattern', '*:hour:*')).split('\n')[0] ?? '';
      await redis.cli('DEL', hour);
      return redis.cli('LPUSH', hour, 'x');
    },
    end: async (redis) =>
      redis.cli('DEL', (await redis.cli('--scan', '--pattern', '*:hour:*')).split('\n')[0] ?? ''),
    says: /what greyctl did not write is in the key greyctl:\{site\}:hour:\d+/,
  },
  {
    name: 'refuses us',
    begin: async (redis) => {
      await redis.cli('CONFIG', 'SET', 'requirepass', 'other');
      return redis.cli('-a', 'other', '--no-auth-warning', 'CLIENT', 'KILL', 'TYPE', 'normal');
    },
    end: (redis) => redis.cli('-a', 'other', '--no-auth-warning', 'CONFIG', 'SET', 'requirepass', ''),
    // A connection that is cut is said first, where mail is on its way.
    says: /it refuses this user or password|Socket closed unexpectedly/,
  },
];

for (const { name, begin, end, says } of troubles) {
  test(`a Redis that ${name}: mail passes, one warning, and greylisting comes back`, installed, async (t) => {
    const redis = await redisServer(t);
    const server = await testServer(t, [`--db=${redis.url}`]);
    const client = await server.client();
    await greylists(client);
    await begin(redis);
    for (let count = 0; count < 20; count += 1) assert.equal(await askAnew(client), 'DUNNO');
    await server.expectStderr(says);
    await end(redis);
    await greylists(client);
    const said = /greylisting is suspended|not followed|cannot clean/g;
    assert.deepEqual(server.stderr().match(said), ['greylisting is suspended']);
    await eventually(
      async () => ((await unavailable(redis.port)) >= 20 ? true : (await greylists(client), undefined)),
      'count of what passed',
    );
  });
}

async function restarted(t: TestContext, redis: RedisServer): Promise<RedisServer> {
  await redis.kill();
  return redisServer(t, [], redis.port);
}

test('a Redis that is restarted empty: nothing stops, and greylisting begins anew', installed, async (t) => {
  const redis = await redisServer(t);
  const servers = [await testServer(t, [`--db=${redis.url}`]), await testServer(t, [`--db=${redis.url}`])];
  const clients = await Promise.all(servers.map((server) => server.client()));
  for (const client of clients) await greylists(client);
  const again = await restarted(t, redis);
  for (const client of clients) await greylists(client);
  // Each server has one connection, however long Redis was away.
  const connections = (await again.cli('CLIENT', 'LIST'))
    .split('\n')
    .filter((line) => line.includes('name=greyctl '));
  assert.equal(connections.length, servers.length);
});

test('a server starts while Redis is away, and greylists when it is there', installed, async (t) => {
  const port = await freePort();
  const server = await testServer(t, [`--db=redis://127.0.0.1:${port}`]);
  const client = await server.client();
  assert.equal(await askAnew(client), 'DUNNO');
  await redisServer(t, [], port);
  await greylists(client);
});
