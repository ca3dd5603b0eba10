import type { Argv } from 'yargs';
import { Failure } from '../../greylist/failure.js';
import { excerpt, printable } from '../../greylist/printable.js';
import type { ListKind } from '../../greylist/store.js';
import { localTime } from '../../output/format.js';
import { parseLine } from '../../whitelist/syntax.js';
import { textOf } from '../arguments.js';
import { answerIsNo, type Subcommand } from '../command.js';
import {
  databaseLocation,
  settingsFor,
  terminalFor,
  withExistingStore,
  withStore,
  type Arguments,
  type Process,
} from '../context.js';
import { expiryOf, isKind } from './words.js';

/** `[KIND] PATTERN…`: the kind may be left out where the pattern can only be a client. */
function patternsOf(
  words: readonly string[],
  subcommand: 'add' | 'remove',
): { kind: ListKind; patterns: string[] } {
  const [first = '', ...rest] = words;
  if (isKind(first)) {
    if (rest.length > 0) return { kind: first, patterns: rest.map(checked(first)) };
    throw new Failure(`whitelist ${subcommand}: which ${first}?`, { kind: 'usage' });
  }
  const address = words.find((word) => word.includes('@'));
  if (address !== undefined) {
    throw new Failure(`"${excerpt(address)}" may be a recipient or a sender`, {
      kind: 'usage',
      hint: `greyctl whitelist ${subcommand} recipient ADDRESS, or greyctl whitelist ${subcommand} sender ADDRESS`,
    });
  }
  return { kind: 'client', patterns: words.map(checked('client')) };
}

/** yargs has seen to it that there is at least one, and that they are texts. */
function wordsOf(argv: Arguments): string[] {
  return argv['pattern'] as string[];
}

function checked(kind: ListKind): (text: string) => string {
  return (text) => {
    const parsed = parseLine(kind, text);
    if (parsed && 'pattern' in parsed) return parsed.pattern;
    const why = parsed ? parsed.problem : 'it is empty';
    throw new Failure(`cannot use "${excerpt(text)}" as a ${kind}: ${why}`, { kind: 'usage' });
  };
}

async function add(argv: Arguments, outside: Process): Promise<undefined> {
  const { values } = settingsFor(argv, outside);
  const { kind, patterns } = patternsOf(wordsOf(argv), 'add');
  const now = outside.now();
  const expiresAt = expiryOf(textOf(argv, 'expires'), now);
  const comment = printable(textOf(argv, 'comment') ?? '');
  const location = databaseLocation(values, outside);
  const terminal = terminalFor(values, outside);
  await withStore(values, outside, async (store) => {
    for (const pattern of patterns) {
      const entry = { kind, pattern, comment, addedAt: now, ...(expiresAt !== undefined && { expiresAt }) };
      const result = (await store.addListed(entry)) ? 'added' : 'updated';
      const until = expiresAt === undefined ? '' : ` until ${localTime(expiresAt)}`;
      const where = result === 'added' ? 'to' : 'in';
      if (values.json) await terminal.json({ result, kind, pattern, location });
      else await terminal.line(`${result} ${kind} ${printable(`${pattern} ${where} ${location}`)}${until}`);
    }
  });
  return undefined;
}

async function remove(argv: Arguments, outside: Process): Promise<number> {
  const { values } = settingsFor(argv, outside);
  const { kind, patterns } = patternsOf(wordsOf(argv), 'remove');
  const terminal = terminalFor(values, outside);
  const location = databaseLocation(values, outside);
  let missing = 0;
  await withExistingStore(values, outside, async (store) => {
    for (const pattern of patterns) {
      const result = (await store.removeListed(kind, pattern)) ? 'removed' : 'absent';
      missing += result === 'absent' ? 1 : 0;
      if (values.json) await terminal.json({ result, kind, pattern, location });
      else if (result === 'removed')
        await terminal.line(`removed ${kind} ${printable(`${pattern} from ${location}`)}`);
      else outside.stderr.write(`greyctl: there is no ${kind} ${printable(`${pattern} in ${location}`)}\n`);
    }
  });
  return missing > 0 ? answerIsNo : 0;
}

function declarePattern(yargs: Argv): Argv {
  return yargs.positional('pattern', {
    type: 'string',
    array: true,
    describe: 'name, address, network, user@domain, /regex/',
  });
}

/** Adds entries to the database. */
export const addCommand: Subcommand = {
  command: 'add <pattern..>',
  needs: 'what to add',
  describe: 'add entries: [client|recipient|sender] PATTERN…',
  declare: (yargs) =>
    declarePattern(yargs)
      .option('comment', { type: 'string', requiresArg: true, describe: 'why it is there' })
      .option('expires', {
        type: 'string',
        requiresArg: true,
        describe: 'end of its life: 30d, or 2026-12-31',
      }),
  run: add,
};

/** Removes entries from the database. */
export const removeCommand: Subcommand = {
  command: 'remove <pattern..>',
  needs: 'what to remove',
  describe: 'remove entries: [client|recipient|sender] PATTERN…',
  declare: declarePattern,
  run: remove,
};
