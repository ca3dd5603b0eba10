/** `db copy`: from one server to many and back, while mail flows, and nothing is lost or made up. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allClients, allEntries, type Store } from '#src/greylist/store.js';
import { openSqlite } from '#src/store/sqlite/client.js';
import { run } from '../support/greyctl.js';
import { request } from '../support/policy-client.js';
import { needs } from '../support/programs.js';
import { random } from '../support/random.js';
import { openRedisStore, redisServer } from '../support/redis.js';
import { testServer } from '../support/server.js';

async function everything(store: Store) {
  const found: string[] = [];
  const put = (type: string, value: object) =>
    found.push(
      `${type} ${JSON.stringify(
        Object.entries(value)
          .filter(([name, part]) => name !== 'id' && part !== undefined)
          .sort(),
      )}`,
    );
  for await (const entry of allEntries(store, {})) put('entry', entry);
  for await (const client of allClients(store)) put('awl', client);
  for (const window of await store.windows()) put('window', window);
  for (const listed of await store.listed()) put('listed', listed);
  const tallies = await store.tallies(0);
  for (const tally of tallies) put('tally', tally);
  for (const delay of await store.hourlyDelays()) put('delay', delay);
  await store.close();
  return found.sort();
}

test(
  'copies a database into Redis while its server works, and back again, exactly',
  needs('redis-server', 'redis-cli'),
  async (t) => {
    const { pick, seed } = random();
    const redis = await redisServer(t);
    const server = await testServer(t, ['--delay=1', '--auto-whitelist-clients=9']);
    const clients = [await server.client(), await server.client(), await server.client()];
    const copy = (from: string, to: string) => run(['db', 'copy', from, to]);
    let isOver = false;
    let asked = 0;
    const traffic = clients.map(async (client) => {
      while (!isOver || asked < 3000) {
        asked += 1;
        const network = pick(50);
        await client.ask(
          request({ client_address: `10.0.${network}.${pick(3)}`, sender: `s${pick(60)}@example.com` }),
        );
      }
    });
    const during = await copy(server.db, redis.url);
    assert.equal(during.status, 0, during.stderr);
    assert.match(during.stdout, /^read [\d,]+ entries.*were new/);
    isOver = true;
    await Promise.all(traffic);
    await run(['whitelist', 'add', 'example.net', '--comment', 'friends', `--db=${server.db}`]);
    await run(['db', 'release', '--recipient', 'bob@example.org', '--for', '1h', `--db=${server.db}`]);
    await server.stop();

    const atOnce = await Promise.all([1, 2, 3].map(() => copy(server.db, redis.url)));
    assert.deepEqual(
      atOnce.map(({ status }) => status),
      [0, 0, 0],
    );
    assert.match((await copy(server.db, redis.url)).stdout, /; 0 were new, 0 changed/);
    const original = await everything(await openSqlite(server.db));
    assert.ok(original.length > 1000, String(original.length));
    assert.deepEqual(await everything(await openRedisStore(redis.port)), original, `seed ${seed}`);

    const back = `${server.folder}/back.db`;
    assert.equal((await copy(redis.url, back)).status, 0);
    assert.deepEqual(await everything(await openSqlite(back)), original, `seed ${seed}`);
  },
);

test('refuses what cannot be copied', async () => {
  const same = await run(['db', 'copy', '/tmp/a.db', '/tmp/../tmp/a.db']);
  assert.deepEqual([same.status, same.stderr.split('\n')[0]], [2, 'greyctl: both are the same database']);
  const none = await run(['db', 'copy', '/nonexistent/a.db', '/tmp/b.db']);
  assert.deepEqual([none.status, none.stderr], [1, 'greyctl: there is no database /nonexistent/a.db\n']);
  const wrong = await run(['db', 'copy', 'redis://u:s3cret@', '/tmp/b.db']);
  assert.equal(wrong.status, 2);
  assert.doesNotMatch(wrong.stderr, /s3cret/);
});
