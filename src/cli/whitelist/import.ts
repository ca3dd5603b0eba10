import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Failure, reasonOf } from '../../greylist/failure.js';
import { printable } from '../../greylist/printable.js';
import type { ListKind, NewListedEntry, Store } from '../../greylist/store.js';
import { importLines, type ImportLine } from '../../whitelist/import.js';
import { textOf } from '../arguments.js';
import type { Subcommand } from '../command.js';
import {
  settingsFor,
  terminalFor,
  withExistingStore,
  withStore,
  type Arguments,
  type Process,
} from '../context.js';
import { expiryOf, kinds } from './words.js';

/** By the name: postgrey's whitelist_recipients holds recipients, whatever does not say what it holds holds clients. */
function kindOfFile(file: string): ListKind {
  const name = path.basename(file);
  return name.includes('recipient') ? 'recipient' : name.includes('sender') ? 'sender' : 'client';
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new Failure(`cannot read ${file}: ${reasonOf(error)}`, { cause: error });
  }
}

interface Plan {
  readonly now: number;
  readonly comment: string | undefined;
  readonly expiresAt: number | undefined;
  readonly isDryRun: boolean;
}

interface Outcome {
  readonly result: 'added' | 'present' | 'skipped';
  readonly pattern: string;
  readonly why: string;
}

async function importOne(
  store: Store,
  known: Set<string>,
  { kind, parsed, expiresAt }: ImportLine,
  plan: Plan,
): Promise<Outcome> {
  if ('problem' in parsed) return { result: 'skipped', pattern: '', why: parsed.problem };
  const { pattern } = parsed;
  const until = plan.expiresAt ?? expiresAt;
  if (until !== undefined && until <= plan.now) return { result: 'skipped', pattern, why: 'it has expired' };
  const key = `${kind} ${pattern}`;
  if (known.has(key)) return { result: 'present', pattern, why: '' };
  known.add(key);
  const comment = printable(plan.comment ?? parsed.comment ?? '');
  const entry: NewListedEntry = { kind, pattern, comment, addedAt: plan.now, expiresAt: until };
  if (!plan.isDryRun) await store.addListed(entry);
  return { result: 'added', pattern, why: '' };
}

async function run(argv: Arguments, outside: Process): Promise<undefined> {
  const { values } = settingsFor(argv, outside);
  const isDryRun = argv['dry-run'] === true;
  // yargs has checked the choices.
  const given = textOf(argv, 'kind') as ListKind | undefined;
  const now = outside.now();
  const plan = {
    now,
    comment: textOf(argv, 'comment'),
    expiresAt: expiryOf(textOf(argv, 'expires'), now),
    isDryRun,
  };
  // yargs has seen to it that there is at least one, and that they are texts.
  const files = (argv['file'] as string[]).map((file) => ({ file, text: readText(file) }));
  const terminal = terminalFor(values, outside);
  await (isDryRun ? withExistingStore : withStore)(values, outside, async (store) => {
    const known = new Set((await store.listed()).map(({ kind, pattern }) => `${kind} ${pattern}`));
    for (const { file, text } of files) {
      for (const line of importLines(given ?? kindOfFile(file), text)) {
        const { result, pattern, why } = await importOne(store, known, line, plan);
        if (values.json)
          await terminal.json({
            file,
            line: line.line,
            result,
            kind: line.kind,
            pattern: pattern || null,
            why: why || null,
          });
        else {
          const did = {
            added: isDryRun ? 'would add' : 'added',
            present: 'there already:',
            skipped: 'skipped',
          }[result];
          await terminal.line(
            printable(
              `${file} line ${line.line}: ${did}${pattern && ` ${line.kind} ${pattern}`}${why && `: ${why}`}`,
            ),
          );
        }
      }
    }
  });
  return undefined;
}

/** Takes entries of files over into the database. */
export const importCommand: Subcommand = {
  command: 'import <file..>',
  needs: 'which file to read',
  describe: 'take over entries of postgrey’s, sqlgrey’s or our files into the database',
  declare: (yargs) =>
    yargs
      .positional('file', { type: 'string', array: true, describe: 'a whitelist file' })
      .option('kind', {
        choices: kinds,
        requiresArg: true,
        describe: 'what they hold; without it, by the name of the file',
      })
      .option('comment', {
        type: 'string',
        requiresArg: true,
        describe: 'instead of the comments in the files',
      })
      .option('expires', {
        type: 'string',
        requiresArg: true,
        describe: 'end of their lives: 30d, or 2026-12-31',
      })
      .option('dry-run', { type: 'boolean', describe: 'only say what would be done' }),
  run,
};
