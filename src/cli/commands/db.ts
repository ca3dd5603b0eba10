import type { Argv } from 'yargs';
import type { Values } from '../../config/options.js';
import { settingsOf } from '../../config/resolve.js';
import { parseAddress } from '../../greylist/address.js';
import { isAlive, keyed } from '../../greylist/decide.js';
import { Failure } from '../../greylist/failure.js';
import { excerpt } from '../../greylist/printable.js';
import type { Settings } from '../../greylist/settings.js';
import { allEntries, type EntryFilter, type StoredEntry } from '../../greylist/store.js';
import { foldSender, networkKey } from '../../greylist/triplet.js';
import { count, duration, localTime, size, times, timestamp } from '../../output/format.js';
import { declareSettings, textOf } from '../arguments.js';
import { answerIsNo, type Subcommand } from '../command.js';
import {
  databaseLocation,
  settingsFor,
  terminalFor,
  withExistingStore,
  type Arguments,
  type Process,
} from '../context.js';
import { declareLearn, learn } from '../learn.js';
import { attemptOf, declareAttempt } from '../attempt.js';

/** Rows that are laid out as one table; a longer list is several tables under one another. */
const tableRows = 1000;

function stateOf(entry: StoredEntry, now: number, settings: Settings): string {
  if (!isAlive(entry, now, settings)) return 'expired';
  return entry.passedAt === undefined ? 'waiting' : 'passed';
}

function entryDocument(entry: StoredEntry, state: string) {
  return {
    ...entry.triplet,
    first_seen: timestamp(entry.firstSeen),
    last_seen: timestamp(entry.lastSeen),
    deferrals: entry.deferrals,
    passed_at: entry.passedAt === undefined ? null : timestamp(entry.passedAt),
    passes: entry.passes,
    state,
  };
}

async function info(argv: Arguments, outside: Process): Promise<undefined> {
  const { values } = settingsFor(argv, outside);
  const facts = await withExistingStore(values, outside, (store) => store.info());
  const terminal = terminalFor(values, outside);
  const optional = (time: number | undefined, write: (time: number) => string) =>
    time === undefined ? null : write(time);
  if (values.json) {
    await terminal.json({
      location: databaseLocation(values, outside),
      engine: facts.engine,
      schema_version: facts.schemaVersion,
      size_bytes: facts.sizeBytes,
      entries: { waiting: facts.waiting, passed: facts.passed },
      awl_clients: facts.clients,
      whitelist_entries: facts.listed,
      oldest_first_seen: optional(facts.oldestFirstSeen, timestamp),
      newest_last_seen: optional(facts.newestLastSeen, timestamp),
    });
    return undefined;
  }
  await terminal.table(
    [{ title: 'DATABASE' }, { title: databaseLocation(values, outside) }],
    [
      [
        'schema version',
        facts.engine === 'memory' ? 'there is no database yet' : String(facts.schemaVersion),
      ],
      ['size', size(facts.sizeBytes)],
      ['triplets waiting', count(facts.waiting)],
      ['triplets passed', count(facts.passed)],
      ['clients counted for the AWL', count(facts.clients)],
      ['whitelist entries', count(facts.listed)],
      ['oldest first seen', optional(facts.oldestFirstSeen, localTime) ?? '-'],
      ['newest last seen', optional(facts.newestLastSeen, localTime) ?? '-'],
    ],
  );
  return undefined;
}

const columns = [
  { title: 'STATE' },
  { title: 'FIRST SEEN' },
  { title: 'LAST SEEN' },
  { title: 'DEFERRALS', align: 'right' },
  { title: 'PASSES', align: 'right' },
  { title: 'CLIENT', isElastic: true },
  { title: 'SENDER', isElastic: true },
  { title: 'RECIPIENT', isElastic: true },
] as const;

function row(entry: StoredEntry, state: string): string[] {
  const { client, sender, recipient } = entry.triplet;
  return [
    ...[state, localTime(entry.firstSeen), localTime(entry.lastSeen)],
    ...[String(entry.deferrals), String(entry.passes), client, sender || '<>', recipient],
  ];
}

/** Addresses as they are given become what is stored of them. */
function filterOf(argv: Arguments, settings: Settings): EntryFilter {
  const given = textOf(argv, 'client');
  const client = parseAddress(given ?? '');
  const sender = textOf(argv, 'sender');
  const state = textOf(argv, 'state');
  return {
    client: client ? networkKey(client, settings) : given?.toLowerCase(),
    sender: sender === undefined ? undefined : foldSender(sender),
    recipient: textOf(argv, 'recipient')?.toLowerCase(),
    ...(state === 'passed' && { state: 'passed' }),
    ...(state === 'waiting' && { state: 'waiting' }),
  };
}

