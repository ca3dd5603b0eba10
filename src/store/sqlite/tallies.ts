/** The counts of what was decided, by hour. */
import { randomUUID } from 'node:crypto';
import type Database from 'better-sqlite3';
import type { Decision, PreparedAttempt } from '../../greylist/decide.js';
import type {
  CountsMove,
  DelayTally,
  HourlyDelay,
  MoreToMerge,
  Purged,
  Tally,
} from '../../greylist/store.js';
import { attemptsOf, delayClass, newestHour, tallyHour, tallyKey } from '../tally.js';

const afterAllHours = Number.MAX_SAFE_INTEGER;

function prepareStatements(db: Database.Database) {
  return {
    add: db.prepare(
      `INSERT INTO tallies (hour, verdict, reason, count) VALUES (?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET count = count + excluded.count`,
    ),
    since: db.prepare<[number], Tally>(
      'SELECT hour, verdict, reason, count FROM tallies WHERE hour >= ? ORDER BY hour, verdict, reason',
    ),
    addDelay: db.prepare(
      `INSERT INTO delays (hour, seconds, count) VALUES (?, ?, ?)
       ON CONFLICT DO UPDATE SET count = count + excluded.count`,
    ),
    merge: db.prepare(
      `INSERT INTO tallies (hour, verdict, reason, count) VALUES (?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET count = max(count, excluded.count)`,
    ),
    mergeDelay: db.prepare(
      `INSERT INTO delays (hour, seconds, count) VALUES (?, ?, ?)
       ON CONFLICT DO UPDATE SET count = max(count, excluded.count)`,
    ),
    hourlyDelays: db.prepare<[], HourlyDelay>(
      'SELECT hour, seconds, count FROM delays ORDER BY hour, seconds',
    ),
    delaysSince: db.prepare<[number], DelayTally>(
      'SELECT seconds, sum(count) AS count FROM delays WHERE hour >= ? GROUP BY seconds ORDER BY seconds',
    ),
    // Looked at first: most of the time there is nothing to forget, and no lock is taken.
    isDue: db
      .prepare(
        'SELECT EXISTS (SELECT 1 FROM tallies WHERE hour < ?) OR EXISTS (SELECT 1 FROM delays WHERE hour < ?)',
      )
      .pluck(),
    forget: db.prepare(
      `DELETE FROM tallies WHERE (hour, verdict, reason) IN
         (SELECT hour, verdict, reason FROM tallies WHERE hour < ? ORDER BY hour, verdict, reason LIMIT ?)`,
    ),
    forgetDelays: db.prepare(
      `DELETE FROM delays WHERE (hour, seconds) IN
         (SELECT hour, seconds FROM delays WHERE hour < ? ORDER BY hour, seconds LIMIT ?)`,
    ),
    oldest: db.prepare<[number], Tally>(
      'SELECT hour, verdict, reason, count FROM tallies ORDER BY hour, verdict, reason LIMIT ?',
    ),
    oldestDelays: db.prepare<[number], HourlyDelay>(
      'SELECT hour, seconds, count FROM delays ORDER BY hour, seconds LIMIT ?',
    ),
    taken: db.prepare<[], string>('SELECT move FROM counts_taken').pluck(),
    take: db.prepare('INSERT INTO counts_taken (id, move) VALUES (?, ?)'),
    moved: db.prepare('DELETE FROM counts_taken WHERE id = ?'),
    addMove: db.prepare('INSERT INTO counts_added (id, hour) VALUES (?, ?) ON CONFLICT DO NOTHING'),
    forgetMoves: db.prepare('DELETE FROM counts_added WHERE hour < ?'),
  };
}

/** Prepares counting and what the port asks of the counts. */
export function tallyTables(db: Database.Database) {
  const sql = prepareStatements(db);
  return {
    /** Counts a batch; the caller holds the transaction. */
    add: (attempts: readonly PreparedAttempt[], decisions: readonly Decision[]): void => {
      const counts = new Map<string, Tally>();
      for (const [index, attempt] of attempts.entries()) {
        const decision = decisions[index];
        if (!decision) continue;
        const { verdict, reason, delaySeconds } = decision;
        const key = tallyKey(attempt.time, decision);
        const count = (counts.get(key)?.count ?? 0) + attemptsOf(attempt);
        counts.set(key, { hour: tallyHour(attempt.time), verdict, reason, count });
        if (delaySeconds !== undefined)
          sql.addDelay.run(tallyHour(attempt.time), delayClass(delaySeconds), 1);
      }
      for (const { hour, verdict, reason, count } of counts.values())
        sql.add.run(hour, verdict, reason, count);
    },
    since: (time: number): Tally[] => sql.since.all(time),
    delaysSince: (time: number): DelayTally[] => sql.delaysSince.all(time),
    hourlyDelays: (): HourlyDelay[] => sql.hourlyDelays.all(),
    /** Of two counts the larger: an import that is done again counts nothing twice. The caller holds the transaction. */
    merge: ({ tallies, delays }: Pick<MoreToMerge, 'tallies' | 'delays'>): void => {
      for (const { hour, verdict, reason, count } of tallies) sql.merge.run(hour, verdict, reason, count);
      for (const { hour, seconds, count } of delays) sql.mergeDelay.run(hour, seconds, count);
    },
    addCounts: ({ id, tallies, delays }: CountsMove): void => {
      db.transaction(() => {
        if (sql.addMove.run(id, newestHour([...tallies, ...delays])).changes === 0) return;
        for (const { hour, verdict, reason, count } of tallies) sql.add.run(hour, verdict, reason, count);
        for (const { hour, seconds, count } of delays) sql.addDelay.run(hour, seconds, count);
      }).immediate();
    },
    takeCounts: (limit: number): CountsMove | undefined =>
      db
        .transaction(() => {
          const taken = sql.taken.get();
          // Written below, and by nobody else.
          if (taken) return JSON.parse(taken) as CountsMove;
          const [tallies, delays] = [sql.oldest.all(limit), sql.oldestDelays.all(limit)];
          if (tallies.length + delays.length === 0) return undefined;
          const move = { id: randomUUID(), tallies, delays };
          sql.take.run(move.id, JSON.stringify(move));
          sql.forget.run(afterAllHours, limit);
          sql.forgetDelays.run(afterAllHours, limit);
          return move;
        })
        .immediate(),
    countsMoved: (id: string): void => {
      sql.moved.run(id);
    },
    forget: (before: number, limit: number): Purged => {
      if (sql.isDue.get(before, before) !== 1) return { removed: 0, done: true };
      return db
        .transaction(() => {
          const counts = [sql.forget.run(before, limit).changes, sql.forgetDelays.run(before, limit).changes];
          const done = counts.every((count) => count < limit);
          if (done) sql.forgetMoves.run(before);
          return { removed: counts.reduce((sum, count) => sum + count, 0), done };
        })
        .immediate();
    },
  };
}
