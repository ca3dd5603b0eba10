import { existsSync } from 'node:fs';
import path from 'node:path';

/** Programs that tests and benches start, and the Debian package that brings each. */
const packages = {
  bash: 'bash',
  cc: 'gcc',
  db_dump: 'db-util',
  faketime: 'faketime',
  logger: 'bsdutils',
  mandoc: 'mandoc',
  openssl: 'openssl',
  pflogsumm: 'pflogsumm',
  'policy-test': 'postgrey',
  postfix: 'postfix',
  postgrey: 'postgrey',
  'redis-cli': 'redis-tools',
  'redis-server': 'redis-server',
  script: 'bsdutils',
  sqlgrey: 'sqlgrey',
  strace: 'strace',
  'systemd-analyze': 'systemd',
  'systemd-socket-activate': 'systemd',
  zsh: 'zsh',
} as const;

export type Program = keyof typeof packages;

const folders = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/usr/local/sbin', '/sbin'];

/** The path of a program, or undefined where it is not installed. */
export function find(program: Program): string | undefined {
  return folders.map((folder) => path.join(folder, program)).find((file) => existsSync(file));
}

/** The Debian package that brings a program. */
export function packageOf(program: Program): string {
  return packages[program];
}

/** Test options that skip a test, naming the package to install, where one of the programs is missing. */
export function needs(...programs: Program[]): { skip?: string } {
  const missing = programs.filter((program) => !find(program));
  if (missing.length === 0) return {};
  return {
    skip: missing.map((program) => `${program} is missing, apt-get install ${packages[program]}`).join('; '),
  };
}

/** Like `needs`, for what only root may do. */
export function needsRoot(...programs: Program[]): { skip?: string } {
  const missing = needs(...programs);
  if (missing.skip || process.getuid?.() === 0) return missing;
  return { skip: 'must be run as root' };
}
