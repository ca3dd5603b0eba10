/** What the auto-whitelist knows of client addresses. */
import type Database from 'better-sqlite3';
import type { AwlRecord } from '../../greylist/decide.js';
import { mergeClients, sameClient } from '../../greylist/merge.js';
import type { ClientRemoval, Merged, Page, StoredClient } from '../../greylist/store.js';

function prepareStatements(db: Database.Database) {
  return {
    find: db
      .prepare<[string], [count: number, lastCounted: number]>(
        'SELECT count, last_counted FROM awl WHERE address = ?',
      )
      .raw(),
    page: db.prepare<[string, number], StoredClient>(
      'SELECT address, count, last_counted AS lastCounted FROM awl WHERE address > ? ORDER BY address LIMIT ?',
    ),
    write: db.prepare(
      `INSERT INTO awl (address, count, last_counted) VALUES (?, ?, ?)
       ON CONFLICT DO UPDATE SET count = excluded.count, last_counted = excluded.last_counted`,
    ),
    remove: db.prepare('DELETE FROM awl WHERE address = ? AND last_counted = coalesce(?, last_counted)'),
    before: db.prepare<[number, number], { address: string; lastCounted: number }>(
      'SELECT address, last_counted AS lastCounted FROM awl WHERE last_counted < ? LIMIT ?',
    ),
  };
}

/** Prepares what the port asks of client addresses; the caller holds the transaction where several are written. */
export function clientTable(db: Database.Database) {
  const sql = prepareStatements(db);
  const find = (address: string): AwlRecord | undefined => {
    const found = sql.find.get(address);
    return found && { count: found[0], lastCounted: found[1] };
  };
  const write = (address: string, { count, lastCounted }: AwlRecord): void => {
    sql.write.run(address, count, lastCounted);
  };
  const remove = (clients: readonly ClientRemoval[]): number =>
    clients.reduce(
      (sum, { address, lastCounted }) => sum + sql.remove.run(address, lastCounted ?? null).changes,
      0,
    );
  return {
    find,
    write,
    /** In the order of addresses, those behind `from`. */
    page: (limit: number, from: string): Page<StoredClient> => {
      const found = sql.page.all(from, limit);
      return { found, next: found.length === limit ? found.at(-1)?.address : undefined };
    },
    /** Takes over records from elsewhere. */
    merge: (others: Iterable<StoredClient>): Merged => {
      const merged = { added: 0, changed: 0 };
      for (const { address, ...other } of others) {
        const before = find(address);
        const after = before ? mergeClients(before, other) : other;
        if (before && sameClient(before, after)) continue;
        merged[before ? 'changed' : 'added'] += 1;
        write(address, after);
      }
      return merged;
    },
    /** Removes the records that are there and were not counted since; says how many. */
    remove,
    /** Removes up to `limit` records that were not counted since `time`; says how many. Looks first, so that mostly no lock is asked for. */
    removeBefore: (time: number, limit: number): number => {
      const clients = sql.before.all(time, limit);
      return clients.length === 0 ? 0 : db.transaction(() => remove(clients)).immediate();
    },
  };
}
