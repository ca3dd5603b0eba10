/** Whatever prints, to a reader that has gone away: no complaint, and no stack trace. On a full disk: one that says so. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { environment } from '../support/background.js';
import { within } from '../support/deadline.js';
import { repositoryRoot, run } from '../support/greyctl.js';
import { request } from '../support/policy-client.js';
import { testServer } from '../support/server.js';
import { temporaryFolder } from '../support/temporary.js';

const attempt = ['--client=192.0.2.5', '--sender=alice@example.com', '--recipient=bob@example.org'];

/** Every command that prints, by what it needs: `db` its database, `file` a whitelist. */
const printing: readonly (readonly string[])[] = [
  ...[['--help'], ['--version'], ['help', 'db'], ['db', 'list', '--help'], ['--help', '--json']],
  ...[
    ['completion', 'bash'],
    ['completion', 'zsh', '--json'],
  ],
  ...['info', 'list', 'check', 'vacuum', 'export'].map((what) => ['db', what]),
  ...[
    ['db', 'show', ...attempt],
    ['db', 'forget', 'nobody@example.net'],
    ['db', 'purge', '--dry-run'],
  ],
  ...[
    ['db', 'release', '--sender=nobody@example.net'],
    ['db', 'learn', 'test/fixtures/example-mail.log'],
  ],
  ...['list', 'lint', 'export'].map((what) => ['whitelist', what]),
  ...[
    ['whitelist', 'test', 'example.com'],
    ['whitelist', 'add', 'example.edu'],
    ['whitelist', 'remove', 'example.edu'],
  ],
  ['stats'],
  ['explain', ...attempt],
  ...['postfix', 'options', 'systemd', 'logrotate', 'check', 'show'].map((what) => ['config', what]),
  ['simulate', 'test/fixtures/example-mail.log'],
  ['simulate', '--decisions', 'test/fixtures/example-mail.log'],
];

test('every printing command ends quietly when its reader has gone', async (t) => {
  const server = await testServer(t);
  await (await server.client()).ask(request());
  await run(['whitelist', 'add', 'example.com', `--db=${server.db}`]);
  writeFileSync(`${server.folder}/postconf`, 'compatibility_level = 3.6\n');
  const doctor = ['doctor', `--postconf=${server.folder}/postconf`];
  for (const words of [...printing, doctor]) {
    for (const more of words.includes('help') ? [[]] : [[], ['--json']]) {
      const command = [...words, ...more];
      const child = spawn(process.execPath, ['bin/greyctl.js', ...command], {
        cwd: repositoryRoot,
        env: environment({ GREYCTL_DB: server.db }),
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      t.after(() => child.kill('SIGKILL'));
      // Before the program has written anything: each of its writes fails.
      child.stdout.destroy();
      let stderr = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
      const [status, signal] = (await within(
        once(child, 'close'),
        `end of greyctl ${command.join(' ')}`,
      )) as [number | null, NodeJS.Signals | null];
      assert.equal(signal, null, command.join(' '));
      assert.ok(status === 0 || status === 3, `${command.join(' ')} ended with ${String(status)}: ${stderr}`);
      assert.doesNotMatch(stderr, /EPIPE|\bbug\b|^ {4}at /m, command.join(' '));
    }
  }
});

test('a disk that is full is told, whatever prints', async (t) => {
  const folder = await temporaryFolder(t);
  const full = openSync('/dev/full', 'w');
  t.after(() => {
    closeSync(full);
  });
  for (const command of [
    ['--help'],
    ['db', '--help'],
    ['config', 'show', '--json'],
    ['simulate', 'test/fixtures/example-mail.log'],
    ['simulate', '--decisions', 'test/fixtures/example-mail.log'],
  ]) {
    const child = spawn(process.execPath, ['bin/greyctl.js', ...command], {
      cwd: repositoryRoot,
      env: environment({ GREYCTL_DB: `${folder}/greyctl.db` }),
      stdio: ['ignore', full, 'pipe'],
    });
    t.after(() => child.kill('SIGKILL'));
    let stderr = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const [status] = (await within(once(child, 'close'), `end of greyctl ${command.join(' ')}`)) as [number];
    assert.deepEqual(
      { status, stderr },
      { status: 1, stderr: 'greyctl: standard output: no space left on device\n' },
      command.join(' '),
    );
  }
});
