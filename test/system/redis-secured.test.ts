/** Redis behind Sentinel, and as a cluster, with passwords and TLS all the way: greyctl goes on when a master dies. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { test, type TestContext } from 'node:test';
import { certificatesIn } from '../support/certificates.js';
import { eventually } from '../support/deadline.js';
import { run } from '../support/greyctl.js';
import { request } from '../support/policy-client.js';
import { needs } from '../support/programs.js';
import { guardedRedis, redisCluster, type Access, type RedisServer } from '../support/redis.js';
import { testServer } from '../support/server.js';
import { temporaryFolder } from '../support/temporary.js';

const installed = needs('redis-server', 'redis-cli', 'openssl');
const password = 's3cret/of-redis';

/** A greyctl on this database, which it is let into as `access` says. */
async function greyctlOn(t: TestContext, url: string, access: Access) {
  const file = `${await temporaryFolder(t)}/password`;
  const { sentinelPassword, certificates } = access;
  writeFileSync(file, [access.password ?? '', sentinelPassword ?? '', ''].join('\n'));
  const args = [`--db=${url}`, `--db-password-file=${file}`];
  if (certificates) args.push(`--db-tls-ca=${certificates.authority}`);
  const server = await testServer(t, args);
  const client = await server.client();
  let asked = 0;
  /** Asks about one that was never seen, of another network each time. */
  const askAnew = () => {
    asked += 1;
    return client.ask(request({ sender: `s${asked}@example.com`, client_address: `10.${asked % 250}.2.3` }));
  };
  const greylists = async (times: number) => {
    let row = 0;
    await eventually(async () => {
      row = (await askAnew()).startsWith('DEFER') ? row + 1 : 0;
      return row >= times ? true : undefined;
    }, 'greylisting');
  };
  return { args, greylists };
}

/** Waits until a replica has all its master has, kills the master, and waits until that replica has taken its place. */
async function failOver(master: RedisServer, replica: RedisServer): Promise<void> {
  const size = await master.cli('DBSIZE');
  assert.ok(Number(size) > 3, size);
  await eventually(async () => ((await replica.cli('DBSIZE')) === size ? true : undefined), 'a full replica');
  await master.kill();
  await eventually(
    async () => ((await replica.cli('ROLE')).startsWith('master') ? true : undefined),
    'another master',
  );
}

const accesses: Readonly<Record<string, (folder: string) => Access>> = {
  'a password': () => ({ password }),
  'the same password for Sentinel': () => ({ password, sentinelPassword: password }),
  'TLS and another password for Sentinel': (folder) => ({
    ...{ password, sentinelPassword: 'other', certificates: certificatesIn(folder) },
  }),
};

for (const [name, accessIn] of Object.entries(accesses)) {
  test(`behind a Sentinel, with ${name}, greylisting goes on when the master dies`, installed, async (t) => {
    const access = accessIn(await temporaryFolder(t));
    const { servers, url } = await guardedRedis(t, access);
    const [master, replica] = servers;
    assert.ok(master && replica);
    const { args, greylists } = await greyctlOn(t, url, access);
    await greylists(3);
    await failOver(master, replica);
    await greylists(3);
    const listed = await run(['db', 'list', '--json', ...args]);
    assert.equal(listed.status, 0, listed.stderr);
    assert.match(listed.stdout, /s1@example\.com/);
  });
}

test('a Sentinel that refuses the password says so', installed, async (t) => {
  const { url, sentinel } = await guardedRedis(t, { password, sentinelPassword: 'other' });
  const file = `${await temporaryFolder(t)}/password`;
  writeFileSync(file, `${password}\n`);
  const refused = await run(['db', 'info', `--db=${url}`, `--db-password-file=${file}`]);
  assert.deepEqual(
    [refused.status, refused.stderr],
    [
      1,
      `greyctl: cannot use the database ${url}: the Sentinel 127.0.0.1:${sentinel.port} refuses this user or password\n` +
        'Try: put the password of the Sentinels in the second line of the file that --db-password-file names\n',
    ],
  );
});

test('a Sentinel that knows no such master is named', installed, async (t) => {
  const { url, sentinel } = await guardedRedis(t);
  const other = url.replace(/site$/, 'other');
  assert.equal(
    (await run(['db', 'info', `--db=${other}`])).stderr,
    `greyctl: cannot use the database ${other}: the Sentinel 127.0.0.1:${sentinel.port} knows no master "other"\n`,
  );
});

test('a cluster with TLS and a password serves, and goes on when a master dies', installed, async (t) => {
  const access = { password, certificates: certificatesIn(await temporaryFolder(t)) };
  const { nodes, url } = await redisCluster(t, access, 1);
  const [master, , , replica] = nodes;
  assert.ok(master && replica);
  const { args, greylists } = await greyctlOn(t, url, access);
  await greylists(20);
  await failOver(master, replica);
  await greylists(20);
  const listed = await run(['db', 'list', '--json', ...args]);
  assert.equal(listed.status, 0, listed.stderr);
  assert.match(listed.stdout, /s1@example\.com/);
});
