import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { test, type TestContext } from 'node:test';
import { timestamp } from '#src/output/format.js';
import { environment } from '../support/background.js';
import { openSqlite } from '#src/store/sqlite/client.js';
import { damageTable } from '../support/damage.js';
import { repositoryRoot, run } from '../support/greyctl.js';
import { request, type PolicyClient } from '../support/policy-client.js';
import { testServer, type TestServer } from '../support/server.js';
import { temporaryFolder } from '../support/temporary.js';

interface Running {
  readonly server: TestServer;
  readonly client: PolicyClient;
  /** Runs `greyctl db WORDS` on the server's database: status, and both streams in one text. */
  readonly db: (...words: string[]) => Promise<string>;
  readonly json: (...words: string[]) => Promise<Record<string, unknown>[]>;
  /** The first word of the server's answer. */
  readonly ask: (sender: string, recipient?: string, address?: string) => Promise<string>;
}

async function running(t: TestContext, ...settings: string[]): Promise<Running> {
  const server = await testServer(t, ['--delay=600', ...settings]);
  const client = await server.client();
  const start = (words: string[]) => run(['db', ...words, `--db=${server.db}`, ...settings]);
  return {
    server,
    client,
    db: async (...words) => {
      const { status, stdout, stderr } = await start(words);
      return `${status ?? ''} ${stdout}${stderr}`;
    },
    json: async (...words) =>
      (await start([...words, '--json'])).stdout
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as Record<string, unknown>),
    ask: async (sender, recipient = 'bob@example.org', address = '192.0.2.5') => {
      const answer = await client.ask(request({ sender, recipient, client_address: address }));
      return answer.split(' ', 1)[0] ?? '';
    },
  };
}

test('db release lets a waiting triplet pass at its next retry, while the server runs', async (t) => {
  const { db, json, ask } = await running(t);
  assert.equal(await ask('alice@example.com'), 'DEFER_IF_PERMIT');
  assert.equal(await ask('eve@example.net'), 'DEFER_IF_PERMIT');
  assert.equal(
    await db('release', '--sender=alice@example.com'),
    '0 released 1: they pass at their next retry\n',
  );
  assert.equal(
    await db('release', '--sender=alice@example.com'),
    '3 nothing waits that was not released already\n',
  );
  const states = async (...words: string[]) =>
    (await json('list', ...words)).map((entry) => [entry['sender'], entry['state']]);
  const [released, waiting] = [
    ['alice@example.com', 'released'],
    ['eve@example.net', 'waiting'],
  ];
  assert.deepEqual(await states('--sort=key'), [released, waiting]);
  assert.deepEqual(await states('--state=released'), [released]);
  assert.deepEqual(await states('--state=waiting'), [waiting]);
  assert.match(await db('list', '--state=released'), /^0 STATE.*\nreleased\t/);
  assert.notEqual(await ask('alice@example.com'), 'DEFER_IF_PERMIT');
  assert.equal(await ask('eve@example.net'), 'DEFER_IF_PERMIT');
  const [entry] = await json('list', '--sender=alice@example.com');
  assert.deepEqual([entry?.['state'], entry?.['deferrals'], entry?.['passes']], ['passed', 1, 1]);
  assert.match(String(entry?.['released_at']), /Z$/);
});

test('db release --for opens a window for a recipient, and 0 ends it', async (t) => {
  const { db, json, ask } = await running(t);
  assert.match(
    await db('release', '--recipient=Bob@example.org', '--for=30m'),
    /^0 all mail to bob@example\.org passes until 20\d\d-/,
  );
  assert.equal(await ask('new@example.com'), 'DUNNO');
  assert.equal(await ask('new@example.com', 'carol@example.org'), 'DEFER_IF_PERMIT');
  const [info] = await json('info');
  assert.equal((info?.['windows'] as unknown[]).length, 1);
  assert.equal(
    await db('release', '--recipient=bob@example.org', '--for=0'),
    '0 mail to bob@example.org is greylisted again\n',
  );
  assert.equal(await ask('other@example.com'), 'DEFER_IF_PERMIT');
  assert.equal(
    await db('release', '--recipient=bob@example.org', '--for=0'),
    '3 there was no window for bob@example.org\n',
  );
  assert.match(await db('release'), /^2 greyctl: say what to release: --client, --sender or --recipient\n/);
  assert.match(await db('release', '--sender=a@b', '--for=5m'), /^2 greyctl: --for opens a window/);
});

