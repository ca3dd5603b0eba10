/** Writing that the commands do beside the server's: removing client records, windows, and taking over what else was exported. */
import type Database from 'better-sqlite3';
import { mergeListed } from '../../greylist/merge.js';
import type { ClientRemoval, Merged, MoreToMerge, RecipientWindow } from '../../greylist/store.js';
import { listedEntry, type ListedRow } from './rows.js';

/** Removes the client records that are there and were not counted since; says how many. */
export function removeClients(db: Database.Database, clients: readonly ClientRemoval[]): number {
  const remove = db.prepare('DELETE FROM awl WHERE address = ? AND last_counted = coalesce(?, last_counted)');
  return clients.reduce(
    (sum, { address, lastCounted }) => sum + remove.run(address, lastCounted ?? null).changes,
    0,
  );
}

/** All windows, by recipient. */
export function windows(db: Database.Database): RecipientWindow[] {
  return db
    .prepare<[], RecipientWindow>('SELECT recipient, until FROM windows ORDER BY recipient')
    .all()
    .map(({ recipient, until }) => ({ recipient, until }));
}

/** Opens a window, or moves the end of the one there is. */
export function openWindow(db: Database.Database, recipient: string, until: number): void {
  db.prepare(
    'INSERT INTO windows (recipient, until) VALUES (?, ?) ON CONFLICT DO UPDATE SET until = excluded.until',
  ).run(recipient, until);
}

/** False when there was none. */
export function closeWindow(db: Database.Database, recipient: string): boolean {
  return db.prepare('DELETE FROM windows WHERE recipient = ?').run(recipient).changes > 0;
}

/** Takes away the windows that were over at `now`; says how many. Looks first, so that mostly no lock is asked for. */
export function closeWindowsBefore(db: Database.Database, now: number): number {
  const isOver = db.prepare('SELECT 1 FROM windows WHERE until <= ?').get(now) !== undefined;
  return isOver ? db.prepare('DELETE FROM windows WHERE until <= ?').run(now).changes : 0;
}

/** Merges whitelist entries and windows; the caller holds the transaction. */
export function mergeMore(db: Database.Database, more: Pick<MoreToMerge, 'listed' | 'windows'>): Merged {
  let [added, changed] = [0, 0];
  const known = db.prepare<[string, string], ListedRow>(
    'SELECT * FROM whitelist WHERE kind = ? AND pattern = ?',
  );
  const write = db.prepare(
    `INSERT INTO whitelist (kind, pattern, comment, added_at, expires_at, hits, last_hit) VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (kind, pattern) DO UPDATE SET comment = excluded.comment, added_at = excluded.added_at,
       expires_at = excluded.expires_at, hits = excluded.hits, last_hit = excluded.last_hit`,
  );
  for (const entry of more.listed) {
    const row = known.get(entry.kind, entry.pattern);
    const before = row && listedEntry(row);
    const after = before ? mergeListed(before, entry) : entry;
    if (before && JSON.stringify(after) === JSON.stringify(mergeListed(before, before))) continue;
    if (before) changed += 1;
    else added += 1;
    const { kind, pattern, comment, addedAt, expiresAt, hits, lastHit } = after;
    write.run(kind, pattern, comment, addedAt, expiresAt ?? null, hits, lastHit ?? null);
  }
  const open = new Map(windows(db).map(({ recipient, until }) => [recipient, until]));
  for (const { recipient, until } of more.windows) {
    const before = open.get(recipient);
    if (before !== undefined && before >= until) continue;
    if (before === undefined) added += 1;
    else changed += 1;
    openWindow(db, recipient, until);
    open.set(recipient, until);
  }
  return { added, changed };
}
