import type { Argv } from 'yargs';
import type { Values } from '../../config/options.js';
import { printable } from '../../greylist/printable.js';
import { counted } from '../../output/format.js';
import { answerIsNo } from '../command.js';
import { declareSettings } from '../arguments.js';
import { settingsFor, terminalFor, withExistingStore, type Arguments, type Process } from '../context.js';
import { forgetSubject, subjectOf, type Forgotten } from './subject.js';

/** The options of `db forget`. */
export function declareForget(yargs: Argv): Argv {
  return declareSettings(yargs, ['decision'])
    .positional('what', {
      type: 'string',
      array: true,
      demandOption: true,
      describe: 'mail addresses, domains, client addresses or networks',
    })
    .option('dry-run', { type: 'boolean', describe: 'only say what would be removed' });
}

function sum({ asClient, asSender, asRecipient, inDomain, awl, windows }: Forgotten): number {
  return asClient + asSender + asRecipient + inDomain + awl + windows;
}

function sentence({ subject, ...counts }: Forgotten, isDryRun: boolean): string {
  const parts: readonly (readonly [value: number, one: string, many: string])[] = [
    [counts.asClient, 'entry as client', 'entries as client'],
    [counts.asSender, 'entry as sender', 'entries as sender'],
    [counts.asRecipient, 'entry as recipient', 'entries as recipient'],
    [counts.inDomain, 'entry of its senders and recipients', 'entries of its senders and recipients'],
    [counts.awl, 'AWL record', 'AWL records'],
    [counts.windows, 'window', 'windows'],
  ];
  const found = parts.filter(([value]) => value > 0).map((part) => counted(...part));
  const verb = isDryRun ? 'would forget' : 'forgot';
  return `${printable(subject)}: ${found.length > 0 ? `${verb} ${found.join(', ')}` : 'nothing is known'}`;
}

async function report(all: readonly Forgotten[], isDryRun: boolean, values: Values, outside: Process) {
  const terminal = terminalFor(values, outside);
  if (!values.json) {
    for (const forgotten of all) await terminal.line(sentence(forgotten, isDryRun));
    return;
  }
  for (const { subject, kind, asClient, asSender, asRecipient, inDomain, awl, windows } of all) {
    const entries = { client: asClient, sender: asSender, recipient: asRecipient, domain: inDomain };
    await terminal.json({ what: subject, kind, dry_run: isDryRun, entries, awl_clients: awl, windows });
  }
}

/** `greyctl db forget`: everything about somebody; status 3 when nothing was known of anybody. */
export async function forget(argv: Arguments, outside: Process): Promise<number> {
  const { values } = settingsFor(argv, outside);
  // yargs promises an array of texts for a positional argument that is declared so.
  const subjects = (argv['what'] as readonly string[]).map((word) => subjectOf(word, values));
  const isDryRun = argv['dry-run'] === true;
  const all = await withExistingStore(values, outside, async (store) => {
    const done: Forgotten[] = [];
    for (const subject of subjects) done.push(await forgetSubject(store, subject, isDryRun));
    return done;
  });
  await report(all, isDryRun, values, outside);
  return all.some((forgotten) => sum(forgotten) > 0) ? 0 : answerIsNo;
}
