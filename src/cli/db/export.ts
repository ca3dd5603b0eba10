import { createWriteStream } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { harmlessJson } from '../../greylist/printable.js';
import { allClients, allEntries } from '../../greylist/store.js';
import { openSqlite, type SqliteStore } from '../../store/sqlite/client.js';
import { timestamp } from '../../output/format.js';
import { settingsFor, type Arguments, type Process } from '../context.js';
import { exportedDocument, exportVersion } from './exported.js';
import { fileOrStream, fillNewFile, withFile } from './file.js';
import { withTemporaryDatabase } from './temporary.js';

async function* documents(
  store: SqliteStore,
  isHashed: boolean,
  now: number,
): AsyncGenerator<Record<string, unknown>> {
  yield { greyctl_export: exportVersion, exported_at: timestamp(now), hashed: isHashed };
  for await (const value of allEntries(store, {})) yield exportedDocument({ type: 'entry', value });
  for await (const value of allClients(store)) yield exportedDocument({ type: 'awl', value });
  for (const value of await store.windows()) yield exportedDocument({ type: 'window', value });
  for (const value of await store.listed()) yield exportedDocument({ type: 'whitelist', value });
  for (const value of await store.tallies(0)) yield exportedDocument({ type: 'tally', value });
  for (const value of await store.hourlyDelays()) yield exportedDocument({ type: 'delay', value });
}

async function* lines(store: SqliteStore, isHashed: boolean, now: number): AsyncGenerator<string> {
  for await (const document of documents(store, isHashed, now)) yield `${harmlessJson(document)}\n`;
}

/** Calls `use` with all as it is at one moment: a copy. */
function withSnapshot(store: SqliteStore, use: (snapshot: SqliteStore) => Promise<void>): Promise<void> {
  return withTemporaryDatabase(async (copy) => {
    await store.backup(copy);
    const snapshot = await openSqlite(copy);
    await use(snapshot).finally(() => snapshot.close());
  });
}

/** `greyctl db export`: all that is remembered, as lines of JSON, in constant memory. */
export async function exportDatabase(argv: Arguments, outside: Process): Promise<undefined> {
  const { values } = settingsFor(argv, outside);
  const name = fileOrStream(argv);
  const write = async (store: SqliteStore) => {
    const source = Readable.from(lines(store, values.privacy, outside.now()));
    if (name === '-') {
      await pipeline(source, outside.stdout, { end: false });
      return;
    }
    const file = path.resolve(name);
    await fillNewFile(file, 'export', () => pipeline(source, createWriteStream(file, { flags: 'r+' })));
  };
  await withFile(values, outside, (store) => withSnapshot(store, write));
  return undefined;
}
