import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmod, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { repositoryRoot } from '../../support/greyctl.js';
import { temporaryFolder } from '../../support/temporary.js';

const finding = {
  via: [
    'other',
    { name: 'tail', title: 'it hangs', severity: 'high', url: 'https://github.com/advisories/GHSA-1' },
  ],
};

/** What `.ci/audit.js` says where npm prints `output`. */
async function audit(t: TestContext, output: string, answers: Readonly<Record<string, string>> = {}) {
  const folder = await temporaryFolder(t);
  await writeFile(`${folder}/output`, output);
  await writeFile(`${folder}/answers`, JSON.stringify(answers));
  await writeFile(`${folder}/npm`, `#!/bin/sh\ncat "${folder}/output"\nexit 1\n`);
  await chmod(`${folder}/npm`, 0o755);
  const program = path.join(repositoryRoot, '.ci/audit.js');
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, `${folder}/answers`], {
    encoding: 'utf8',
    env: { PATH: `${folder}:${process.env['PATH'] ?? ''}` },
  });
  return [status, stdout + stderr];
}

test('a finding of npm audit fails the check unless it is answered, and so does an answer to nothing', async (t) => {
  const found = JSON.stringify({ vulnerabilities: { tail: finding, other: { via: ['tail'] } } });
  assert.deepEqual(await audit(t, found), [
    1,
    'GHSA-1: tail: it hangs (high): mend it, or answer it in audit-answers.json\n',
  ]);
  const answers = { 'GHSA-1': 'greyctl reads files of its own only' };
  assert.deepEqual(await audit(t, found, answers), [0, 'audit: 1 answered, none open\n']);
  assert.deepEqual(await audit(t, JSON.stringify({ vulnerabilities: {} }), answers), [
    1,
    'GHSA-1: is answered in audit-answers.json, and no package has it any more: remove the answer\n',
  ]);
});

test('a registry that has no audits is told, and fails nothing', async (t) => {
  assert.deepEqual(await audit(t, JSON.stringify({ message: '405 Method Not Allowed', error: {} })), [
    0,
    'no audit: the registry does not offer it (405 Method Not Allowed)\n',
  ]);
  assert.deepEqual(await audit(t, 'no JSON'), [0, 'no audit: the registry does not offer it ()\n']);
});
