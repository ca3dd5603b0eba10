/** `--db-fallback`: while Redis is away greylisting goes on, and what was learned meanwhile is not lost. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allEntries } from '#src/greylist/store.js';
import { openSqlite } from '#src/store/sqlite/client.js';
import { eventually } from '../support/deadline.js';
import { request } from '../support/policy-client.js';
import { needs } from '../support/programs.js';
import { openRedisStore, redisServer } from '../support/redis.js';
import { testServer } from '../support/server.js';
import { temporaryFolder } from '../support/temporary.js';

test(
  'an outage of Redis is no open door, and what passed in it stays passed at every server',
  needs('redis-server', 'redis-cli'),
  async (t) => {
    const redis = await redisServer(t);
    const folder = await temporaryFolder(t);
    const fallback = `${folder}/fallback.db`;
    const args = [`--db=${redis.url}`, '--delay=1', '--auto-whitelist-clients=0'];
    const server = await testServer(t, [...args, `--db-fallback=${fallback}`]);
    const client = await server.client();
    let asked = 0;
    const ask = (sender: string) => {
      asked += 1;
      return client.ask(request({ sender, instance: String(asked) }));
    };
    const isDeferred = (action: string) => action.startsWith('DEFER_IF_PERMIT');
    assert.ok(isDeferred(await ask('before@example.com')));

    redis.process.kill('SIGSTOP');
    assert.ok(isDeferred(await ask('during@example.com')), 'greylisted without Redis');
    await server.expectStderr(/greylisting goes by .*fallback\.db for now: .*has not answered for 0\.8 s/);
    await eventually(
      async () => (isDeferred(await ask('during@example.com')) ? undefined : true),
      'pass in the outage',
    );
    assert.ok(isDeferred(await ask('waiting@example.com')));
    redis.process.kill('SIGCONT');
    await server.expectStderr(/the database is back; merged 2 entries/);

    const other = await (await testServer(t, args)).client();
    assert.equal(isDeferred(await other.ask(request({ sender: 'during@example.com' }))), false);
    asked += 1;
    const store = await openRedisStore(redis.port);
    t.after(() => store.close());
    const senders: string[] = [];
    for await (const { triplet } of allEntries(store, {})) senders.push(triplet.sender);
    assert.deepEqual(senders.sort(), ['before@example.com', 'during@example.com', 'waiting@example.com']);
    const counted = (await store.tallies(0)).reduce((sum, { count }) => sum + count, 0);
    // The one that Redis had already been given when it stopped counts there, too.
    assert.ok(counted === asked || counted === asked + 1, `${counted} of ${asked}`);
    await server.stop();
    const left = await openSqlite(fallback);
    t.after(() => left.close());
    assert.equal((await left.info()).waiting + (await left.info()).passed, 0);
  },
);

test(
  'what a killed server could not merge is merged by the next',
  needs('redis-server', 'redis-cli'),
  async (t) => {
    const redis = await redisServer(t);
    const folder = await temporaryFolder(t);
    const args = [`--db=${redis.url}`, `--db-fallback=${folder}/fallback.db`];
    await redis.kill();
    const first = await testServer(t, args);
    assert.match(
      await (await first.client()).ask(request({ sender: 'alice@example.com' })),
      /^DEFER_IF_PERMIT/,
    );
    await first.kill();
    const again = await redisServer(t, [], redis.port);
    const second = await testServer(t, args);
    await second.expectStderr(/merged 1 entry/);
    assert.match(await again.cli('--scan', '--pattern', '*alice*'), /alice@example\.com/);
  },
);
