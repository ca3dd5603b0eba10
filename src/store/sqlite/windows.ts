/** Recipients all of whose mail passes for a while. */
import type Database from 'better-sqlite3';
import { laterWindows } from '../../greylist/merge.js';
import type { Merged, RecipientWindow } from '../../greylist/store.js';

function prepareStatements(db: Database.Database) {
  return {
    all: db.prepare<[], RecipientWindow>('SELECT recipient, until FROM windows ORDER BY recipient'),
    until: db.prepare<[string], number>('SELECT until FROM windows WHERE recipient = ?').pluck(),
    open: db.prepare(
      'INSERT INTO windows (recipient, until) VALUES (?, ?) ON CONFLICT DO UPDATE SET until = excluded.until',
    ),
    close: db.prepare('DELETE FROM windows WHERE recipient = ?'),
    isOver: db.prepare('SELECT 1 FROM windows WHERE until <= ?'),
    closeBefore: db.prepare('DELETE FROM windows WHERE until <= ?'),
  };
}

/** Prepares what the port asks of windows. */
export function windowTable(db: Database.Database) {
  const sql = prepareStatements(db);
  const all = (): RecipientWindow[] => sql.all.all().map(({ recipient, until }) => ({ recipient, until }));
  return {
    /** By recipient. */
    all,
    /** Until when the recipient's window is open, epoch seconds; undefined when there is none. */
    until: (recipient: string): number | undefined => sql.until.get(recipient),
    /** Opens a window, or moves the end of the one there is. */
    open: (recipient: string, until: number): void => {
      sql.open.run(recipient, until);
    },
    /** False when there was none. */
    close: (recipient: string): boolean => sql.close.run(recipient).changes > 0,
    /** Takes away the windows that were over at `now`; says how many. Looks first, so that mostly no lock is asked for. */
    closeBefore: (now: number): number =>
      sql.isOver.get(now) === undefined ? 0 : sql.closeBefore.run(now).changes,
    /** Takes over windows from elsewhere, of two the later end; the caller holds the transaction. */
    merge: (others: readonly RecipientWindow[]): Merged => {
      const open = new Map(all().map(({ recipient, until }) => [recipient, until]));
      const { later, merged } = laterWindows(open, others);
      for (const { recipient, until } of later) sql.open.run(recipient, until);
      return merged;
    },
  };
}
