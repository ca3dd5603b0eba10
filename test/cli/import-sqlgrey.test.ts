import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test, type TestContext } from 'node:test';
import Database from 'better-sqlite3';
import { run } from '../support/greyctl.js';
import { temporaryFolder } from '../support/temporary.js';

/** The tables as sqlgrey 1.8 makes them. */
const schema = `
CREATE TABLE from_awl (sender_name varchar(64) NOT NULL, sender_domain varchar(255) NOT NULL, src varchar(39) NOT NULL,
  first_seen timestamp NOT NULL, last_seen timestamp NOT NULL, PRIMARY KEY (src, sender_domain, sender_name));
CREATE TABLE domain_awl (sender_domain varchar(255) NOT NULL, src varchar(39) NOT NULL,
  first_seen timestamp NOT NULL, last_seen timestamp NOT NULL, PRIMARY KEY (src, sender_domain));
CREATE TABLE connect (sender_name varchar(64) NOT NULL, sender_domain varchar(255) NOT NULL, src varchar(39) NOT NULL,
  rcpt varchar(255) NOT NULL, first_seen timestamp NOT NULL);
`;

async function place(t: TestContext) {
  const folder = await temporaryFolder(t);
  const now = Math.floor(Date.now() / 1000);
  const db = new Database(`${folder}/sqlgrey.db`);
  db.exec(schema);
  const insert = (table: string, ...row: (string | number)[]) =>
    db.prepare(`INSERT INTO ${table} VALUES (${row.map(() => '?').join(', ')})`).run(...row);
  insert('connect', 'list+42', 's.example', '192.0.2', 'b@r.example', now - 60);
  insert('connect', '-undef-', '-undef-', '192.0.2.77', 'b@r.example', now - 60);
  const written = new Date((now - 60) * 1000).toISOString().slice(0, 19).replace('T', ' ');
  insert('connect', 'six', 's.example', '2001:0db8:0001:0002', 'b@r.example', written);
  insert('connect', 'late', 's.example', '192.0.2', 'b@r.example', now - 3 * 86_400);
  insert('connect', 'odd', 's.example', 'somewhere', 'b@r.example', now);
  for (const sender of ['a', 'b'])
    insert('from_awl', sender, 's.example', '198.51.100.7', now - 9000, now - 90);
  insert('from_awl', 'c', 's.example', '203.0.113', now - 9000, now - 90);
  insert('domain_awl', 's.example', '198.51.100.7', now - 9000, now - 80);
  insert('domain_awl', 's.example', '203.0.113', now - 9000, now - 86_400);
  insert('domain_awl', 't.example', '203.0.113', now - 9000, now - 80);
  db.close();
  return {
    now,
    folder,
    args: [`--db=${folder}/greyctl.db`, `--from=${folder}/sqlgrey.db`],
    show: ['--json', `--db=${folder}/greyctl.db`],
  };
}

test('import sqlgrey takes over what greyctl can say, and counts the rest', async (t) => {
  const { args, folder, show, now } = await place(t);
  const before = await readFile(`${folder}/sqlgrey.db`);
  const { stdout, stderr, status } = await run(['import', 'sqlgrey', ...args]);
  assert.deepEqual({ stderr, status }, { stderr: '', status: 0 });
  assert.equal(
    stdout,
    `SQLGREY\t${folder}/sqlgrey.db
triplets waiting\t3
clients counted for the AWL\t1
AWL rows of networks\t3
networks of domain_awl\t1
expired, left out\t1
unusable, left out\t1
moved over: 4 were new, 0 changed; 0 networks whitelisted
note: greyctl has no AWL of networks; --whitelist-networks lets those of domain_awl pass, and greyctl db learn takes what a mail log proves
`,
  );
  assert.deepEqual(await readFile(`${folder}/sqlgrey.db`), before);
  const entries = (await run(['db', 'list', '--sort=key', ...show])).stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, string>);
  assert.deepEqual(
    entries.map(({ client, sender, first_seen: seen }) => [client, sender, Date.parse(seen ?? '') / 1000]),
    [
      ['192.0.2.0', '', now - 60],
      ['192.0.2.0', 'list@s.example', now - 60],
      ['2001:db8:1:2:0:0:0:0', 'six@s.example', now - 60],
    ],
  );
  const shown = await run(['db', 'show', ...show, '--client=198.51.100.7', '--recipient=x@r.example']);
  assert.equal((JSON.parse(shown.stdout) as { awl: { count: number } }).awl.count, 3);
  const again = await run(['import', 'sqlgrey', '--json', ...args]);
  const { added, changed } = JSON.parse(again.stdout) as Record<string, number>;
  assert.deepEqual([added, changed], [0, 0]);
});

test('import sqlgrey whitelists the networks of domain_awl when asked to', async (t) => {
  const { args, show } = await place(t);
  await run(['import', 'sqlgrey', '--whitelist-networks', ...args]);
  const { stdout } = await run(['whitelist', 'list', '--stored', ...show]);
  const { pattern, comment } = JSON.parse(stdout) as Record<string, string>;
  assert.deepEqual([pattern, comment], ['203.0.113.0/24', 'sqlgrey: s.example, t.example came back']);
});

test('import sqlgrey leaves out clients that the settings tell apart more finely', async (t) => {
  const { args } = await place(t);
  const { stdout } = await run(['import', 'sqlgrey', '--json', '--dry-run', '--client-key=host', ...args]);
  const { triplets, unusable, added } = JSON.parse(stdout) as Record<string, unknown>;
  assert.deepEqual({ triplets, unusable, added }, { triplets: { waiting: 1 }, unusable: 4, added: null });
});

test('import sqlgrey refuses what is not its database', async (t) => {
  const { folder } = await place(t);
  const failure = async (name: string) =>
    (await run(['import', 'sqlgrey', `--from=${folder}/${name}`])).stderr;
  assert.match(await failure('none'), /^greyctl: cannot read sqlgrey's database .*\/none: /);
  new Database(`${folder}/other.db`).exec('CREATE TABLE t (x)').close();
  assert.match(
    await failure('other.db'),
    /: no such table: connect\nTry: --from=FILE with the file that db_dsn in sqlgrey\.conf names\n$/,
  );
  const { status, stderr } = await run(['import', 'sqlgrey']);
  assert.deepEqual([status, stderr.split('\n')[0]], [2, 'greyctl: Missing required argument: from']);
});
