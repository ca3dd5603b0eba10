import type { Argv } from 'yargs';
import type { Values } from '../../config/options.js';
import { readDuration } from '../../config/value.js';
import { parseAddress } from '../../greylist/address.js';
import { Failure } from '../../greylist/failure.js';
import { excerpt, printable } from '../../greylist/printable.js';
import type { ListedEntry, ListKind } from '../../greylist/store.js';
import { localTime, timestamp } from '../../output/format.js';
import type { Subject } from '../../whitelist/matcher.js';
import { parseLine } from '../../whitelist/syntax.js';
import { declareSettings, textOf } from '../arguments.js';
import { answerIsNo, type Subcommand } from '../command.js';
import {
  settingsFor,
  terminalFor,
  withExistingStore,
  withStore,
  type Arguments,
  type Process,
} from '../context.js';
import { entryPlace, fileEntries, loadLists } from '../lists.js';

const kinds: readonly ListKind[] = ['client', 'recipient', 'sender'];

function isKind(word: string): word is ListKind {
  return (kinds as readonly string[]).includes(word);
}

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

/** `30d` from now, or the end of a day such as 2026-12-31 (local time). */
function expiryOf(given: string | undefined, now: number): number | undefined {
  if (given === undefined) return undefined;
  if (/^\d{4}-\d{2}-\d{2}$/.test(given)) {
    const end = Date.parse(`${given}T23:59:59`) / 1000;
    if (end > now) return end;
    throw new Failure(`--expires: ${given} is past, or no date`, { kind: 'usage' });
  }
  try {
    const seconds = readDuration(given, 'd');
    if (seconds > 0) return now + seconds;
  } catch {
    // Said below.
  }
  throw new Failure(
    `--expires: "${excerpt(given)}" is neither a duration such as 30d nor a date such as 2026-12-31`,
    {
      kind: 'usage',
    },
  );
}

async function add(argv: Arguments, outside: Process): Promise<undefined> {
  const { values } = settingsFor(argv, outside);
  const { kind, patterns } = patternsOf(wordsOf(argv), 'add');
  const now = outside.now();
  const expiresAt = expiryOf(textOf(argv, 'expires'), now);
  const comment = printable(textOf(argv, 'comment') ?? '');
  const terminal = terminalFor(values, outside);
  await withStore(values, outside, async (store) => {
    for (const pattern of patterns) {
      const entry = { kind, pattern, comment, addedAt: now, ...(expiresAt !== undefined && { expiresAt }) };
      const result = (await store.addListed(entry)) ? 'added' : 'updated';
      const until = expiresAt === undefined ? '' : ` until ${localTime(expiresAt)}`;
      if (values.json) await terminal.json({ result, kind, pattern });
      else await terminal.line(`${result} ${kind} ${printable(pattern)}${until}`);
    }
  });
  return undefined;
}

async function remove(argv: Arguments, outside: Process): Promise<number> {
  const { values } = settingsFor(argv, outside);
  const { kind, patterns } = patternsOf(wordsOf(argv), 'remove');
  const terminal = terminalFor(values, outside);
  let missing = 0;
  await withStore(values, outside, async (store) => {
    for (const pattern of patterns) {
      const result = (await store.removeListed(kind, pattern)) ? 'removed' : 'absent';
      missing += result === 'absent' ? 1 : 0;
      if (values.json) await terminal.json({ result, kind, pattern });
      else if (result === 'removed') await terminal.line(`removed ${kind} ${printable(pattern)}`);
      else outside.stderr.write(`greyctl: there is no ${kind} ${printable(pattern)} in the database\n`);
    }
  });
  return missing > 0 ? answerIsNo : 0;
}

/** One line of `whitelist list`. */
interface Listing {
  readonly kind: ListKind;
  readonly pattern: string;
  readonly comment: string;
  readonly source: string;
  readonly stored?: ListedEntry;
}

async function listings(argv: Arguments, values: Values, outside: Process): Promise<Listing[]> {
  const stored = await withExistingStore(values, outside, (store) => store.listed());
  const inFiles = argv['stored'] === true ? [] : await fileEntries(values, outside.stderr);
  return [
    ...stored.map(({ kind, pattern, comment }, index) => ({
      kind,
      pattern,
      comment,
      source: 'database',
      stored: stored[index],
    })),
    ...inFiles.map((entry) => ({
      kind: entry.kind,
      pattern: entry.pattern,
      comment: entry.comment ?? '',
      source: entryPlace(entry),
    })),
  ].map(({ stored: one, ...rest }: Omit<Listing, 'stored'> & { stored?: ListedEntry | undefined }) =>
    one ? { ...rest, stored: one } : rest,
  );
}

