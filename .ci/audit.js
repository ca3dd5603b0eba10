#!/usr/bin/env node
/**
 * `npm audit` with answers: a finding ends with 1 unless its id stands in audit-answers.json with the reason why it does not concern
 * greyctl, and so does an answer to nothing. A registry that has no audits (a mirror, a host without network) is told and does not fail.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const answers = JSON.parse(
  readFileSync(process.argv[2] ?? new URL('audit-answers.json', import.meta.url), 'utf8'),
);
const { stdout, stderr, error } = spawnSync('npm', ['audit', '--json'], { encoding: 'utf8' });

function reportOf(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

const report = reportOf(stdout ?? '');
if (report.vulnerabilities === undefined) {
  const why = report.message ?? report.error?.summary ?? error?.message ?? (stderr ?? '').trim();
  console.log(`no audit: the registry does not offer it (${why})`);
  process.exit(0);
}

const findings = new Map();
for (const { via } of Object.values(report.vulnerabilities)) {
  for (const cause of via) {
    // A name stands for the finding of another package.
    if (typeof cause === 'object') findings.set(cause.url.split('/').at(-1), cause);
  }
}
for (const [id, { name, severity, title }] of findings) {
  if (answers[id]) continue;
  console.error(`${id}: ${name}: ${title} (${severity}): mend it, or answer it in audit-answers.json`);
  process.exitCode = 1;
}
for (const id of Object.keys(answers)) {
  if (findings.has(id)) continue;
  console.error(
    `${id}: is answered in audit-answers.json, and no package has it any more: remove the answer`,
  );
  process.exitCode = 1;
}
if (process.exitCode !== 1)
  console.log(findings.size === 0 ? 'audit: clean' : `audit: ${findings.size} answered, none open`);
