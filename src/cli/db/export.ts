import { createWriteStream } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Values } from '../../config/options.js';
import { Failure } from '../../greylist/failure.js';
import { harmlessJson } from '../../greylist/printable.js';
import { allClients, allEntries, type Store } from '../../greylist/store.js';
import { openSqlite, type SqliteStore } from '../../store/sqlite/client.js';
import { timestamp } from '../../output/format.js';
import { isShared, settingsFor, type Arguments, type Process } from '../context.js';
import { exportedDocument, exportVersion } from './exported.js';
import { fileOrStream, fillNewFile, withFile, withPlainStore } from './file.js';
import { lossText, salvaging, type Losses } from './salvage.js';
import { withTemporaryDatabase } from './temporary.js';

async function* documents(
  store: Store,
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

async function* lines(store: Store, isHashed: boolean, now: number): AsyncGenerator<string> {
  for await (const document of documents(store, isHashed, now)) yield `${harmlessJson(document)}\n`;
}

/** Calls `use` with what can be read of a file that could not be copied; rejects all the same, with what is missing. */
async function exportDamaged(
  store: SqliteStore,
  use: (readable: Store) => Promise<void>,
  failed: unknown,
): Promise<void> {
  const lost: Losses = { entries: 0, others: [] };
  await use(salvaging(store, lost));
  const what = lossText(lost);
  if (what === '') throw failed;
  throw new Failure(`the database is damaged: ${what} could not be read`, {
    cause: failed,
    hint: 'move it away, and greyctl db import FILE puts what was exported into a new one',
  });
}

/** Calls `use` with all as it is at one moment: a copy; of a damaged file with what can be read. */
function withSnapshot(store: SqliteStore, use: (snapshot: Store) => Promise<void>): Promise<void> {
  return withTemporaryDatabase(async (copy) => {
    const failed = await store.backup(copy).then(
      () => undefined,
      (error: unknown) => error,
    );
    if (failed !== undefined) return exportDamaged(store, use, failed);
    const snapshot = await openSqlite(copy);
    await use(snapshot).finally(() => snapshot.close());
  });
}

/** Writes all that is remembered into a new file. */
export function writeExport(
  store: Store,
  values: Values,
  file: string,
  what: string,
  outside: Process,
): Promise<void> {
  const source = Readable.from(lines(store, values.privacy, outside.now()));
  return fillNewFile(file, what, () => pipeline(source, createWriteStream(file, { flags: 'r+' })));
}

/** `greyctl db export`: all that is remembered, as lines of JSON, in constant memory; of a damaged file what can be read, with status 1. */
export async function exportDatabase(argv: Arguments, outside: Process): Promise<undefined> {
  const { values } = settingsFor(argv, outside);
  const name = fileOrStream(argv);
  const write = async (store: Store) => {
    if (name !== '-') {
      await writeExport(store, values, path.resolve(name), 'export', outside);
      return;
    }
    await pipeline(Readable.from(lines(store, values.privacy, outside.now())), outside.stdout, {
      end: false,
    });
  };
  if (isShared(values)) await withPlainStore(values, outside, write);
  else await withFile(values, outside, (store) => withSnapshot(store, write));
  return undefined;
}
