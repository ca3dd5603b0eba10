import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import type { Values } from '../../config/options.js';
import { codeOf, Failure, reasonOf } from '../../greylist/failure.js';
import type {
  HourlyDelay,
  ListedEntry,
  Merged,
  RecipientWindow,
  Store,
  StoredClient,
  StoredEntry,
  Tally,
} from '../../greylist/store.js';
import { count, counted } from '../../output/format.js';
import { hashed, privacyKey } from '../../store/privacy.js';
import { openSqlite } from '../../store/sqlite/client.js';
import {
  isShared,
  makeDatabaseFolder,
  openPlainStore,
  privacyKeyFile,
  settingsFor,
  terminalFor,
  type Arguments,
  type Process,
} from '../context.js';
import { copyAll } from './copy.js';
import { BadLine, exportVersion, fieldsOf, readLine } from './exported.js';
import { fileOrStream } from './file.js';
import { withTemporaryDatabase } from './temporary.js';

/** Lines that are put away in one step. */
const batchLines = 1000;

/** Lines of a file by what they hold. */
interface Batch {
  readonly entries: StoredEntry[];
  readonly clients: StoredClient[];
  readonly windows: RecipientWindow[];
  readonly listed: Omit<ListedEntry, 'id'>[];
  readonly tallies: Tally[];
  readonly delays: HourlyDelay[];
}

/** Lines ended by LF, without it; the last may lack it. */
async function* linesOf(source: Readable): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of source.setEncoding('utf8')) {
    const parts = (rest + String(chunk)).split('\n');
    rest = parts.pop() ?? '';
    yield* parts;
  }
  if (rest !== '') yield rest;
}

function isHashedIn(header: string): boolean {
  const fields = fieldsOf(header);
  if (fields['greyctl_export'] !== exportVersion)
    throw new BadLine(`it does not begin an export of version ${exportVersion}`);
  return fields['hashed'] === true;
}

function emptyBatch(): Batch {
  return { entries: [], clients: [], windows: [], listed: [], tallies: [], delays: [] };
}

function take(batch: Batch, text: string): void {
  const { type, value } = readLine(fieldsOf(text));
  switch (type) {
    case 'entry':
      batch.entries.push(value);
      break;
    case 'awl':
      batch.clients.push(value);
      break;
    case 'window':
      batch.windows.push(value);
      break;
    case 'whitelist':
      batch.listed.push(value);
      break;
    case 'tally':
      batch.tallies.push(value);
      break;
    case 'delay':
      batch.delays.push(value);
      break;
  }
}

/** How much was read. */
interface Numbers {
  entries: number;
  awl_clients: number;
  windows: number;
  whitelist_entries: number;
}

/** Puts all lines into the store that `open` gives, a batch at a time; a Failure names the first bad line. */
async function readAll(
  source: Readable,
  name: string,
  open: (isHashed: boolean) => Promise<Store>,
): Promise<Numbers> {
  const numbers = { entries: 0, awl_clients: 0, windows: 0, whitelist_entries: 0 };
  let store: Store | undefined;
  let batch = emptyBatch();
  let number = 0;
  const putAway = async () => {
    const { entries, clients, ...more } = batch;
    numbers.entries += entries.length;
    numbers.awl_clients += clients.length;
    numbers.windows += more.windows.length;
    numbers.whitelist_entries += more.listed.length;
    batch = emptyBatch();
    await store?.merge(entries, clients, more);
  };
  try {
    for await (const line of linesOf(source)) {
      number += 1;
      if (store) take(batch, line);
      else store = await open(isHashedIn(line));
      if (number % batchLines === 0) await putAway();
    }
    if (!store) throw new BadLine('the file is empty');
    await putAway();
    return numbers;
  } catch (error) {
    if (error instanceof BadLine)
      throw new Failure(
        `cannot import ${name}: line ${Math.max(1, number)}: ${error.message}; nothing was written`,
      );
    if (codeOf(error) !== undefined)
      throw new Failure(`cannot read ${name}: ${reasonOf(error)}`, { cause: error });
    throw error;
  } finally {
    await store?.close();
  }
}

/** Opens `file` for what the export holds: hashes go in as they are; addresses become hashes where the database holds those. */
async function openFor(isHashed: boolean, file: string, values: Values, outside: Process): Promise<Store> {
  if (isHashed && !values.privacy)
    throw new Failure('cannot import keyed hashes into a database of addresses', {
      kind: 'usage',
      hint: 'give --privacy, with the key of the database that was exported beside this one',
    });
  const store = await openSqlite(file);
  if (isHashed || !values.privacy) return store;
  return hashed(store, await privacyKey(privacyKeyFile(values, outside)));
}

/** Merges what `file` holds into the database: in one step into a file, in many into a shared one. */
async function mergeInto(file: string, values: Values, outside: Process): Promise<Merged> {
  if (!isShared(values)) {
    const store = await openSqlite(makeDatabaseFolder(values, outside), values.durability);
    return store.mergeFrom(file).finally(() => store.close());
  }
  const [from, to] = [await openSqlite(file), await openPlainStore(values, outside)];
  try {
    return (await copyAll(from, to, outside.now)).merged;
  } finally {
    await Promise.all([from.close(), to.close()]);
  }
}

/** `greyctl db import`: merges an export, all of it or nothing; until all is read it is kept in a database beside. */
export async function importDatabase(argv: Arguments, outside: Process): Promise<undefined> {
  const { values } = settingsFor(argv, outside);
  const name = fileOrStream(argv);
  const { numbers, added, changed } = await withTemporaryDatabase(async (file) => {
    const source = name === '-' ? process.stdin : createReadStream(name);
    const read = await readAll(source, name, (isHashed) => openFor(isHashed, file, values, outside));
    return { numbers: read, ...(await mergeInto(file, values, outside)) };
  });
  const terminal = terminalFor(values, outside);
  if (values.json) await terminal.json({ ...numbers, added, changed });
  else {
    const read = [
      counted(numbers.entries, 'entry', 'entries'),
      counted(numbers.awl_clients, 'AWL record', 'AWL records'),
      counted(numbers.windows, 'window', 'windows'),
    ].join(', ');
    const last = counted(numbers.whitelist_entries, 'whitelist entry', 'whitelist entries');
    await terminal.line(`read ${read} and ${last}; ${count(added)} were new, ${count(changed)} changed`);
  }
  return undefined;
}
