/** Merging into Redis is done in steps; what a step that failed leaves behind can be found. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { needs } from '../../support/programs.js';
import { openRedisStore, redisServer } from '../../support/redis.js';

const installed = needs('redis-server', 'redis-cli');
const hourSeconds = 3600;

test('counts of a merge that broke off are seen, and forgotten like others', installed, async (t) => {
  const redis = await redisServer(t);
  const store = await openRedisStore(redis.port);
  t.after(() => store.close());
  const tallies = Array.from(
    { length: 3000 },
    (_, hour) => ({ hour: hour * hourSeconds, verdict: 'greylist', reason: 'new', count: 7 }) as const,
  );
  const obstacle = `greyctl:{site}:hour:${2500 * hourSeconds}`;
  await redis.cli('SET', obstacle, 'not a hash');
  await assert.rejects(store.merge([], [], { listed: [], windows: [], tallies, delays: [] }));
  await redis.cli('DEL', obstacle);

  const kept = (await redis.cli('KEYS', 'greyctl:{site}:hour:*')).trim().split('\n');
  const seen = await store.tallies(0);
  assert.ok(kept.length > 100, 'some were merged before');
  assert.equal(seen.length, kept.length);
  while (!(await store.forgetTallies(tallies.length * hourSeconds, 1000)).done);
  assert.equal((await redis.cli('KEYS', 'greyctl:{site}:hour:*')).trim(), '');
});
