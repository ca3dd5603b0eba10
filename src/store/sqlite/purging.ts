import type Database from 'better-sqlite3';
import { isAlive } from '../../greylist/decide.js';
import type { Rules } from '../../greylist/settings.js';
import type { clientTable } from './clients.js';
import type { EntryTable } from './entries.js';
import type { windowTable } from './windows.js';

/** What is purged. */
export interface Tables {
  readonly entries: EntryTable;
  readonly clients: ReturnType<typeof clientTable>;
  readonly windows: ReturnType<typeof windowTable>;
}

export interface PurgeStep {
  readonly removed: number;
  /** Where the next step goes on; undefined when all have been looked at. */
  readonly next: number | undefined;
}

/** Removes what `rules` have forgotten at `now` among some hundred entries from id `from` on, and up to `limit` client records. */
export function purgeStep(
  db: Database.Database,
  { entries, clients, windows }: Tables,
  now: number,
  rules: Rules,
  limit: number,
  from: number,
): PurgeStep {
  const look = () => entries.look(from, (entry) => isAlive(entry, now, rules));
  let removed = windows.closeBefore(now);
  // Looked at first: mostly there is nothing to write, and no lock is taken.
  if (from === 0) entries.beginRound();
  let seen = look();
  if (seen.dead.length + seen.gone.length > 0) {
    db.transaction(() => {
      seen = look();
      entries.clear(seen);
    }).immediate();
    removed += seen.dead.length;
  }
  entries.passed(seen);
  removed += clients.removeBefore(now - rules.maxAgeSeconds, limit);
  return { removed, next: seen.next === Infinity ? undefined : seen.next };
}
