import type { Values } from '../../config/options.js';
import type { ListedEntry, ListKind } from '../../greylist/store.js';
import { localTime, timestamp } from '../../output/format.js';
import { declareSettings } from '../arguments.js';
import type { Subcommand } from '../command.js';
import { settingsFor, terminalFor, withExistingStore, type Arguments, type Process } from '../context.js';
import { entryPlace, fileEntries } from '../lists.js';

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

/** Prints every entry. */
export const listCommand: Subcommand = {
  command: 'list',
  describe: 'all entries, of the database and of the files',
  declare: (yargs) =>
    declareSettings(yargs, ['decision']).option('stored', {
      type: 'boolean',
      describe: 'only those of the database',
    }),
  run: list,
};
