/** Writing that the commands do beside the server's: removing client records, and windows. */
import type Database from 'better-sqlite3';
import type { ClientRemoval, Merged, RecipientWindow } from '../../greylist/store.js';

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

/** Takes over windows from elsewhere, of two the later end; the caller holds the transaction. */
export function mergeWindows(db: Database.Database, others: readonly RecipientWindow[]): Merged {
  const merged = { added: 0, changed: 0 };
  const open = new Map(windows(db).map(({ recipient, until }) => [recipient, until]));
  for (const { recipient, until } of others) {
    const before = open.get(recipient);
    if (before !== undefined && before >= until) continue;
    merged[before === undefined ? 'added' : 'changed'] += 1;
    openWindow(db, recipient, until);
    open.set(recipient, until);
  }
  return merged;
}