test('db forget removes everything about addresses, domains, clients and networks, and says what', async (t) => {
  const { db, json, ask } = await running(t);
  await ask('alice@example.com', 'bob@example.org');
  await ask('bob@example.org', 'alice@example.com');
  await ask('x@mail.example.net', 'bob@example.org', '198.51.100.7');
  await ask('y@example.edu', 'bob@example.org', '203.0.113.9');
  assert.equal(
    await db('forget', 'alice@example.com', '--dry-run'),
    '0 alice@example.com: would forget 1 entry as sender, 1 entry as recipient\n',
  );
  assert.equal((await json('list')).length, 4);
  const [address, domain] = await json('forget', 'Alice@example.com', 'example.net');
  assert.deepEqual(address?.['entries'], { client: 0, sender: 1, recipient: 1, domain: 0 });
  assert.deepEqual(
    [domain?.['kind'], domain?.['entries']],
    ['domain', { client: 0, sender: 0, recipient: 0, domain: 1 }],
  );
  assert.equal(await db('forget', '203.0.112.0/23'), '0 203.0.112.0/23: forgot 1 entry as client\n');
  assert.equal(await db('forget', '203.0.113.9'), '3 203.0.113.9: nothing is known\n');
  assert.match(await db('forget', 'nonsense'), /^2 greyctl: "nonsense" is no mail address/);
  assert.deepEqual(await json('list'), []);
});

test('db forget covers an address with its extensions, and no other address', async (t) => {
  const { db, json, ask } = await running(t);
  for (const recipient of ['bob@example.org', 'bob+lists@example.org', 'Bob+x+y@example.org'])
    await ask('alice@example.com', recipient);
  for (const other of ['bobby+x@example.org', 'bob+x@mail.example.org', 'bob+x@example.com'])
    await ask('alice@example.com', other);
  await ask('bob+news@example.org', 'alice@example.com');
  await ask('bob@example.org', 'bob+self@example.org');
  await db('release', '--recipient=bob+lists@example.org', '--for=1h');
  for (const dryRun of [true, false])
    assert.equal(
      await db('forget', 'bob@example.org', ...(dryRun ? ['--dry-run'] : [])),
      `0 bob@example.org: ${dryRun ? 'would forget' : 'forgot'} 2 entries as sender, 3 entries as recipient, 1 window\n`,
    );
  assert.deepEqual((await json('list')).map((entry) => entry['recipient']).toSorted(), [
    'bob+x@example.com',
    'bob+x@mail.example.org',
    'bobby+x@example.org',
  ]);
});

test('with --privacy exact addresses are still found, and domains are refused', async (t) => {
  const { db, json, ask } = await running(t, '--privacy');
  await ask('alice@example.com');
  await ask('eve@example.com');
  assert.match(await db('list'), /keyed hashes/);
  assert.equal((await json('list', '--sender=alice@example.com')).length, 1);
  assert.match(await db('list', '--domain=example.com'), /^2 greyctl: a domain cannot be looked for/);
  assert.match(await db('forget', 'example.com'), /^2 greyctl: a domain cannot be looked for/);
  assert.match(await db('release', '--sender=alice@example.com'), /^0 released 1/);
  assert.notEqual(await ask('alice@example.com'), 'DEFER_IF_PERMIT');
  assert.match(await db('forget', 'eve@example.com'), /forgot 1 entry as sender/);
  assert.match(await db('forget', '192.0.2.5'), /forgot 1 entry as client/);
  assert.equal((await json('list')).length, 0);
});

