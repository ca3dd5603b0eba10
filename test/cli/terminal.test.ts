/** What only happens at a terminal: questions, and pictures that are painted anew. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { run } from '../support/greyctl.js';
import { request } from '../support/policy-client.js';
import { needs } from '../support/programs.js';
import { testServer } from '../support/server.js';
import { example } from '../support/small-logs.js';
import { temporaryFolder } from '../support/temporary.js';
import { keys, typist } from '../support/typist.js';

async function waiting(t: TestContext) {
  const server = await testServer(t, ['--delay=600']);
  const client = await server.client();
  await client.ask(request());
  const left = async () =>
    (await run(['db', 'list', '--json', `--db=${server.db}`])).stdout.split('\n').length - 1;
  return { client, left, args: [`--db=${server.db}`, '--delay=600'] };
}

const question = /remove 1 entry\? \[y\/N\] /;

test('db purge asks, and whatever is not a yes removes nothing', needs('script'), async (t) => {
  const { left, args } = await waiting(t);
  for (const typed of [
    `n${keys.enter}`,
    keys.enter,
    `yesterday${keys.enter}`,
    keys.controlC,
    keys.controlD,
  ]) {
    const person = typist(t, ['db', 'purge', '--state=waiting', ...args]);
    await person.sees(question);
    person.type(typed);
    assert.equal(await person.status, 1, JSON.stringify(typed));
    assert.match(person.screen(), /\r\ngreyctl: nothing was removed\r\n$/);
    assert.doesNotMatch(person.screen(), /bug|AbortError/);
    assert.equal(await left(), 1);
  }
});

test(
  'db purge removes what it named after a yes, and asks of nothing nothing',
  needs('script'),
  async (t) => {
    const { left, args } = await waiting(t);
    const person = typist(t, ['db', 'purge', '--state=waiting', ...args]);
    await person.sees(question);
    person.type(`Y${keys.enter}`);
    assert.equal(await person.status, 0);
    assert.match(person.screen(), /\r\nremoved 1\r\n$/);
    assert.equal(await left(), 0);
    const again = typist(t, ['db', 'purge', '--state=waiting', ...args]);
    assert.equal(await again.status, 0);
    assert.equal(again.screen(), 'removed 0\r\n');
  },
);

const [home, eraseLine] = ['\u001b[H', '\u001b[K'];

test(
  'stats --watch shows what has come since, and ends on Ctrl-C with status 0',
  needs('script'),
  async (t) => {
    const { client, args } = await waiting(t);
    const person = typist(t, ['stats', '--watch=1', ...args]);
    await person.sees(/: 1 attempt\b/);
    await client.ask(request({ sender: 'carol@example.net' }));
    await person.sees(/: 2 attempts/);
    person.type(keys.controlC);
    assert.equal(await person.status, 0);
    const pictures = person.screen().split(home).slice(1);
    assert.ok(pictures.length >= 2);
    // The screen is cleared once; later pictures are painted over the one before.
    assert.ok(pictures[0]?.startsWith('\u001b[J'));
    for (const picture of pictures.slice(1)) assert.ok(!picture.startsWith('\u001b[J'), picture);
    for (const picture of pictures)
      assert.ok(/: \d attempts?$/.test(picture.split(`${eraseLine}\r\n`)[0] ?? ''), picture);
  },
);

test(
  'stats --watch cuts at the bottom and at the side what a small terminal cannot show',
  needs('script'),
  async (t) => {
    const { client, args } = await waiting(t);
    await client.ask(request({ sender: `${'long'.repeat(20)}@example.com` }));
    const person = typist(t, ['stats', '--watch=1', ...args], { rows: 8, columns: 40 });
    await person.sees(/attempts[^]*attempts/);
    person.type(keys.controlC);
    assert.equal(await person.status, 0);
    const picture = person.screen().split(home)[1] ?? '';
    // The last row stays free: a line feed in it would move all up.
    assert.equal(picture.split('\r\n').length - 1, 7);
  },
);

/** What is shown, line by line, without colours. */
async function shown(t: TestContext, args: readonly string[]): Promise<string[]> {
  const person = typist(t, [...args, '--color=never']);
  assert.equal(await person.status, 0);
  return person.screen().split('\r\n');
}

/** A database with so many entries, each its own sender. */
async function listed(t: TestContext, count: number): Promise<string> {
  const db = `--db=${await temporaryFolder(t)}/g.db`;
  const time = '2026-11-21T08:00:00Z';
  const entries = Array.from({ length: count }, (_, index) => ({
    ...{ type: 'entry', client: '198.51.100.0', sender: `newsletter-${index}@mailing.example.com` },
    ...{ recipient: 'bob.builder@customers.example.org', first_seen: time, last_seen: time },
    ...{ deferrals: 1, passed_at: null, passes: 0, released_at: null },
  }));
  const head = { greyctl_export: 1, exported_at: time, hashed: false };
  const input = [head, ...entries].map((line) => `${JSON.stringify(line)}\n`).join('');
  assert.equal((await run(['db', 'import', '-', db], { input })).status, 0);
  return db;
}

test(
  'db list fits 80 columns: when and who stay readable, and it is said what is left out',
  needs('script'),
  async (t) => {
    const [head, row, note, ...more] = await shown(t, ['db', 'list', await listed(t, 1)]);
    assert.match(head ?? '', /^STATE +LAST SEEN +CLIENT +SENDER +RECIPIENT$/);
    assert.match(
      row ?? '',
      /^\w+ +2026-11-2\d \d\d:\d\d:\d\d {2}198\.51\.100\.0 {2}newslet.*…\S+\.com {2}bob\.buil.*…\S+\.org$/,
    );
    assert.ok((row ?? '').length <= 80, row);
    assert.match(note ?? '', /^No room for FIRST SEEN, DEFERRALS, PASSES: /);
    assert.deepEqual(more, ['']);
  },
);

test(
  'a list of more than 1000 entries has a head for each table, and in a pipe one',
  needs('script'),
  async (t) => {
    const db = await listed(t, 1001);
    const lines = await shown(t, ['db', 'list', db]);
    assert.deepEqual(
      lines.flatMap((line, index) => (line.startsWith('STATE ') ? [index] : [])),
      [0, 1002],
    );
    assert.equal(lines.filter((line) => line.includes(' newslet')).length, 1001);
    const piped = (await run(['db', 'list', db])).stdout.trimEnd().split('\n');
    assert.equal(piped.length, 1002);
    assert.deepEqual([...new Set(piped.slice(1).map((line) => line.split('\t').length))], [8]);
  },
);

test('on 80 columns the rows of a sweep are told apart, whatever else goes', needs('script'), async (t) => {
  const sweeps = ['--sweep=delay=60,3600', '--sweep=client-key=subnet,domain', '--sweep=max-age=30d,35d'];
  const lines = await shown(t, ['simulate', ...sweeps, example]);
  const start = lines.findIndex((line) => line.startsWith('SETTINGS'));
  assert.match(lines[start] ?? '', /^SETTINGS +DEFERRED +SHARE +NEVER +P95$/);
  const rows = lines.slice(start + 1, start + 9);
  assert.deepEqual(
    rows.map((row) => row.split('  ')[0]),
    ['60', '3600'].flatMap((delay) =>
      ['subnet', 'domain'].flatMap((key) =>
        ['30d', '35d'].map((age) => `delay=${delay} client-key=${key} max-age=${age}`),
      ),
    ),
  );
  for (const row of rows) assert.ok(row.length <= 80, row);
  assert.match(lines[start + 9] ?? '', /^No room for CAME BACK, ASSUMED, P50, MAX, P95 \(ASSUMED\): /);
});