function listDocument({ kind, pattern, comment, source, stored }: Listing) {
  const time = (epochSeconds: number | undefined) =>
    epochSeconds === undefined ? null : timestamp(epochSeconds);
  return {
    ...{ kind, pattern, comment },
    ...{ added_at: time(stored?.addedAt), expires_at: time(stored?.expiresAt), source },
    ...{ hits: stored?.hits ?? null, last_hit: time(stored?.lastHit) },
  };
}

async function list(argv: Arguments, outside: Process): Promise<undefined> {
  const { values } = settingsFor(argv, outside);
  const rows = await listings(argv, values, outside);
  const terminal = terminalFor(values, outside);
  if (values.json) {
    for (const row of rows) await terminal.json(listDocument(row));
    return undefined;
  }
  await terminal.table(
    [
      { title: 'KIND' },
      { title: 'PATTERN', isElastic: true },
      { title: 'HITS', align: 'right' },
      { title: 'EXPIRES' },
      { title: 'SOURCE', isElastic: true },
      { title: 'COMMENT', isElastic: true },
    ],
    rows.map(({ kind, pattern, comment, source, stored }) => {
      const expires = stored?.expiresAt === undefined ? '' : localTime(stored.expiresAt);
      return [kind, pattern, stored ? String(stored.hits) : '', expires, source, comment];
    }),
  );
  return undefined;
}

/** What a word can be: a client's address, a mail address (as sender and as recipient; empty: the null sender), or a verified name. */
function subjectOf(word: string): Subject {
  const client = parseAddress(word);
  if (client) return { client };
  if (word === '') return { sender: '' };
  return word.includes('@') ? { sender: word, recipient: word } : { clientName: word };
}

async function test(argv: Arguments, outside: Process): Promise<number> {
  const { values } = settingsFor(argv, outside);
  const word = textOf(argv, 'what') ?? '';
  const matches = await withExistingStore(values, outside, async (store) => {
    const lists = await loadLists(values, store, outside.stderr);
    return lists.all(subjectOf(word), outside.now());
  });
  const terminal = terminalFor(values, outside);
  if (values.json) {
    await terminal.json(
      matches.map(({ entry }) => ({ kind: entry.kind, pattern: entry.pattern, source: entryPlace(entry) })),
    );
  } else if (matches.length === 0) {
    await terminal.line(`no entry matches ${printable(word)}`);
  } else {
    for (const { entry } of matches)
      await terminal.line(`${entry.kind} ${printable(entry.pattern)} (${entryPlace(entry)})`);
  }
  return matches.length > 0 ? 0 : answerIsNo;
}

function declarePattern(yargs: Argv): Argv {
  return yargs.positional('pattern', {
    type: 'string',
    array: true,
    demandOption: true,
    describe: 'name, address, network, user@domain, /regex/',
  });
}

/** `greyctl whitelist`: entries kept in the database, and all lists in force. */
export function declare(yargs: Argv): Argv {
  return yargs
    .example(
      '$0 whitelist add example.org --comment "their pool is too large"',
      'a client by its verified name',
    )
    .example(
      '$0 whitelist add recipient helpdesk@example.com --expires 30d',
      'mail to this address never waits',
    );
}

export const subcommands: readonly Subcommand[] = [
  {
    command: 'add <pattern..>',
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
  },
  {
    command: 'remove <pattern..>',
    describe: 'remove entries: [client|recipient|sender] PATTERN…',
    declare: declarePattern,
    run: remove,
  },
  {
    command: 'list',
    describe: 'all entries, of the database and of the files',
    declare: (yargs) =>
      declareSettings(yargs, ['decision']).option('stored', {
        type: 'boolean',
        describe: 'only those of the database',
      }),
    run: list,
  },
  {
    command: 'test <what>',
    describe: 'which entries match a client address, a verified name or a mail address',
    declare: (yargs) =>
      declareSettings(yargs, ['decision']).positional('what', { type: 'string', demandOption: true }),
    run: test,
  },
];