test('db list sorts and filters by domain and age', async (t) => {
  const { json, ask } = await running(t);
  await ask('b@one.example');
  await ask('b@one.example');
  await ask('a@two.example');
  const senders = async (...words: string[]) =>
    (await json('list', ...words)).map((entry) => entry['sender']);
  assert.deepEqual(await senders('--sort=deferrals', '--reverse'), ['b@one.example', 'a@two.example']);
  assert.deepEqual(await senders('--sort=deferrals', '--limit=1'), ['a@two.example']);
  assert.deepEqual(await senders('--sort=key', '--reverse'), ['b@one.example', 'a@two.example']);
  assert.deepEqual(await senders('--domain=One.example'), ['b@one.example']);
  assert.deepEqual(await senders('--older=1h'), []);
  assert.equal((await senders('--newer=1h')).length, 2);
});

test('db purge says what, needs a yes, and takes the filters of list', async (t) => {
  const { db, json, ask } = await running(t);
  await ask('a@one.example');
  await ask('b@two.example');
  assert.equal(await db('purge', '--domain=one.example', '--dry-run'), '0 would remove 1 entry\n');
  assert.match(
    await db('purge', '--domain=one.example'),
    /^2 greyctl: there is no terminal to ask on: say --yes/,
  );
  assert.equal((await json('list')).length, 2);
  assert.equal(await db('purge', '--domain=one.example', '--yes'), '0 removed 1\n');
  assert.equal(await db('purge', '--yes'), '0 removed 0\n');
  assert.equal(await db('purge', '--dry-run'), '0 would remove 0 entries and 0 AWL records\n');
  assert.deepEqual(
    (await json('list')).map((entry) => entry['sender']),
    ['b@two.example'],
  );
});

test('db backup and vacuum work while the server runs, and check tells a damaged file', async (t) => {
  const { db, json, ask, server } = await running(t);
  for (let count = 0; count < 50; count += 1)
    await ask(`s${String.fromCharCode(97 + (count % 26))}${'x'.repeat(count)}@example.com`);
  const copy = `${server.folder}/copy.db`;
  assert.match(await db('backup', copy), /^0 wrote /);
  assert.equal((await stat(copy)).mode & 0o777, 0o640);
  assert.match(await db('backup', copy), /^1 greyctl: cannot write the backup .*: it is there already\n$/);
  const healthy = await run(['db', 'check', '--json', `--db=${copy}`]);
  assert.equal(healthy.status, 0);
  assert.equal((JSON.parse(healthy.stdout) as { healthy: boolean }).healthy, true);
  await db('purge', '--sender=sa@example.com', '--yes');
  await db('purge', '--domain=example.com', '--yes');
  const [vacuumed] = await json('vacuum');
  assert.ok(Number(vacuumed?.['size_bytes']) <= Number(vacuumed?.['size_bytes_before']));
  assert.match(await db('check'), /is healthy: schema version 2, 0 entries/);
  await truncate(copy, 8192);
  const damaged = await run(['db', 'check', `--db=${copy}`]);
  assert.equal(damaged.status, 3, damaged.stdout + damaged.stderr);
  assert.equal((await run(['db', 'check', `--db=${server.folder}/none.db`])).status, 1);
});

