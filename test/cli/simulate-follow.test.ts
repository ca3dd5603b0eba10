import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { appendFile, rename, utimes, writeFile } from 'node:fs/promises';
import { constants } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import { environment, start } from '../support/background.js';
import { eventually, within } from '../support/deadline.js';
import { repositoryRoot, run } from '../support/greyctl.js';
import { temporaryFolder } from '../support/temporary.js';

const refusal = (minute: number, client = 1) =>
  `2026-11-21T10:${String(minute).padStart(2, '0')}:00Z mx postfix/smtpd[1]: NOQUEUE: reject: RCPT from c${client}[192.0.2.${client}]: 450 4.2.0 <b@r.example>: Recipient address rejected: Greylisted; from=<a@s.example> to=<b@r.example> proto=ESMTP helo=<h>\n`;

/** Starts `greyctl simulate --follow` and waits until it follows; the test ends it. */
async function follow(t: TestContext, args: readonly string[]) {
  const child = start(
    process.execPath,
    [path.join(repositoryRoot, 'bin/greyctl.js'), 'simulate', '--follow', ...args],
    { env: environment({ TZ: 'UTC' }), cwd: repositoryRoot },
  );
  t.after(() => child.kill());
  await child.until(() => (child.stderr().includes('following') ? true : undefined), 'following');
  return {
    ...child,
    prints: (text: string) => child.until(() => (child.stdout().includes(text) ? true : undefined), text),
  };
}

async function logFile(t: TestContext): Promise<{ name: string; settings: string[] }> {
  const folder = await temporaryFolder(t);
  const name = path.join(folder, 'mail.log');
  await writeFile(name, refusal(0));
  return { name, settings: [`--db=${path.join(folder, 'greyctl.db')}`, '--delay=5m'] };
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`decisions come live, also after a rotation, and ${signal} brings the report`, async (t) => {
    const { name, settings } = await logFile(t);
    const shadow = await follow(t, [...settings, name]);
    assert.equal(shadow.stdout(), '');
    await appendFile(name, refusal(2));
    const early =
      '2026-11-21 10:02:00 c1[192.0.2.1] <a@s.example> <b@r.example> greylisted, would be: greylist (early-retry), wait 3m\n';
    await shadow.prints(early);
    await rename(name, `${name}.1`);
    await writeFile(name, refusal(6));
    const passed =
      '2026-11-21 10:06:00 c1[192.0.2.1] <a@s.example> <b@r.example> greylisted, would be: pass (triplet found)\n';
    await shadow.prints(passed);
    assert.equal(shadow.stdout(), early + passed);
    assert.deepEqual(await shadow.stop(signal), { status: 0, signal: null });
    assert.match(shadow.stdout(), /\nRead 3 lines .*\n/);
    assert.match(shadow.stdout(), / of 3 attempts /);
    assert.equal(shadow.stderr(), `greyctl: all that was there has been read; following ${name}\n`);
  });
}

test('a second signal, of either kind, ends it at once', async (t) => {
  const { name, settings } = await logFile(t);
  // More than a pipe holds that nobody reads: the first signal is not enough.
  await writeFile(name, refusal(0).repeat(5000));
  const args = ['bin/greyctl.js', 'simulate', '--follow', '--decisions', ...settings, name];
  const child = spawn(process.execPath, args, { cwd: repositoryRoot, env: environment() });
  t.after(() => child.kill('SIGKILL'));
  const ended = once(child, 'exit');
  await within(once(child.stdout, 'readable'), 'first decisions');
  child.kill('SIGINT');
  const caught = () => {
    const [, mask = ''] = /^SigCgt:\t(\w+)/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8')) ?? [];
    return BigInt(`0x${mask}`) & (1n << BigInt(constants.signals.SIGTERM - 1));
  };
  await eventually(() => (caught() === 0n ? true : undefined), 'end of catching SIGTERM');
  child.kill('SIGTERM');
  assert.deepEqual(await within(ended, 'end after the second signal'), [null, 'SIGTERM']);
});

test('with --decisions the decisions on what was there are printed too, and no report', async (t) => {
  const { name, settings } = await logFile(t);
  const shadow = await follow(t, ['--decisions', ...settings, name]);
  await shadow.prints('"reason":"new"');
  await appendFile(name, refusal(2, 2));
  await shadow.prints('192.0.2.2');
  assert.deepEqual(await shadow.stop(), { status: 0, signal: null });
  const times = shadow
    .stdout()
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { time: string }).time);
  assert.deepEqual(times, ['2026-11-21T10:00:00Z', '2026-11-21T10:02:00Z']);
});

test('standard input is followed to its end', async (t) => {
  const { settings } = await logFile(t);
  const { status, stdout, stderr } = await run(['simulate', '--follow', ...settings, '-'], {
    input: refusal(0),
  });
  assert.equal(status, 0);
  assert.equal(stderr, 'greyctl: all that was there has been read; following standard input\n');
  assert.match(stdout, /would be: greylist \(new\), wait 5m\nRead 1 line /);
});

test('--follow with --sweep is refused', async () => {
  const { status, stderr } = await run(['simulate', '--follow', '--sweep', 'delay=60,300', 'mail.log']);
  assert.equal(status, 2);
  assert.equal(
    stderr,
    'greyctl: --follow and --sweep do not go together: decisions are shown for one setting\nTry: greyctl simulate --help\n',
  );
});

test('what is followed is the newest of several, and it is named', async (t) => {
  const { name, settings } = await logFile(t);
  await writeFile(`${name}.1`, refusal(1));
  await utimes(`${name}.1`, 1000, 1000);
  const shadow = await follow(t, [...settings, name, `${name}.1`]);
  assert.equal(shadow.stderr(), `greyctl: all that was there has been read; following ${name}\n`);
});

test('a compressed file is not followed, whatever its name', async (t) => {
  const { name, settings } = await logFile(t);
  for (const content of [gzipSync(refusal(0)), Buffer.from('28b52ffd0400', 'hex')]) {
    await writeFile(name, content);
    assert.deepEqual(await run(['simulate', '--follow', ...settings, name]), {
      status: 1,
      stdout: '',
      stderr: `greyctl: cannot follow ${name}: is compressed; only a log that is being written can be followed\n`,
    });
  }
});
