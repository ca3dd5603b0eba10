import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { codeOf, Failure, reasonOf } from '../../greylist/failure.js';
import type {
  HourlyDelay,
  ListedEntry,
  Merged,
  RecipientWindow,
  StoredClient,
  StoredEntry,
  Tally,
} from '../../greylist/store.js';
import { count, counted } from '../../output/format.js';
import { openSqlite } from '../../store/sqlite/client.js';
import {
  makeDatabaseFolder,
  settingsFor,
  terminalFor,
  withStore,
  type Arguments,
  type Process,
} from '../context.js';
import { BadLine, exportVersion, fieldsOf, readLine } from './exported.js';
import { fileOrStream } from './file.js';

interface Imported {
  readonly isHashed: boolean;
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

function nothingYet(isHashed: boolean): Imported {
  return { isHashed, entries: [], clients: [], windows: [], listed: [], tallies: [], delays: [] };
}

function take(imported: Imported, text: string): void {
  const { type, value } = readLine(fieldsOf(text));
  switch (type) {
    case 'entry':
      imported.entries.push(value);
      break;
    case 'awl':
      imported.clients.push(value);
      break;
    case 'window':
      imported.windows.push(value);
      break;
    case 'whitelist':
      imported.listed.push(value);
      break;
    case 'tally':
      imported.tallies.push(value);
      break;
    case 'delay':
      imported.delays.push(value);
      break;
  }
}

/** Reads everything before anything is written; a Failure names the first bad line. */
async function readAll(source: Readable, name: string): Promise<Imported> {
  let imported: Imported | undefined;
  let number = 0;
  try {
    for await (const line of linesOf(source)) {
      number += 1;
      if (imported) take(imported, line);
      else imported = nothingYet(isHashedIn(line));
    }
    if (!imported) throw new BadLine('the file is empty');
    return imported;
  } catch (error) {
    if (error instanceof BadLine)
      throw new Failure(
        `cannot import ${name}: line ${Math.max(1, number)}: ${error.message}; nothing was written`,
      );
    if (codeOf(error) !== undefined)
      throw new Failure(`cannot read ${name}: ${reasonOf(error)}`, { cause: error });
    throw error;
  }
}

/** Hashes go in as they are; addresses become hashes where the database holds those. */
async function write(imported: Imported, argv: Arguments, outside: Process): Promise<Merged> {
  const { values } = settingsFor(argv, outside);
  const { isHashed, entries, clients, ...more } = imported;
  if (!isHashed) return withStore(values, outside, (store) => store.merge(entries, clients, more));
  if (!values.privacy)
    throw new Failure('cannot import keyed hashes into a database of addresses', {
      kind: 'usage',
      hint: 'give --privacy, with the key of the database that was exported beside this one',
    });
  const store = await openSqlite(makeDatabaseFolder(values, outside));
  try {
    return await store.merge(entries, clients, more);
  } finally {
    await store.close();
  }
}

/** `greyctl db import`: merges an export, all of it or nothing. */
export async function importDatabase(argv: Arguments, outside: Process): Promise<undefined> {
  const { values } = settingsFor(argv, outside);
  const name = fileOrStream(argv);
  const imported = await readAll(name === '-' ? process.stdin : createReadStream(name), name);
  const { added, changed } = await write(imported, argv, outside);
  const terminal = terminalFor(values, outside);
  const numbers = {
    entries: imported.entries.length,
    awl_clients: imported.clients.length,
    windows: imported.windows.length,
    whitelist_entries: imported.listed.length,
  };
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
