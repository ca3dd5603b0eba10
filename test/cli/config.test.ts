import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { repositoryRoot, run } from '../support/greyctl.js';
import { find, needs } from '../support/programs.js';
import { temporaryFolder } from '../support/temporary.js';

const program = `--program=${path.join(repositoryRoot, 'bin/greyctl.js')}`;

/** Each unit that `config systemd` prints, by its name. */
function units(text: string): Map<string, string> {
  const [, ...parts] = text.split(/^# \/etc\/systemd\/system\//m);
  return new Map(
    parts.map((part) => [part.slice(0, part.indexOf('\n')), part.slice(part.indexOf('\n') + 1)]),
  );
}

test('systemd accepts the units of config systemd', needs('systemd-analyze'), async (t) => {
  const folder = await temporaryFolder(t);
  const sockets = ['--inet=127.0.0.1:60000', '--unix=/var/spool/postfix/greyctl/socket'];
  for (const more of [[], ['--socket']]) {
    const { stdout, status } = await run(['config', 'systemd', program, ...sockets, ...more]);
    assert.equal(status, 0);
    const files = units(stdout);
    assert.equal(files.size, more.length + 1);
    for (const [name, text] of files) await writeFile(`${folder}/${name}`, text);
    const names = [...files.keys()].map((name) => `${folder}/${name}`);
    const { stderr, status: verdict } = spawnSync(
      find('systemd-analyze') ?? '',
      ['verify', '--man=no', ...names],
      { encoding: 'utf8' },
    );
    // It looks at the units of the host, too.
    const ours = stderr.split('\n').filter((line) => /greyctl|socket/.test(line));
    assert.deepEqual([verdict, ours], [0, []]);
  }
});

test('config systemd logs as mail, waits for readiness, and leaves the engine its memory', async () => {
  const service = units((await run(['config', 'systemd'])).stdout).get('greyctl.service') ?? '';
  for (const line of [
    ...['Type=notify', 'NotifyAccess=all', 'SyslogFacility=mail', 'User=greyctl', 'StateDirectory=greyctl'],
    ...['EnvironmentFile=-/etc/default/greyctl', 'ExecStart=/usr/bin/greyctl serve $GREYCTL_OPTS'],
  ]) {
    assert.ok(service.split('\n').includes(line), line);
  }
  assert.doesNotMatch(service, /^MemoryDenyWriteExecute|^DynamicUser|^ReadWritePaths/m);
  const { stdout } = await run([
    'config',
    'systemd',
    '--socket',
    '--unix=/run/g/socket',
    '--socketmode=0660',
  ]);
  assert.match(
    units(stdout).get('greyctl.socket') ?? '',
    /^\[Socket\]\nListenStream=\/run\/g\/socket\nSocketMode=0660\n/m,
  );
});

test('config postfix --class greylists only recipients of a table', async () => {
  const { stdout } = await run(['config', 'postfix', '--class=slow', '--inet=60001']);
  assert.match(stdout, /^slow = check_policy_service inet:127\.0\.0\.1:60001$/m);
  assert.match(
    stdout,
    /^ {4}check_recipient_access \$default_database_type:\/etc\/postfix\/slow_recipients$/m,
  );
  assert.match(stdout, /^# {3}-o smtpd_recipient_restrictions=permit_sasl_authenticated,reject$/m);
  const { status, stderr } = await run(['config', 'postfix', '--class=a b']);
  assert.deepEqual(
    [status, stderr.split('\n')[0]],
    [2, 'greyctl: --class: "a b" is not a name of letters, digits and _'],
  );
});

test('config check lists every problem of settings and lists, with file and line', async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(`${folder}/clients`, 'good.example\n192.0.2.300\n*.example\n');
  await writeFile(`${folder}/empty`, '');
  const lists = [
    `--whitelist-clients=${folder}/clients`,
    ...['recipients', 'senders'].map((kind) => `--whitelist-${kind}=${folder}/empty`),
  ];
  const bad = await run(['config', 'check', ...lists]);
  assert.deepEqual([bad.status, bad.stderr], [3, '']);
  assert.match(
    bad.stdout,
    /^\S+\/clients line 2: '192\.0\.2\.300' is not an IP address or network\n\S+\/clients line 3: .*\n$/,
  );
  const both = await run(['config', 'check', '--json', '--delay=soon', ...lists]);
  const { problems, list_problems: listed, entries } = JSON.parse(both.stdout) as Record<string, string[]>;
  assert.deepEqual([both.status, problems?.length, listed?.length, entries], [2, 1, 2, 1]);
  const good = await run(['config', 'check', ...lists.slice(1), `--whitelist-clients=${folder}/empty`]);
  assert.deepEqual(
    [good.status, good.stdout],
    [0, 'the configuration is good; the whitelist files have 0 entries\n'],
  );
});

test('config logrotate says in comments that there is nothing to rotate', async () => {
  const { stdout, status } = await run(['config', 'logrotate']);
  assert.equal(status, 0);
  assert.match(stdout, /^(#.*\n)+$/);
});

test('the printed options file and the unit belong together', async () => {
  const { stdout } = await run(['config', 'options', '--delay=60']);
  const shell = `${stdout}\necho "$GREYCTL_OPTS"`;
  assert.equal(execFileSync('sh', ['-c', shell], { encoding: 'utf8' }), '--delay=60\n');
});

test('config systemd refuses a program that systemd would not find', async () => {
  for (const program of ['', 'greyctl', './bin/greyctl.js']) {
    const { status, stdout, stderr } = await run(['config', 'systemd', `--program=${program}`]);
    assert.deepEqual([status, stdout], [2, '']);
    assert.match(
      stderr,
      /^greyctl: --program: .* is not an absolute path, which systemd wants\nTry: readlink -f /,
    );
  }
});
