import { existsSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import type { Values } from '../../config/options.js';
import { codeOf, Failure, reasonOf } from '../../greylist/failure.js';
import type { Store } from '../../greylist/store.js';
import { openSqlite, type SqliteStore } from '../../store/sqlite/client.js';
import { textOf } from '../arguments.js';
import {
  databaseLocation,
  hasDatabase,
  missingDatabase,
  openPlainStore,
  type Arguments,
  type Process,
} from '../context.js';

/** The file that was named; `-` for a stream, also where none was. */
export function fileOrStream(argv: Arguments): string {
  return textOf(argv, 'file') ?? '-';
}

/** Calls `use` with the database as it is, hashes included, and closes it; a Failure where there is none. */
export async function withPlainStore<T>(
  values: Values,
  outside: Process,
  use: (store: Store) => Promise<T>,
): Promise<T> {
  if (!hasDatabase(values, outside)) throw missingDatabase(values, outside);
  const store = await openPlainStore(values, outside);
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

/** The same for what is only done to a file. */
export async function withFile<T>(
  values: Values,
  outside: Process,
  use: (store: SqliteStore, location: string) => Promise<T>,
): Promise<T> {
  const location = databaseLocation(values, outside);
  if (!existsSync(location)) throw missingDatabase(values, outside);
  const store = await openSqlite(location);
  try {
    return await use(store, location);
  } finally {
    await store.close();
  }
}

/** Makes `file` with mode 0640, calls `fill` and waits for the disk. A file that is there is refused; one that could not be filled is removed. */
export async function fillNewFile(file: string, what: string, fill: () => Promise<void>): Promise<void> {
  const failed = (error: unknown) => {
    const why = codeOf(error) === 'EEXIST' ? 'it is there already' : reasonOf(error);
    const hint = error instanceof Failure ? error.hint : undefined;
    return new Failure(`cannot write the ${what} ${file}: ${why}`, { cause: error, ...(hint && { hint }) });
  };
  const created = await open(file, 'wx', 0o640).catch((error: unknown) => {
    throw failed(error);
  });
  try {
    await fill();
    await created.sync();
  } catch (error) {
    await rm(file, { force: true });
    throw failed(error);
  } finally {
    await created.close();
  }
}
