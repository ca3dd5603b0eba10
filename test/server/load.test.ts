import assert from 'node:assert/strict';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { knownTriplets, startLoaders, type Loaders } from '../bench/loaders.js';
import { startServer } from '../bench/running.js';
import { nullServer } from '../bench/servers.js';
import { testServer } from '../support/server.js';
import { temporaryFolder } from '../support/temporary.js';

function loaders(t: TestContext): Loaders {
  const started = startLoaders();
  t.after(() => started.stop());
  return started;
}

test('the load generator asks as often as it is told, over all connections, and tells right answers from wrong ones', async (t) => {
  const { run, askKnown } = loaders(t);
  const { endpoint } = await testServer(t, ['--quiet']);
  const load = { endpoint, connections: 7, seconds: Infinity, questions: 1000 };

  const fresh = await run({ ...load, newOfTen: 10 });
  assert.deepEqual([fresh.answers, fresh.wrong, fresh.passed], [1000, 0, 0]);
  const mixed = await run({ ...load, newOfTen: 7 });
  assert.deepEqual([mixed.answers, mixed.wrong], [1000, 300], 'no known triplet has passed yet');
  const known = await askKnown(endpoint);
  assert.deepEqual([known.answers, known.wrong], [knownTriplets, knownTriplets]);
  assert.ok(fresh.p50Milliseconds <= fresh.p99Milliseconds, 'quantiles are in order');
  assert.ok(fresh.p99Milliseconds <= fresh.maxMilliseconds * 1.016, 'and below the longest answer');
});

test('the server that decides nothing lets everything pass, on a unix socket too', async (t) => {
  const { run } = loaders(t);
  const folder = await temporaryFolder(t);
  const listen = path.join(folder, 'socket');
  const server = await startServer(nullServer.program({ folder, listen }), `unix:${listen}`);
  t.after(() => server.stop());
  const load = { endpoint: server.endpoint, connections: 3, newOfTen: 7, seconds: Infinity } as const;
  const { answers, passed, wrong } = await run({ ...load, questions: 500 });
  assert.deepEqual([answers, passed, wrong], [500, 500, 350]);
});

test('a server that is not there is an error that names it', async (t) => {
  const { run } = loaders(t);
  const folder = await temporaryFolder(t);
  const load = { endpoint: `unix:${folder}/none`, connections: 2, newOfTen: 7, seconds: 1 } as const;
  await assert.rejects(run(load), /^Error: load on unix:.*\/none: connect ENOENT/);
});
