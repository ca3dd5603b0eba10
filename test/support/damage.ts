import { closeSync, openSync, writeSync } from 'node:fs';
import Database from 'better-sqlite3';

/** Overwrites the leaf pages of a table that lie between two parts of its pages, and says how many. */
export function damageTable(file: string, table: string, from: number, to: number): number {
  const db = new Database(file);
  db.pragma('wal_checkpoint(TRUNCATE)');
  const pages = db
    .prepare<[string], number>("SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY path")
    .pluck()
    .all(table);
  const size = Number(db.pragma('page_size', { simple: true }));
  db.close();
  const bad = pages.slice(Math.floor(pages.length * from), Math.floor(pages.length * to));
  const descriptor = openSync(file, 'r+');
  for (const page of bad) writeSync(descriptor, Buffer.alloc(size, 0x5a), 0, size, (page - 1) * size);
  closeSync(descriptor);
  return bad.length;
}
