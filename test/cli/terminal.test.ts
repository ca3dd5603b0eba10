/** What only happens at a terminal: questions, and pictures that are painted anew. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { run } from '../support/greyctl.js';
import { request } from '../support/policy-client.js';
import { needs } from '../support/programs.js';
import { testServer } from '../support/server.js';
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
