import type { Argv } from 'yargs';
import { readDuration } from '../../config/value.js';
import { parseAddress, type Address } from '../../greylist/address.js';
import { Failure } from '../../greylist/failure.js';
import { excerpt, printable } from '../../greylist/printable.js';
import type { ListedEntry, ListKind } from '../../greylist/store.js';
import { localTime, timestamp } from '../../output/format.js';
import type { Match } from '../../whitelist/matcher.js';
import { parseLine, type Entry } from '../../whitelist/syntax.js';
import { declareSettings, textOf } from '../arguments.js';
import type { Subcommand } from '../command.js';
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
const answerIsNo = 3;

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
  const { kind, patterns } = patternsOf(argv['pattern'] as string[], 'add');
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
  const { kind, patterns } = patternsOf(argv['pattern'] as string[], 'remove');
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

function listDocument(entry: Entry, listed: ListedEntry | undefined) {
  return {
    kind: entry.kind,
    pattern: entry.pattern,
    comment: entry.comment ?? '',
    added_at: listed ? timestamp(listed.addedAt) : null,
    expires_at: listed?.expiresAt === undefined ? null : timestamp(listed.expiresAt),
    source: entryPlace(entry),
    hits: listed?.hits ?? null,
    last_hit: listed?.lastHit === undefined ? null : timestamp(listed.lastHit),
  };
}

async function list(argv: Arguments, outside: Process): Promise<undefined> {
  const { values } = settingsFor(argv, outside);
  const stored = await withExistingStore(values, outside, (store) => store.listed());
  const documents = [
    ...stored.map((listed) => ({
      entry: { ...listed, origin: { store: listed.id } } as unknown as Entry,
      listed,
    })),
    ...(argv['stored'] === true ? [] : await fileEntries(values, outside.stderr)).map((entry) => ({
      entry,
      listed: undefined,
    })),
  ].map(({ entry, listed }) => listDocument(entry, listed));
  const terminal = terminalFor(values, outside);
  if (values.json) {
    for (const document of documents) await terminal.json(document);
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
    documents.map((row) => [
      row.kind,
      row.pattern,
      row.hits === null ? '' : String(row.hits),
      row.expires_at ?? '',
      row.source,
      row.comment,
    ]),
  );
  return undefined;
}

const nowhere: Address = { family: 4, bytes: [0, 0, 0, 0] };

function subjectOf(word: string) {
  const nobody = { client: nowhere, clientName: '', sender: '', recipient: '' };
  const client = parseAddress(word);
  if (client) return { ...nobody, client };
  if (word.includes('@')) return { ...nobody, sender: word, recipient: word };
  return { ...nobody, clientName: word };
}

/** An address that was not asked about must not match. */
function isAskedFor({ entry }: Match, word: string): boolean {
  if (word.includes('@')) return entry.kind !== 'client';
  return entry.kind === 'client' && (entry.rule.type !== 'network' || parseAddress(word) !== undefined);
}

async function test(argv: Arguments, outside: Process): Promise<number> {
  const { values } = settingsFor(argv, outside);
  const word = textOf(argv, 'what') ?? '';
  const matches = await withExistingStore(values, outside, async (store) => {
    const lists = await loadLists(values, store, outside.stderr);
    return lists.all(subjectOf(word), outside.now()).filter((match) => isAskedFor(match, word));
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
