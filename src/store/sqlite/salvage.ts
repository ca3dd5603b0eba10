/**
 * Reading of a damaged file: whatever lies on pages that cannot be read is left out and counted, and the reading goes on behind them.
 * SQLite finds a row by its id without looking at the pages of others, so of entries only those on bad pages are lost; the other tables
 * are read from both ends up to the first bad page.
 */
import type Database from 'better-sqlite3';
import { codeOf } from '../../greylist/failure.js';
import type { Page, StoredClient, StoredEntry } from '../../greylist/store.js';
import { selectEntries } from './listing.js';
import { storedEntry, type EntryRow } from './rows.js';

/** A page of entries, and of how many ids nobody can say what they held. */
export interface SalvagedEntries extends Page<StoredEntry> {
  readonly lost: number;
}

/** A page of auto-whitelist records; when it is not complete nobody can say how many are missing. */
export interface SalvagedClients extends Page<StoredClient> {
  readonly isComplete: boolean;
}

function isUnreadable(error: unknown): boolean {
  return /^SQLITE_(CORRUPT|IOERR)/.test(codeOf(error) ?? '');
}

/** What `read` gives; undefined where the file cannot be read. */
function readable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (isUnreadable(error)) return undefined;
    throw error;
  }
}

/** Up to `limit` entries from `from` on, which is an id. */
export function salvageEntries(db: Database.Database, limit: number, from = '1'): SalvagedEntries {
  const whole = readable(() => selectEntries(db, {}, limit, from));
  if (whole) return { ...whole, lost: 0 };
  const rows = db.prepare<[number, number], EntryRow>(
    'SELECT * FROM entries WHERE id BETWEEN ? AND ? ORDER BY id',
  );
  const found: StoredEntry[] = [];
  let lost = 0;
  const read = (first: number, last: number): void => {
    const part = readable(() => rows.all(first, last));
    if (part) found.push(...part.map(storedEntry));
    else if (first === last) lost += 1;
    else {
      const middle = Math.floor((first + last) / 2);
      read(first, middle);
      read(middle + 1, last);
    }
  };
  // Ids are given out one after the other; the last one is kept on a page of its own.
  const lastId = db
    .prepare<[], number>("SELECT seq FROM sqlite_sequence WHERE name = 'entries'")
    .pluck()
    .get();
  const end = Math.min(Number(from) + limit - 1, lastId ?? 0);
  read(Number(from), end);
  return { found, lost, ...(end < (lastId ?? 0) && { next: String(end + 1) }) };
}

/** Up to `limit` auto-whitelist records behind the address `from`; where that fails, all that can be reached from either end. */
export function salvageClients(db: Database.Database, limit: number, from = ''): SalvagedClients {
  const found: StoredClient[] = [];
  const collect = (order: 'ASC' | 'DESC', after: string, most: number): boolean => {
    const rows = db.prepare<[string, number], StoredClient>(
      `SELECT address, count, last_counted AS lastCounted FROM awl WHERE address > ? ORDER BY address ${order} LIMIT ?`,
    );
    const isRead = readable(() => {
      for (const client of rows.iterate(after, most)) found.push(client);
      return true;
    });
    return isRead ?? false;
  };
  if (collect('ASC', from, limit))
    return { found, isComplete: true, next: found.length === limit ? found.at(-1)?.address : undefined };
  collect('DESC', found.at(-1)?.address ?? from, -1);
  return { found, isComplete: false };
}