test('an export goes round exactly, merges, and a bad line writes nothing', async (t) => {
  const { db, ask, server } = await running(t);
  await ask('a@one.example');
  await ask('\u2028é@two.example');
  await ask('');
  await db('release', '--sender=a@one.example');
  await db('release', '--recipient=carol@example.org', '--for=1h');
  await run(['whitelist', 'add', 'example.net', '--comment=friends', '--expires=30d', `--db=${server.db}`]);
  const file = `${server.folder}/export.jsonl`;
  assert.equal(await db('export', file), '0 ');
  assert.match(await db('export', file), /^1 greyctl: cannot write the export .*: it is there already\n$/);
  const folder = await temporaryFolder(t);
  const other = (...words: string[]) => run(['db', ...words, `--db=${folder}/other.db`]);
  const text = await readFile(file, 'utf8');
  // The head, three entries, a window, a whitelist entry, and the counts of the hour.
  assert.match(
    text,
    /\n\{"type":"tally","hour":"[^"]+:00:00Z","verdict":"greylist","reason":"new","count":[123]\}\n/,
  );
  const lineCount = text.split('\n').length - 1;
  assert.ok(lineCount >= 7);
  const body = (all: string) => all.slice(all.indexOf('\n'));
  const read = (await run(['db', 'import', '-', `--db=${folder}/other.db`], { input: text })).stdout;
  assert.match(
    read,
    /^read 3 entries, 0 AWL records, 1 window and 1 whitelist entry; 5 were new, 0 changed\n$/,
  );
  assert.match((await other('import', file)).stdout, /; 0 were new, 0 changed\n$/);
  assert.equal(body((await other('export')).stdout), body(text));
  await writeFile(file, `${text}{"type":"entry","client":7}\n`);
  const bad = await run(['db', 'import', file, `--db=${folder}/bad.db`]);
  assert.deepEqual(
    [bad.status, bad.stderr],
    [
      1,
      `greyctl: cannot import ${file}: line ${lineCount + 1}: "client" is not a text; nothing was written\n`,
    ],
  );
  await assert.rejects(stat(`${folder}/bad.db`));
});

test('an export of hashes goes into a database of hashes only, and is found there with the key', async (t) => {
  const { db, server, ask } = await running(t, '--privacy');
  await ask('alice@example.com');
  const file = `${server.folder}/hashed.jsonl`;
  assert.equal(await db('export', file), '0 ');
  assert.doesNotMatch(await readFile(file, 'utf8'), /alice|192\.0\.2/);
  const other = (...words: string[]) => run(['db', ...words, `--db=${server.folder}/other.db`]);
  const refused = await other('import', file);
  assert.deepEqual(
    [refused.status, refused.stderr.split('\n')[0]],
    [2, 'greyctl: cannot import keyed hashes into a database of addresses'],
  );
  await copyFile(`${server.db}.key`, `${server.folder}/other.db.key`);
  assert.match(
    (await other('import', file, '--privacy')).stdout,
    /^read 1 entry, .*; 1 were new, 0 changed\n$/,
  );
  const attempt = ['--client=192.0.2.5', '--sender=alice@example.com', '--recipient=bob@example.org'];
  assert.equal((await other('show', ...attempt, '--privacy')).status, 0);
  // Addresses become hashes where the database holds those.
  const plain = `${server.folder}/plain.jsonl`;
  const entry = {
    type: 'entry',
    client: '198.51.100.0',
    sender: 'eve@example.com',
    recipient: 'bob@example.org',
  };
  const time = timestamp(Math.floor(Date.now() / 1000));
  const head = { greyctl_export: 1, exported_at: time, hashed: false };
  const times = { first_seen: time, last_seen: time, deferrals: 1, passed_at: null, passes: 0 };
  await writeFile(plain, `${JSON.stringify(head)}\n${JSON.stringify({ ...entry, ...times })}\n`);
  assert.equal((await other('import', plain, '--privacy')).status, 0);
  assert.doesNotMatch((await other('export', '--privacy')).stdout, /eve|198\.51/);
  const found = ['--client=198.51.100.9', '--sender=eve@example.com', '--recipient=bob@example.org'];
  assert.equal((await other('show', ...found, '--privacy')).status, 0);
});