function limitOf(text: string | undefined): number {
  if (text === undefined) return Infinity;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new Failure(`--limit: "${excerpt(text)}" is not a number`, { kind: 'usage' });
}

async function list(argv: Arguments, outside: Process): Promise<undefined> {
  const { values } = settingsFor(argv, outside);
  const settings = settingsOf(values);
  const limit = limitOf(textOf(argv, 'limit'));
  const now = outside.now();
  const wanted = textOf(argv, 'state');
  const terminal = terminalFor(values, outside);
  await withExistingStore(values, outside, async (store) => {
    let shown = 0;
    let rows: string[][] = [];
    for await (const entry of allEntries(store, filterOf(argv, settings))) {
      if (shown >= limit) break;
      const state = stateOf(entry, now, settings);
      if (wanted !== undefined && state !== wanted) continue;
      shown += 1;
      if (values.json) {
        await terminal.json(entryDocument(entry, state));
        continue;
      }
      rows.push(row(entry, state));
      if (rows.length === tableRows) {
        await terminal.table(shown === tableRows ? columns : [], rows);
        rows = [];
      }
    }
    if (!values.json && (rows.length > 0 || shown === 0))
      await terminal.table(shown <= tableRows ? columns : [], rows);
  });
  return undefined;
}

async function show(argv: Arguments, outside: Process): Promise<number> {
  const { values } = settingsFor(argv, outside);
  const settings = settingsOf(values);
  const now = outside.now();
  const key = keyed(attemptOf(argv, values, now), settings);
  const memory = await withExistingStore(values, outside, (store) => store.recall(key.triplet, key.address));
  const terminal = terminalFor(values, outside);
  const { entry, client } = memory;
  const stored = entry && { ...entry, triplet: key.triplet };
  const state = stored ? stateOf(stored, now, settings) : 'unknown';
  const awl = client
    ? { address: key.address, count: client.count, last_counted: timestamp(client.lastCounted) }
    : null;
  if (values.json)
    await terminal.json({ ...(stored ? entryDocument(stored, state) : { ...key.triplet, state }), awl });
  else
    await describeEntry(
      values,
      outside,
      stored,
      state,
      client && `${key.address} counted ${times(client.count)}`,
    );
  return stored ? 0 : answerIsNo;
}

async function describeEntry(
  values: Values,
  outside: Process,
  entry: StoredEntry | undefined,
  state: string,
  awl: string | undefined,
) {
  const terminal = terminalFor(values, outside);
  if (!entry) {
    await terminal.line('this triplet is not known');
    if (awl) await terminal.line(awl);
    return;
  }
  const { client, sender, recipient } = entry.triplet;
  const waited = entry.passedAt === undefined ? '-' : duration(entry.passedAt - entry.firstSeen);
  await terminal.table(
    [{ title: 'STATE' }, { title: state }],
    [
      ['client', client],
      ['sender', sender || '<>'],
      ['recipient', recipient],
      ['first seen', localTime(entry.firstSeen)],
      ['last seen', localTime(entry.lastSeen)],
      ['deferrals', String(entry.deferrals)],
      ['passed', entry.passedAt === undefined ? '-' : localTime(entry.passedAt)],
      ['had waited', waited],
      ['passes', String(entry.passes)],
      ['auto-whitelist', awl ?? '-'],
    ],
  );
}

/** `greyctl db`: look into the database, also while the server runs. */
export function declare(yargs: Argv): Argv {
  return yargs
    .example('$0 db list --state waiting --recipient bob@example.org', 'who waits to write to Bob')
    .example(
      '$0 db show --client 192.0.2.5 --sender alice@example.com --recipient bob@example.org',
      'one triplet',
    );
}

export const subcommands: readonly Subcommand[] = [
  { command: 'info', describe: 'how much there is, and since when', declare: (yargs) => yargs, run: info },
  {
    command: 'list',
    describe: 'the triplets',
    declare: (yargs) =>
      declareSettings(yargs, ['decision'])
        .option('client', {
          type: 'string',
          requiresArg: true,
          describe: 'only this client: an address, or the client key as it is stored',
        })
        .option('sender', { type: 'string', describe: 'only this sender' })
        .option('recipient', { type: 'string', requiresArg: true, describe: 'only this recipient' })
        .option('state', { choices: ['waiting', 'passed', 'expired'], describe: 'only these' })
        .option('limit', { type: 'string', requiresArg: true, describe: 'at most so many [N]' }),
    run: list,
  },
  { command: 'show', describe: 'what is remembered of one attempt', declare: declareAttempt, run: show },
  {
    command: 'learn <log..>',
    describe: 'remember what mail logs prove, so that no known correspondent waits',
    declare: declareLearn,
    run: learn,
  },
];
