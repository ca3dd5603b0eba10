/** Postfix's configuration as text: asked from postconf(1), or saved. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { codeOf, Failure, reasonOf } from '../../greylist/failure.js';
import { excerpt } from '../../greylist/printable.js';

const deadlineMs = 10_000;

/** Where a user's PATH often does not lead. */
const folders = ['/usr/sbin', '/usr/local/sbin', '/sbin'];

function findPostconf(environment: NodeJS.ProcessEnv, exists: (file: string) => boolean): string {
  const found = [...(environment['PATH'] ?? '').split(':'), ...folders]
    .map((folder) => path.join(folder, 'postconf'))
    .find((file) => exists(file));
  if (found !== undefined) return found;
  throw new Failure('cannot find the program postconf: Postfix does not seem to be installed here', {
    hint: 'greyctl doctor --postconf FILE, with what `postconf -n` printed elsewhere',
  });
}

/** main.cf and master.cf as postconf prints them. Only `-n` must succeed: before Postfix 2.11 there is no `-P`. */
export function askPostconf(
  environment: NodeJS.ProcessEnv,
  exists: (file: string) => boolean = existsSync,
): string {
  const program = findPostconf(environment, exists);
  const [parameters, ...services] = ['-n', '-M', '-P'].map((option) =>
    spawnSync(program, [option], { env: environment, encoding: 'utf8', timeout: deadlineMs }),
  );
  if (parameters?.status !== 0) {
    const why = parameters?.error
      ? reasonOf(parameters.error)
      : excerpt(parameters?.stderr.trim() ?? '', 300);
    throw new Failure(`postconf -n failed: ${why}`);
  }
  const known = services.filter(({ status }) => status === 0).map(({ stdout }) => stdout);
  return [parameters.stdout, ...known].join('\n');
}

/** What was saved in a file; `-` is standard input. */
export function readSaved(name: string): string {
  try {
    return readFileSync(name === '-' ? 0 : name, 'utf8');
  } catch (error) {
    if (name === '-' && codeOf(error) === 'EOF') return '';
    throw new Failure(`cannot read ${name}: ${reasonOf(error)}`, { kind: 'usage', cause: error });
  }
}
