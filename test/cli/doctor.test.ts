/** `greyctl doctor` on saved configurations: doctor/NAME.postconf gives doctor/NAME.txt. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { askPostconf } from '#src/cli/doctoring/postconf.js';
import { version } from '#src/cli/version.js';
import { freePort } from '../support/free-port.js';
import { repositoryRoot, run, type Result } from '../support/greyctl.js';
import { request } from '../support/policy-client.js';
import { needs, needsRoot } from '../support/programs.js';
import { testServer } from '../support/server.js';
import { temporaryFolder } from '../support/temporary.js';

const folder = path.join(repositoryRoot, 'test', 'cli', 'doctor');
const samples = readdirSync(folder).filter((name) => name.endsWith('.postconf'));

function sample(name: string, port: string | number): string {
  return readFileSync(path.join(folder, name), 'utf8').replaceAll('@PORT@', String(port));
}

/** What differs from host to host. */
function masked(text: string, port: string, db: string): string {
  return text
    .replaceAll(`:${port}`, ':@PORT@')
    .replaceAll(db, '@DB@')
    .replaceAll(/\d+(\.\d+)? ([KMGT]i)?B\b/g, '@SIZE@');
}

test('each saved configuration gets the findings that stand beside it', async (t) => {
  const server = await testServer(t);
  const port = server.endpoint.replace(/.*:/, '');
  await (await server.client()).ask(request());
  for (const name of samples) {
    const place =
      name === 'unreachable.postconf' ? '--unix=/nowhere/spool/private/greyctl' : `--inet=${port}`;
    const { status, stdout, stderr } = await run(['doctor', '--postconf=-', place, `--db=${server.db}`], {
      input: sample(name, port),
    });
    const golden = path.join(folder, name.replace('.postconf', '.txt'));
    assert.equal(
      `${masked(stdout, port, server.db)}exit ${String(status)}\n${stderr}`,
      readFileSync(golden, 'utf8'),
      name,
    );
  }
});

async function findings(
  args: readonly string[],
  input: string,
): Promise<{ result: Result; healthy: boolean; found: Map<string, Record<string, string | null>> }> {
  const result = await run(['doctor', '--json', '--postconf=-', ...args], { input });
  const document = JSON.parse(result.stdout) as {
    healthy: boolean;
    findings: Record<string, string | null>[];
  };
  return {
    result,
    healthy: document.healthy,
    found: new Map(document.findings.map((finding) => [String(finding['check']), finding])),
  };
}

test('the JSON says the same, with its fields always there', async (t) => {
  const server = await testServer(t);
  const port = server.endpoint.replace(/.*:/, '');
  const good = await findings([`--inet=${port}`, `--db=${server.db}`], sample('good.postconf', port));
  assert.deepEqual([good.healthy, good.result.status], [true, 0]);
  for (const finding of good.found.values())
    assert.deepEqual(Object.keys(finding), ['check', 'severity', 'what', 'why', 'try']);
  const none = await freePort();
  const bad = await findings([`--inet=${none}`, `--db=${server.db}`], sample('good.postconf', none));
  assert.deepEqual([bad.healthy, bad.result.status], [false, 3]);
  assert.equal(
    bad.found.get('server')?.['what'],
    `nothing answers at inet:127.0.0.1:${none}: connection refused`,
  );
});

test('asking the server leaves no trace in its database, also over a unix socket', async (t) => {
  const place = await temporaryFolder(t);
  const server = await testServer(t, [`--unix=${place}/private`], { folder: place });
  const { found } = await findings(
    [`--unix=${place}/private`, `--db=${server.db}`],
    `smtpd_recipient_restrictions = reject_unauth_destination, check_policy_service unix:private\nqueue_directory = ${place}\n`,
  );
  assert.equal(found.get('server')?.['severity'], 'ok');
  assert.equal(found.get('policy check')?.['severity'], 'ok');
  // The folder of a test is its owner's alone: Postfix could not enter it.
  assert.match(
    found.get('unix socket')?.['what'] ?? '',
    /^the user postfix may not connect|^there is no user/,
  );
  const { stdout } = await run(['db', 'list', '--json', `--db=${server.db}`]);
  assert.equal(stdout, '');
  const stats = await run(['stats', '--json', `--db=${server.db}`]);
  assert.equal((JSON.parse(stats.stdout) as { attempts: number }).attempts, 0);
  assert.doesNotMatch(server.stderr(), /action=|warning/);
});

test('a probe that names a recipient is an attempt like any other', async (t) => {
  const server = await testServer(t);
  const client = await server.client();
  assert.equal(
    await client.ask(request({ greyctl_probe: 'yes', recipient: '' })),
    `DUNNO greyctl ${version()}`,
  );
  assert.match(await client.ask(request({ greyctl_probe: 'yes' })), /^DEFER_IF_PERMIT/);
});

