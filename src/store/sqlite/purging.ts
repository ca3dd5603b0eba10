import type Database from 'better-sqlite3';
import { isAlive } from '../../greylist/decide.js';
import type { Rules } from '../../greylist/settings.js';
import type { EntryTable } from './entries.js';
import { closeWindowsBefore, removeClients } from './tidying.js';

export interface PurgeStep {
  readonly removed: number;
  /** Where the next step goes on; undefined when all have been looked at. */
  readonly next: number | undefined;
}

/** Removes what `rules` have forgotten at `now` among some hundred entries from id `from` on, and up to `limit` client records. */
export function purgeStep(
  db: Database.Database,
  table: EntryTable,
  now: number,
  rules: Rules,
  limit: number,
  from: number,
): PurgeStep {
  const look = () => table.look(from, (entry) => isAlive(entry, now, rules));
  let removed = closeWindowsBefore(db, now);
  // Looked at first: mostly there is nothing to write, and no lock is taken.
  if (from === 0) table.beginRound();
  let seen = look();
  if (seen.dead.length + seen.gone.length > 0) {
    db.transaction(() => {
      seen = look();
      table.clear(seen);
    }).immediate();
    removed += seen.dead.length;
  }
  table.passed(seen);
  const clients = db
    .prepare<[number, number], { address: string; lastCounted: number }>(
      'SELECT address, last_counted AS lastCounted FROM awl WHERE last_counted < ? LIMIT ?',
    )
    .all(now - rules.maxAgeSeconds, limit);
  if (clients.length > 0) removed += db.transaction(() => removeClients(db, clients)).immediate();
  return { removed, next: seen.next === Infinity ? undefined : seen.next };
}
