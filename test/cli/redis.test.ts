/** Every command on a shared database, and how its password is kept. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { test, type TestContext } from 'node:test';
import { certificatesIn } from '../support/certificates.js';
import { eventually } from '../support/deadline.js';
import { fakeRedis } from '../support/fake-redis.js';
import { run, type Result } from '../support/greyctl.js';
import { request } from '../support/policy-client.js';
import { needs } from '../support/programs.js';
import { redisServer } from '../support/redis.js';
import { testServer } from '../support/server.js';
import { temporaryFolder } from '../support/temporary.js';

const installed = needs('redis-server', 'redis-cli');

function json(result: Result): unknown {
  assert.equal(result.status, 0, result.stderr);
  return result.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
}

/** A server on a Redis of its own, with two triplets: one waits, one has passed. */
async function inhabited(t: TestContext) {
  const redis = await redisServer(t);
  const server = await testServer(t, [`--db=${redis.url}`, '--delay=1']);
  const client = await server.client();
  const passing = request({ sender: 'passed@example.com' });
  assert.match(await client.ask(request({ sender: 'waiting@example.com' })), /DEFER_IF_PERMIT/);
  await client.ask(passing);
  await eventually(
    async () => (/^PREPEND|DUNNO/.test(await client.ask(passing)) ? true : undefined),
    'pass after the delay',
  );
  const greyctl = (...args: string[]) => run([...args, `--db=${redis.url}`]);
  return { redis, server, client, greyctl };
}

test(
  'list, show, release, forget, purge, export and stats work on a shared database',
  installed,
  async (t) => {
    const { greyctl, client } = await inhabited(t);
    const listed = (await greyctl('db', 'list', '--json')).stdout.trim().split('\n');
    assert.equal(listed.length, 2);
    assert.match((await greyctl('db', 'list', '--state', 'passed')).stdout, /passed@example\.com/);
    const triplet = [
      '--client',
      '192.0.2.5',
      '--sender',
      'waiting@example.com',
      '--recipient',
      'bob@example.org',
    ];
    assert.match((await greyctl('db', 'show', ...triplet)).stdout, /waiting/);
    assert.match((await greyctl('explain', ...triplet)).stdout, /early-retry.*\n/);
    const [info] = json(await greyctl('db', 'info', '--json')) as Record<string, unknown>[];
    assert.deepEqual([info?.['engine'], info?.['entries']], ['redis', { waiting: 1, passed: 1 }]);
    assert.match((await greyctl('stats')).stdout, /3 attempts|[4-9] attempts|\d\d attempts/);
    assert.match((await greyctl('db', 'check')).stdout, /is healthy/);
    const exported = (await greyctl('db', 'export')).stdout;
    assert.equal(exported.match(/"type":"entry"/g)?.length, 2);
    assert.equal((await greyctl('db', 'release', ...triplet)).status, 0);
    assert.match(await client.ask(request({ sender: 'waiting@example.com' })), /DUNNO|PREPEND/);
    assert.match((await greyctl('db', 'forget', 'passed@example.com')).stdout, /forgot 1 entry as sender/);
    assert.match(
      (await greyctl('db', 'purge', '--yes', '--sender', 'waiting@example.com')).stdout,
      /removed 1/,
    );
    const folder = await temporaryFolder(t);
    writeFileSync(`${folder}/export`, exported);
    assert.match((await greyctl('db', 'import', `${folder}/export`)).stdout, /read 2 entries.*2 were new/);
    const backup = await greyctl('db', 'backup', `${folder}/backup`);
    assert.equal(backup.status, 0, backup.stderr);
    assert.equal(readFileSync(`${folder}/backup`, 'utf8').match(/"type":"entry"/g)?.length, 2);
    assert.deepEqual(
      [(await greyctl('db', 'vacuum')).status, (await greyctl('doctor')).status !== 70],
      [2, true],
    );
  },
);

test('a whitelist entry is in force at every server within two seconds', installed, async (t) => {
  const { redis, greyctl, client } = await inhabited(t);
  const other = await testServer(t, [`--db=${redis.url}`]);
  const clients = [client, await other.client()];
  assert.equal((await greyctl('whitelist', 'add', 'sender', 'friend@example.net')).status, 0);
  const added = performance.now();
  for (const each of clients)
    await eventually(
      async () =>
        (await each.ask(request({ sender: 'friend@example.net' }))) === 'DUNNO' ? true : undefined,
      'pass for a whitelisted sender',
    );
  assert.ok(performance.now() - added < 4000, 'followed');
  assert.match((await greyctl('whitelist', 'list')).stdout, /friend@example\.net/);
  assert.equal((await greyctl('whitelist', 'remove', 'sender', 'friend@example.net')).status, 0);
});

