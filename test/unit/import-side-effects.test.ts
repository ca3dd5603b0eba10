import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { repositoryRoot } from '../support/greyctl.js';

test('importing a module prints nothing, starts nothing and leaves nothing running', () => {
  const dist = path.join(repositoryRoot, 'dist');
  const modules = readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.js'),
  );
  assert.ok(modules.length > 30);
  const script = `
    const before = Object.keys(process.env).length;
    for (const file of ${JSON.stringify(modules.map((name) => path.join(dist, name)))}) await import(file);
    const busy = process.getActiveResourcesInfo().filter((name) => !/^(TTY|Pipe|File|FSReq|CloseReq)/.test(name));
    if (busy.length > 0) console.log('running:', busy.join(' '));
    if (process.exitCode !== undefined) console.log('exit code', process.exitCode);
    if (Object.keys(process.env).length !== before) console.log('environment changed');
    for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT']) if (process.listenerCount(signal) > 0) console.log('listens for', signal);
  `;
  // It ends by itself only when nothing was left running.
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  assert.equal(output, '');
});