test('a server of another version answers, which is worth a note', async (t) => {
  const place = await temporaryFolder(t);
  const port = await stranger(t, 'action=DUNNO greyctl 0.0.9\n\n');
  const { found } = await findings([`--inet=${port}`, `--db=${place}/none.db`], '');
  const { severity, what } = found.get('server') ?? {};
  assert.deepEqual(
    [severity, what],
    ['note', `inet:127.0.0.1:${port} answers, as greyctl 0.0.9; this is ${version()}`],
  );
});

test('what --user may not do with the database is a problem', needsRoot(), async (t) => {
  const place = await temporaryFolder(t);
  const db = `${place}/greyctl.db`;
  await run(['whitelist', 'add', 'example.com', `--db=${db}`]);
  const rights = async (...args: string[]) => {
    const { found } = await findings(['--user=nobody', `--db=${db}`, ...args], '');
    const { severity, what, try: remedy } = found.get('rights') ?? {};
    return [severity, what, remedy];
  };
  assert.deepEqual(await rights(), [
    'problem',
    `the user nobody may not use ${place}`,
    `chown nobody ${place}`,
  ]);
  execFileSync('chown', ['nobody', place]);
  execFileSync('chmod', ['600', db]);
  assert.deepEqual(await rights('--group=nogroup'), [
    'problem',
    `the user nobody may not use ${db}`,
    `chown nobody:nogroup ${db}`,
  ]);
  execFileSync('chown', ['nobody', db]);
  assert.deepEqual(await rights(), ['ok', 'the user nobody may use the database', null]);
  const unknown = await findings(['--user=no-such-user', `--db=${db}`], '');
  assert.equal(unknown.found.get('rights')?.['what'], 'there is no user no-such-user');
  assert.deepEqual(
    [(await findings([`--db=${db}`], '')).found.has('rights'), unknown.result.status],
    [false, 3],
  );
});

test('where postconf fails the rest is still looked at', needs('postfix'), async (t) => {
  const server = await testServer(t);
  const { status, stdout } = await run(
    ['doctor', `--inet=${server.endpoint.replace('inet:', '')}`, `--db=${server.db}`],
    { env: { MAIL_CONFIG: `${server.folder}/nowhere` } },
  );
  assert.equal(status, 3);
  assert.match(stdout, /^problem {2}postfix: postconf -n failed: /m);
  assert.match(stdout, /^ok {7}server: /m);
});

test('without Postfix it is said where else its settings may come from', () => {
  assert.throws(
    () => askPostconf({}, () => false),
    (error: Error & { hint?: string }) =>
      error.message.startsWith('cannot find the program postconf: ') &&
      (error.hint ?? '').startsWith('greyctl doctor --postconf FILE'),
  );
});

/** A TCP server that answers every connection with `answer`, or not at all. */
async function stranger(t: TestContext, answer?: string): Promise<number> {
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined);
    if (answer !== undefined) socket.end(answer);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const address = server.address();
  return typeof address === 'object' && address ? address.port : assert.fail('no port');
}

test('another program on the port, and one that never answers, are told apart', async (t) => {
  const place = await temporaryFolder(t);
  const at = async (port: number) =>
    (await findings([`--inet=${port}`, `--db=${place}/none.db`], '')).found.get('server')?.['what'];
  const other = await stranger(t, '220 mx ESMTP\u001b[2J\n\n');
  assert.equal(
    await at(other),
    `another program than greyctl answers at inet:127.0.0.1:${other}: 220 mx ESMTP?[2J`,
  );
  const deaf = await stranger(t);
  assert.equal(await at(deaf), `nothing answers at inet:127.0.0.1:${deaf}: no answer within 3 s`);
});

test('a database with times in the future is a warning', async (t) => {
  const server = await testServer(t);
  const port = server.endpoint.replace(/.*:/, '');
  await (await server.client()).ask(request());
  await server.stop();
  execFileSync(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `import Database from 'better-sqlite3'; new Database(${JSON.stringify(server.db)}).exec('UPDATE entries SET last_seen = last_seen + 7200');`,
    ],
    { cwd: repositoryRoot },
  );
  const { found } = await findings([`--inet=${port}`, `--db=${server.db}`], sample('good.postconf', port));
  assert.match(found.get('clock')?.['what'] ?? '', /1h 59m|2h/);
  assert.equal(found.get('clock')?.['severity'], 'warning');
});

test('a file that is not there is wrong usage', async (t) => {
  const place = await temporaryFolder(t);
  const file = await run(['doctor', `--postconf=${place}/none`]);
  assert.deepEqual(
    [file.status, file.stderr],
    [2, `greyctl: cannot read ${place}/none: no such file or directory\nTry: greyctl doctor --help\n`],
  );
});
