/** What is done to the file as a whole. Nothing here keeps a server from writing for longer than a few milliseconds. */
import type Database from 'better-sqlite3';
import type { StoreInfo } from '../../greylist/store.js';
import { schemaVersion } from './schema.js';

export interface Checked {
  /** What SQLite's integrity_check found; empty when all is well. */
  readonly problems: readonly string[];
}

export interface Vacuumed {
  readonly sizeBytes: number;
  /** Pages that are still unused. */
  readonly unusedPages: number;
}

function pragmaNumber(db: Database.Database, name: string): number {
  return Number(db.pragma(name, { simple: true }));
}

function sizeBytes(db: Database.Database): number {
  return pragmaNumber(db, 'page_count') * pragmaNumber(db, 'page_size');
}

/** How much there is, and since when. */
export function information(db: Database.Database): StoreInfo {
  const row = db
    .prepare<[], { waiting: number; passed: number; oldest: number | null; newest: number | null }>(
      `SELECT count(*) - count(passed_at) AS waiting, count(passed_at) AS passed,
         min(first_seen) AS oldest, max(last_seen) AS newest FROM entries`,
    )
    .get();
  const count = (table: 'awl' | 'whitelist') =>
    Number(db.prepare(`SELECT count(*) FROM ${table}`).pluck().get());
  return {
    engine: 'sqlite',
    schemaVersion,
    sizeBytes: sizeBytes(db),
    waiting: row?.waiting ?? 0,
    passed: row?.passed ?? 0,
    clients: count('awl'),
    listed: count('whitelist'),
    ...(row?.oldest != null && { oldestFirstSeen: row.oldest }),
    ...(row?.newest != null && { newestLastSeen: row.newest }),
  };
}

/** Writes a copy of one moment into `file`, which must be empty or not there; writers go on meanwhile. */
export function backup(db: Database.Database, file: string): void {
  db.prepare('VACUUM INTO ?').run(file);
}

/** Looks at every page and index. */
export function check(db: Database.Database): Checked {
  const rows = db.pragma('integrity_check(20)') as { integrity_check: string }[];
  return { problems: rows.map((row) => row.integrity_check).filter((text) => text !== 'ok') };
}

/** Gives up to `pages` unused pages back to the file system; says what is left. */
export function vacuum(db: Database.Database, pages: number): Vacuumed {
  if (pages > 0) {
    db.pragma(`incremental_vacuum(${pages})`);
    db.pragma('wal_checkpoint(PASSIVE)');
  }
  return { sizeBytes: sizeBytes(db), unusedPages: pragmaNumber(db, 'freelist_count') };
}
