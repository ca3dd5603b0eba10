/** The clock is set, steps, or stands still while the server runs: nobody waits longer than the delay again. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { fakeClock } from '../support/fake-clock.js';
import { run } from '../support/greyctl.js';
import { request } from '../support/policy-client.js';
import { needs } from '../support/programs.js';
import { testServer } from '../support/server.js';

const year = 365 * 86_400;
const beganAt = Date.UTC(2026, 5, 30, 23, 59, 50) / 1000;

async function clocked(t: TestContext, { at = beganAt, zone = 'UTC' } = {}) {
  const clock = fakeClock(at, zone);
  t.after(clock.remove);
  const server = await testServer(t, ['--auto-whitelist-clients=0'], { clock });
  const client = await server.client();
  const ask = async (sender: string) => {
    const answer = await client.ask(request({ sender: `${sender}@example.com`, instance: undefined }));
    return answer.replace(/^DEFER_IF_PERMIT 4\.2\.0 Greylisted for (\d+) seconds$/, '$1');
  };
  return { clock, server, client, ask };
}

test(
  'set back by a year: those that wait begin anew with the delay, those that passed go on passing',
  needs('faketime'),
  async (t) => {
    const { clock, ask } = await clocked(t);
    assert.equal(await ask('passed'), '300');
    clock.advance(300);
    assert.match(await ask('passed'), /^PREPEND X-Greylist: delayed 300 seconds/);
    assert.equal(await ask('waiting'), '300');
    clock.advance(-year);
    assert.equal(await ask('waiting'), '300');
    assert.equal(await ask('passed'), 'DUNNO');
    clock.advance(299);
    assert.equal(await ask('waiting'), '1');
    clock.advance(1);
    assert.match(await ask('waiting'), /^PREPEND/);
    clock.advance(year);
    assert.equal(await ask('new'), '300');
  },
);

test(
  'set forward by a year and back: what was forgotten waits for the delay once, and no longer',
  needs('faketime'),
  async (t) => {
    const { clock, server, ask } = await clocked(t);
    assert.equal(await ask('a'), '300');
    assert.equal(await ask('b'), '300');
    clock.advance(year);
    assert.equal(await ask('a'), '300');
    clock.advance(300);
    assert.match(await ask('a'), /^PREPEND/);
    clock.advance(-year);
    assert.equal(await ask('a'), 'DUNNO');
    // Asked for the last time 300 s ago by this clock: was not touched meanwhile.
    const b = await ask('b');
    assert.ok(b.startsWith('PREPEND') || b === '300', b);
    assert.doesNotMatch(server.stderr(), /suspended|cannot/);
    const listed = await run(['db', 'check', `--db=${server.db}`]);
    assert.equal(listed.status, 0);
  },
);

test('a leap second: the last second of the day comes twice', needs('faketime'), async (t) => {
  const { clock, ask } = await clocked(t);
  clock.advance(9);
  assert.equal(await ask('a'), '300');
  clock.advance(1);
  assert.equal(await ask('a'), '299');
  assert.equal(await ask('b'), '300');
  clock.advance(-1);
  assert.equal(await ask('a'), '300');
  assert.equal(await ask('b'), '300');
  clock.advance(300);
  assert.match(await ask('a'), /^PREPEND/);
  assert.match(await ask('b'), /^PREPEND/);
});

for (const [name, change, dates] of [
  [
    'the beginning',
    Date.UTC(2026, 2, 29, 1),
    ['Sun, 29 Mar 2026 03:03:00 +0200', 'Sun, 29 Mar 2026 04:00:00 +0200'],
  ],
  [
    'the end',
    Date.UTC(2026, 9, 25, 1),
    ['Sun, 25 Oct 2026 02:03:00 +0100', 'Sun, 25 Oct 2026 03:00:00 +0100'],
  ],
] as const) {
  test(
    `${name} of summer time makes nobody wait longer, and the header's date is that moment`,
    needs('faketime'),
    async (t) => {
      const { clock, server, ask } = await clocked(t, { at: change / 1000 - 120, zone: 'Europe/Berlin' });
      assert.equal(await ask('a'), '300');
      clock.advance(119);
      assert.equal(await ask('a'), '181');
      assert.equal(await ask('b'), '300');
      clock.advance(2);
      assert.equal(await ask('a'), '179');
      clock.advance(179);
      assert.match(await ask('a'), new RegExp(`delayed 300 seconds by .*; ${dates[0].replace('+', '\\+')}$`));
      clock.advance(3600 - 180);
      assert.match(
        await ask('b'),
        new RegExp(`delayed 3601 seconds by .*; ${dates[1].replace('+', '\\+')}$`),
      );
      const { stdout } = await run(['db', 'list', '--json', `--db=${server.db}`]);
      const firstSeen = new Date(change - 120_000).toISOString().replace('.000', '');
      assert.ok(stdout.includes(`"first_seen":"${firstSeen}"`), stdout);
    },
  );
}

test(
  'stopped for ten minutes (SIGSTOP): what was asked meanwhile is answered by the time it is then',
  needs('faketime'),
  async (t) => {
    const { clock, server, client, ask } = await clocked(t);
    assert.equal(await ask('before'), '300');
    server.process.kill('SIGSTOP');
    const asked = ['before', 'meanwhile'].map(ask);
    clock.advance(600);
    server.process.kill('SIGCONT');
    const [before = '', meanwhile] = await Promise.all(asked);
    assert.match(before, /^PREPEND X-Greylist: delayed 600 seconds/);
    assert.equal(meanwhile, '300');
    clock.advance(300);
    assert.match(await ask('meanwhile'), /^PREPEND/);
    client.close();
  },
);

test(
  'policy_test_time, by which a client could choose its own time, is ignored',
  needs('faketime'),
  async (t) => {
    const { clock, client } = await clocked(t);
    const ask = (time: number) => client.ask(request({ policy_test_time: time, instance: undefined }));
    assert.match(await ask(beganAt - year), /300 seconds$/);
    assert.match(await ask(beganAt + 301), /300 seconds$/);
    clock.advance(300);
    assert.match(await ask(beganAt), /^PREPEND/);
  },
);