test('an export shows one moment, however slowly it is read', async (t) => {
  const folder = await temporaryFolder(t);
  const time = timestamp(Math.floor(Date.now() / 1000) - 60);
  const lines = Array.from({ length: 20_000 }, (_, index) =>
    JSON.stringify({
      ...{
        type: 'entry',
        client: `192.0.${index % 250}.0`,
        sender: `s${index}@example.com`,
        recipient: 'bob@example.org',
      },
      ...{ first_seen: time, last_seen: time, deferrals: 1, passed_at: null, passes: 0, released_at: null },
    }),
  );
  const head = JSON.stringify({ greyctl_export: 1, exported_at: time, hashed: false });
  const input = [head, ...lines, ''].join('\n');
  await run(['db', 'import', '-', `--db=${folder}/greyctl.db`], { input });
  const server = await testServer(t, [], { folder });
  const slow = spawn(
    process.execPath,
    [`${repositoryRoot}/bin/greyctl.js`, 'db', 'export', `--db=${server.db}`],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: environment(),
    },
  );
  t.after(() => slow.kill('SIGKILL'));
  await once(slow.stdout, 'readable');
  // The last of all keys: it would come at the end.
  await (await server.client()).ask(request({ client_address: '250.0.0.1', sender: 'late@example.net' }));
  let text = '';
  for await (const chunk of slow.stdout.setEncoding('utf8')) text += String(chunk);
  assert.equal(text.split('\n').filter((line) => line.includes('"entry"')).length, lines.length);
  assert.doesNotMatch(text, /late@example\.net/);
  const after = await run(['db', 'export', `--db=${server.db}`]);
  assert.match(after.stdout, /late@example\.net/);
});

test('of a damaged database db check tells, and db export saves what can be read and says what not', async (t) => {
  const folder = await temporaryFolder(t);
  const file = `${folder}/greyctl.db`;
  const store = await openSqlite(file);
  const entry = { firstSeen: 1000, lastSeen: 1000, deferrals: 1, passes: 0 };
  const entries = Array.from({ length: 5000 }, (_, index) => ({
    ...entry,
    triplet: { client: '192.0.2.0', sender: `s${index}@example.com`, recipient: 'bob@example.org' },
  }));
  const clients = Array.from({ length: 5000 }, (_, index) => {
    return { address: `10.0.${index >> 8}.${index & 255}`, count: 1, lastCounted: 1000 };
  });
  await store.merge(entries, clients);
  await store.addListed({ kind: 'client', pattern: 'example.net', comment: '', addedAt: 1000 });
  await store.close();
  const whole = `${folder}/whole.jsonl`;
  assert.equal((await run(['db', 'export', whole, `--db=${file}`])).stderr, '');
  assert.ok(damageTable(file, 'entries', 0.4, 0.5) > 3 && damageTable(file, 'awl', 0.5, 0.6) > 1);

  assert.equal((await run(['db', 'check', `--db=${file}`])).status, 3);
  const backup = await run(['db', 'backup', `${folder}/copy.db`, `--db=${file}`]);
  assert.equal(backup.status, 1);
  assert.match(backup.stderr, /it is damaged\nTry: greyctl db export FILE --db=.* saves what can be read;/);
  const saved = `${folder}/saved.jsonl`;
  const exported = await run(['db', 'export', saved, `--db=${file}`]);
  assert.equal(exported.status, 1);
  const [, lost] =
    /^greyctl: the database is damaged: up to (\d+) entries, some AWL records could not be read\nTry: /.exec(
      exported.stderr,
    ) ?? [];
  const lines = async (name: string) => new Set((await readFile(name, 'utf8')).trim().split('\n').slice(1));
  const [all, rest] = [await lines(whole), await lines(saved)];
  const kept = (type: string) => [...rest].filter((line) => line.startsWith(`{"type":"${type}"`)).length;
  assert.ok([...rest].every((line) => all.has(line)));
  assert.equal(kept('entry'), 5000 - Number(lost), exported.stderr);
  assert.ok(
    kept('entry') > 4000 && kept('awl') > 4000 && kept('awl') < 5000,
    `${kept('entry')}, ${kept('awl')}`,
  );
  assert.equal(kept('whitelist'), 1);
  assert.equal((await run(['db', 'import', saved, `--db=${folder}/new.db`])).status, 0);
  assert.equal((await run(['db', 'check', `--db=${folder}/new.db`])).status, 0);
});