test('the password comes from a file or the environment, and is seen nowhere', installed, async (t) => {
  const redis = await redisServer(t, ['--requirepass', 's3cret/@']);
  const folder = await temporaryFolder(t);
  writeFileSync(`${folder}/password`, 's3cret/@\n');
  const refused = await run(['db', 'info', `--db=${redis.url}`]);
  assert.deepEqual([refused.status, refused.stderr.includes('refuses this user or password')], [1, true]);
  assert.equal(
    (await run(['db', 'info', `--db=${redis.url}`, `--db-password-file=${folder}/password`])).status,
    0,
  );
  const environment = { GREYCTL_DB_PASSWORD: 's3cret/@' };
  assert.equal((await run(['db', 'info', `--db=${redis.url}`], { env: environment })).status, 0);
  const inUrl = `redis://:s3cret%2F%40@127.0.0.1:${redis.port}`;
  const server = await testServer(t, [`--db=${inUrl}`]);
  const commandLine = readFileSync(`/proc/${server.process.pid ?? 0}/cmdline`, 'latin1');
  const shown = await run(['config', 'show', `--db=${inUrl}`], { env: environment });
  for (const text of [commandLine, server.stderr(), shown.stdout]) {
    assert.doesNotMatch(text, /s3cret/);
    assert.match(text, /redis:\/\/:\*\*\*@127\.0\.0\.1/);
  }
});

test('the password file may be a pipe, whose second line Sentinels are told', async (t) => {
  const told: string[][] = [];
  const sentinel = await fakeRedis(t, ([name, ...rest]) => {
    if (name !== 'AUTH') return '-NOAUTH Authentication required.\r\n';
    told.push(rest);
    return '-WRONGPASS invalid username-password pair or user is disabled.\r\n';
  });
  const pipe = `${await temporaryFolder(t)}/password`;
  execFileSync('mkfifo', [pipe]);
  const db = `redis+sentinel://127.0.0.1:${sentinel.port}/site`;
  const [refused] = await Promise.all([
    run(['db', 'info', `--db=${db}`, `--db-password-file=${pipe}`]),
    writeFile(pipe, 'of-redis\nof-sentinels\n'),
  ]);
  assert.deepEqual(told, [['of-sentinels']]);
  assert.equal(
    refused.stderr,
    `greyctl: cannot use the database ${db}: the Sentinel 127.0.0.1:${sentinel.port} refuses this user or password\n` +
      'Try: put the password of the Sentinels in the second line of the file that --db-password-file names\n',
  );
});

test('a password file is read only where a line of it is needed', async () => {
  const read = async (host: string, env = {}) => {
    const args = ['db', 'info', `--db=${host}127.0.0.1:1/0`, '--db-password-file=/nonexistent/password'];
    const { status, stderr } = await run(args, { env });
    assert.match(stderr, status === 2 ? /cannot read the password file/ : /connection refused/);
    return status === 2;
  };
  const env = { GREYCTL_DB_PASSWORD: 'secret' };
  assert.deepEqual(
    [await read('redis://'), await read('redis://', env), await read('redis://:secret@')],
    [true, false, false],
  );
  assert.equal(await read('redis+sentinel://:secret@', env), true);
});

test(
  'TLS is checked against the certificates of the site',
  { ...installed, ...needs('openssl') },
  async (t) => {
    const folder = await temporaryFolder(t);
    const access = { certificates: certificatesIn(folder) };
    const { url } = await redisServer(t, [], undefined, access);
    const db = `--db=${url}`;
    const trusted = await run(['db', 'info', db, `--db-tls-ca=${access.certificates.authority}`]);
    assert.equal(trusted.status, 0, trusted.stderr);
    const unknown = await run(['db', 'info', db]);
    assert.equal(unknown.status, 1);
    assert.match(unknown.stderr, /certificate/);
  },
);

test('servers with another privacy key are refused', installed, async (t) => {
  const redis = await redisServer(t);
  const folder = await temporaryFolder(t);
  await testServer(t, [`--db=${redis.url}`]);
  const other = await run(['db', 'list', '--privacy', `--privacy-key=${folder}/key`, `--db=${redis.url}`]);
  assert.equal(other.status, 1);
  assert.match(other.stderr, /begun with another --privacy, or with another key/);
});
