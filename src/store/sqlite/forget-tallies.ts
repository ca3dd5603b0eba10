import type Database from 'better-sqlite3';
import type { Purged } from '../../greylist/store.js';

/** Prepares what answers `forgetTallies` of the port. */
export function tallyForgetter(db: Database.Database) {
  // Looked at first: most of the time there is nothing to write, and no lock is taken.
  const isDue = db
    .prepare(
      'SELECT EXISTS (SELECT 1 FROM tallies WHERE hour < ?) OR EXISTS (SELECT 1 FROM delays WHERE hour < ?)',
    )
    .pluck();
  const tallies = db.prepare(
    `DELETE FROM tallies WHERE (hour, verdict, reason) IN
       (SELECT hour, verdict, reason FROM tallies WHERE hour < ? ORDER BY hour, verdict, reason LIMIT ?)`,
  );
  const delays = db.prepare(
    `DELETE FROM delays WHERE (hour, seconds) IN
       (SELECT hour, seconds FROM delays WHERE hour < ? ORDER BY hour, seconds LIMIT ?)`,
  );
  return (before: number, limit: number): Purged => {
    if (isDue.get(before, before) !== 1) return { removed: 0, done: true };
    return db
      .transaction(() => {
        const counts = [tallies.run(before, limit).changes, delays.run(before, limit).changes];
        return {
          removed: counts.reduce((sum, count) => sum + count, 0),
          done: counts.every((count) => count < limit),
        };
      })
      .immediate();
  };
}
