/** The whitelist entries that are kept in the database. */
import type Database from 'better-sqlite3';
import { holdsListed, mergeListed } from '../../greylist/merge.js';
import type { ListedEntry, ListKind, Merged, MoreToMerge, NewListedEntry } from '../../greylist/store.js';
import { listedEntry, type ListedRow } from './rows.js';

function prepareStatements(db: Database.Database) {
  return {
    all: db.prepare<[], ListedRow>('SELECT * FROM whitelist ORDER BY id'),
    find: db.prepare<[string, string], ListedRow>('SELECT * FROM whitelist WHERE kind = ? AND pattern = ?'),
    hit: db.prepare('UPDATE whitelist SET hits = hits + 1, last_hit = ? WHERE id = ?'),
    add: db.prepare(
      `INSERT INTO whitelist (kind, pattern, comment, added_at, expires_at) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET comment = excluded.comment, added_at = excluded.added_at, expires_at = excluded.expires_at`,
    ),
    write: db.prepare(
      `INSERT INTO whitelist (kind, pattern, comment, added_at, expires_at, hits, last_hit) VALUES (?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (kind, pattern) DO UPDATE SET comment = excluded.comment, added_at = excluded.added_at,
         expires_at = excluded.expires_at, hits = excluded.hits, last_hit = excluded.last_hit`,
    ),
    remove: db.prepare('DELETE FROM whitelist WHERE kind = ? AND pattern = ?'),
    revision: db.prepare<[], number>("SELECT revision FROM revisions WHERE name = 'whitelist'").pluck(),
  };
}

/** Prepares what the port asks of the whitelist. */
export function whitelistTable(db: Database.Database) {
  const sql = prepareStatements(db);
  return {
    all: (): ListedEntry[] => sql.all.all().map(listedEntry),
    revision: (): number => sql.revision.get() ?? 0,
    hit: (id: number, time: number): void => {
      sql.hit.run(time, id);
    },
    /** True when the entry is new. */
    add: ({ kind, pattern, comment, addedAt, expiresAt }: NewListedEntry): boolean =>
      db
        .transaction(() => {
          const isNew = sql.find.get(kind, pattern) === undefined;
          sql.add.run(kind, pattern, comment, addedAt, expiresAt ?? null);
          return isNew;
        })
        .immediate(),
    /** False when there was no such entry. */
    remove: (kind: ListKind, pattern: string): boolean => sql.remove.run(kind, pattern).changes > 0,
    /** Takes over entries from elsewhere; the caller holds the transaction. */
    merge: (entries: MoreToMerge['listed']): Merged => {
      const merged = { added: 0, changed: 0 };
      for (const entry of entries) {
        const row = sql.find.get(entry.kind, entry.pattern);
        const before = row && listedEntry(row);
        if (before && holdsListed(before, entry)) continue;
        const after = before ? mergeListed(before, entry) : entry;
        merged[before ? 'changed' : 'added'] += 1;
        const { kind, pattern, comment, addedAt, expiresAt, hits, lastHit } = after;
        sql.write.run(kind, pattern, comment, addedAt, expiresAt ?? null, hits, lastHit ?? null);
      }
      return merged;
    },
  };
}
