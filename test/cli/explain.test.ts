/** `greyctl explain`: the attempt from a pasted line, and how it goes on. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { run } from '../support/greyctl.js';
import { request } from '../support/policy-client.js';
import { testServer } from '../support/server.js';
import { temporaryFolder } from '../support/temporary.js';

interface Explained {
  readonly verdict: string;
  readonly reason: string;
  readonly triplet: Readonly<Record<string, string>>;
  readonly wait_seconds: number;
  readonly in_an_hour: { readonly verdict: string; readonly reason: string; readonly wait_seconds: number };
}

const none = ['clients', 'recipients', 'senders'].map((kind) => `--whitelist-${kind}=/nowhere/${kind}.local`);

const lines = {
  smtpd:
    'Nov 21 17:16:10 mx postfix/smtpd[123]: NOQUEUE: reject: RCPT from mail.example.com[192.0.2.5]: 450 4.2.0 <bob@example.org>: Recipient address rejected: Greylisted for 300 seconds; from=<alice@example.com> to=<bob@example.org> proto=ESMTP helo=<mail.example.com>',
  postgrey:
    '2026-11-21T17:16:10.298222+01:00 mx postgrey[77]: action=greylist, reason=new, client_name=mail.example.com, client_address=192.0.2.5/32, sender=alice@example.com, recipient=bob@example.org',
  'greyctl without its head':
    'action=pass, reason=triplet found, delay=311, client_name=mail.example.com, client_address=192.0.2.5, sender=alice@example.com, recipient=bob@example.org',
  'smtpd without its head':
    'NOQUEUE: reject: RCPT from mail.example.com[192.0.2.5]: 550 5.1.1 no; from=<alice@example.com> to=<bob@example.org> proto=ESMTP helo=<x>',
};

for (const [what, line] of Object.entries(lines)) {
  test(`the attempt is taken from a line of ${what}`, async (t) => {
    const db = `--db=${await temporaryFolder(t)}/none.db`;
    for (const [place, input] of [
      [line, ''],
      ['-', `${line}\n`],
    ] as const) {
      const { status, stdout } = await run(['explain', '--json', db, ...none, '--log', place], { input });
      assert.equal(status, 0);
      const { triplet } = JSON.parse(stdout) as Explained;
      assert.deepEqual(triplet, {
        client: '192.0.2.0',
        sender: 'alice@example.com',
        recipient: 'bob@example.org',
      });
    }
  });
}

test('options go before what the line says, and null senders and UTF-8 are read', async (t) => {
  const db = `--db=${await temporaryFolder(t)}/none.db`;
  const explain = async (...args: string[]) =>
    JSON.parse((await run(['explain', '--json', db, ...none, ...args])).stdout) as Explained;
  const other = await explain('--log', lines.smtpd, '--recipient=Carol@example.org', '--client=2001:db8::5');
  assert.deepEqual(other.triplet, {
    client: '2001:db8:0:0:0:0:0:0',
    sender: 'alice@example.com',
    recipient: 'carol@example.org',
  });
  const bounce = await explain(
    '--log',
    lines.smtpd.replace('<alice@example.com>', '<>').replaceAll('bob@', 'böb@'),
  );
  assert.deepEqual([bounce.triplet['sender'], bounce.triplet['recipient']], ['', 'böb@example.org']);
});

test('a line that tells of no attempt is wrong usage, and comes back nowhere', async () => {
  for (const line of [
    '',
    'hello',
    'Nov 21 17:16:10 mx postfix/qmgr[1]: 4A1B2C3D4E: removed',
    `\u001b[2J${'x'.repeat(5000)}`,
  ]) {
    const { status, stdout, stderr } = await run(['explain', '--log', line || ' ']);
    assert.deepEqual([status, stdout], [2, '']);
    assert.match(
      stderr,
      /^greyctl: --log: the line names no client with sender and recipient: [^\n]*\nTry: greyctl explain --help\n$/,
    );
  }
  const { stderr } = await run(['explain', '--recipient=bob@example.org']);
  assert.match(stderr, /^greyctl: --client must be given, or a line of the log with --log\n/);
});

test('explain says how a retry in an hour would fare', async (t) => {
  const server = await testServer(t, ['--delay=2h']);
  await (await server.client()).ask(request());
  const explain = async (...args: string[]) =>
    JSON.parse(
      (await run(['explain', '--json', `--db=${server.db}`, ...none, '--log', lines.smtpd, ...args])).stdout,
    ) as Explained;
  const waiting = await explain('--delay=2h');
  assert.deepEqual([waiting.verdict, waiting.in_an_hour.reason], ['greylist', 'early-retry']);
  assert.ok(Math.abs(waiting.wait_seconds - 3600 - waiting.in_an_hour.wait_seconds) < 2);
  const passing = await explain('--delay=30m');
  assert.deepEqual(passing.in_an_hour, { verdict: 'pass', reason: 'triplet found', wait_seconds: 0 });
  const forgotten = await explain('--delay=5m', '--retry-window=30m');
  assert.deepEqual(forgotten.in_an_hour, { verdict: 'greylist', reason: 'new', wait_seconds: 300 });
  const { stdout } = await run(['explain', '--delay=2h', `--db=${server.db}`, ...none, '--log', lines.smtpd]);
  assert.match(stdout, /\nin an hour: greylist \(early-retry, (1h|59m 5\ds) left\)\n/);
});

interface Step {
  readonly check: string;
  readonly result: string;
  readonly matched: string | null;
}

test('explain tells of what was released, of windows, and where the matching entry stands', async (t) => {
  const server = await testServer(t, ['--delay=2h']);
  const at = ['--delay=2h', `--db=${server.db}`];
  const steps = async (...args: string[]) => {
    const { stdout } = await run(['explain', '--json', '--log', lines.smtpd, ...at, ...none, ...args]);
    const { reason, steps: all } = JSON.parse(stdout) as { reason: string; steps: Step[] };
    return { reason, of: (check: string) => all.find((step) => step.check === check) };
  };
  await (await server.client()).ask(request());
  assert.deepEqual((await steps()).of('recipient window'), {
    check: 'recipient window',
    result: 'no match',
    matched: null,
  });
  await run(['db', 'release', '--sender=alice@example.com', ...at]);
  const released = await steps();
  assert.equal(released.reason, 'released');
  assert.match(
    released.of('triplet')?.matched ?? '',
    /^first seen \S+Z, deferred once, released 20\d\d-[^ ]+Z$/,
  );

  await run(['db', 'forget', 'alice@example.com', ...at]);
  await run(['db', 'release', '--recipient=bob@example.org', '--for=30m', ...at]);
  const open = await steps();
  assert.equal(open.reason, 'released');
  assert.equal(open.of('recipient window')?.result, 'open');
  assert.match(open.of('recipient window')?.matched ?? '', /^all mail to the recipient passes until 20/);
  const { stdout } = await run(['explain', '--log', lines.smtpd, ...at, ...none]);
  assert.match(stdout, /^pass \(released\)\n[^]*\nin an hour: pass \(triplet found\)\n/);

  const list = `${server.folder}/clients`;
  writeFileSync(list, '# ours\n\nexample.net\n/\\.example\\.com$/\n');
  assert.deepEqual((await steps(`--whitelist-clients=${list}`)).of('client whitelist'), {
    check: 'client whitelist',
    result: 'pass',
    matched: `/\\.example\\.com$/ (${list} line 4)`,
  });
});
