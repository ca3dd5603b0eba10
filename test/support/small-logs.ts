/** Small made-up logs, and commands on them as an operator runs them. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { repositoryRoot, run, type Result } from './greyctl.js';
import { temporaryFolder } from './temporary.js';

/** A file of test/fixtures. */
export const fixture = (name: string) => path.join(repositoryRoot, 'test/fixtures', name);
/** A log of a day with a bit of everything. */
export const example = fixture('example-mail.log');

const withoutLists = ['clients', 'recipients', 'senders'].map((kind) => `--whitelist-${kind}=/dev/null`);
/** Commands that take the settings of the decision. */
const deciding = new Set(['simulate', 'learn']);

/** Runs a command in a folder of the test's own, without lists of the host; the database is `greyctl.db` there. */
export async function world(t: TestContext) {
  const folder = await temporaryFolder(t);
  const greyctl = (args: readonly string[], input?: string | Uint8Array): Promise<Result> =>
    run([...args, '--db=greyctl.db', ...(args.some((arg) => deciding.has(arg)) ? withoutLists : [])], {
      cwd: folder,
      env: { TZ: 'UTC' },
      ...(input !== undefined && { input }),
    });
  return {
    folder,
    file: async (name: string, content: string | Uint8Array) => {
      await writeFile(path.join(folder, name), content);
      return name;
    },
    greyctl,
    simulate: (args: readonly string[], input?: string | Uint8Array) => greyctl(['simulate', ...args], input),
  };
}

/** JSON objects, one a line. */
export function objects(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

interface Line {
  readonly at?: string;
  readonly sender?: string;
  readonly recipient?: string;
  readonly client?: string;
}

/** The line of a mail that was deferred. */
export const deferral = ({ at, sender, recipient, client }: Line = {}) =>
  `${at ?? '2026-11-16T08:00:00Z'} mx postfix/smtpd[9]: NOQUEUE: reject: RCPT from ${client ?? 'unknown[192.0.2.5]'}: 450 4.2.0 ` +
  `<${recipient ?? 'bob@example.org'}>: Recipient address rejected: Greylisted; from=<${sender ?? 'alice@example.com'}> ` +
  `to=<${recipient ?? 'bob@example.org'}> proto=ESMTP helo=<mx>\n`;

/** The lines of a mail that was accepted. */
export const delivery = ({ at, sender, recipient, client }: Line = {}, id = '4A1357') =>
  [
    `smtpd[9]: ${id}: client=${client ?? 'unknown[192.0.2.5]'}`,
    `qmgr[7]: ${id}: from=<${sender ?? 'alice@example.com'}>, size=9, nrcpt=1 (queue active)`,
    `virtual[8]: ${id}: to=<${recipient ?? 'bob@example.org'}>, relay=virtual, delay=0, delays=0/0/0/0, dsn=2.0.0, status=sent (delivered)`,
    `qmgr[7]: ${id}: removed`,
  ]
    .map((text) => `${at ?? '2026-11-16T08:10:00Z'} mx postfix/${text}\n`)
    .join('');
