import type Database from 'better-sqlite3';
import { isAlive } from '../../greylist/decide.js';
import type { Rules } from '../../greylist/settings.js';
import type { Triplet } from '../../greylist/triplet.js';
import { entryOf, type EntryRow } from './rows.js';
import { closeWindowsBefore, remove } from './tidying.js';

export interface PurgeStep {
  readonly removed: number;
  /** Where the next step goes on; undefined when all have been looked at. */
  readonly upTo: Triplet | undefined;
}

/** Removes what `rules` have forgotten at `now` among the next `limit` entries after `after` and as many client records. */
export function purgeStep(
  db: Database.Database,
  now: number,
  rules: Rules,
  limit: number,
  after: Triplet = { client: '', sender: '', recipient: '' },
): PurgeStep {
  const rows = db
    .prepare<[string, string, string, number], EntryRow>(
      'SELECT * FROM entries WHERE (client, sender, recipient) > (?, ?, ?) ORDER BY client, sender, recipient LIMIT ?',
    )
    .all(after.client, after.sender, after.recipient, limit);
  // As they were read: another process may have used them meanwhile.
  const expired = rows
    .filter((row) => !isAlive(entryOf(row), now, rules))
    .map((row) => ({ triplet: row, lastSeen: row.last_seen }));
  const clients = db
    .prepare<[number, number], { address: string; lastCounted: number }>(
      'SELECT address, last_counted AS lastCounted FROM awl WHERE last_counted < ? LIMIT ?',
    )
    .all(now - rules.maxAgeSeconds, limit);
  let removed = closeWindowsBefore(db, now);
  if (expired.length + clients.length > 0) {
    removed += db.transaction(() => remove(db, expired, clients)).immediate();
  }
  return { removed, upTo: rows.length < limit ? undefined : rows.at(-1) };
}
