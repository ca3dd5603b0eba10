/**
 * The store in a SQLite file, synchronous: it lives in a worker thread (worker.ts) and is the only place with SQL.
 *
 * Durability: WAL with synchronous=NORMAL; what is committed outlives a killed process, and a power cut loses at most
 * the last moments, never the file. Every writing transaction is IMMEDIATE, so that another process's write is waited for
 * (at most `lockTimeoutMs`) and never found half-way. WAL needs a local disk.
 */
import Database from 'better-sqlite3';
import {
  decide,
  isAlive,
  type AwlRecord,
  type Decision,
  type Entry,
  type Memory,
  type PreparedAttempt,
} from '../../greylist/decide.js';
import { mergeClients, mergeEntries, sameEntry } from '../../greylist/merge.js';
import type { Rules } from '../../greylist/settings.js';
import type {
  DelayTally,
  EntryFilter,
  ListedEntry,
  ListKind,
  Merged,
  NewListedEntry,
  Purged,
  StoredClient,
  StoredEntry,
  StoreInfo,
  Tally,
} from '../../greylist/store.js';
import type { Triplet } from '../../greylist/triplet.js';
import { attemptsOf, delayClass, tallyHour, tallyKey } from '../tally.js';
import { migrate, schemaVersion } from './schema.js';
import { entryOf, listedEntry, storedEntry, type EntryRow, type ListedRow } from './rows.js';

/** Shorter than the second that a request may wait for the store. */
const lockTimeoutMs = 800;

function prepareStatements(db: Database.Database) {
  return {
    entry: db.prepare<[string, string, string], EntryRow>(
      'SELECT * FROM entries WHERE client = ? AND sender = ? AND recipient = ?',
    ),
    writeEntry: db.prepare(
      `INSERT INTO entries (client, sender, recipient, first_seen, last_seen, deferrals, passed_at, passes)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET first_seen = excluded.first_seen, last_seen = excluded.last_seen,
         deferrals = excluded.deferrals, passed_at = excluded.passed_at, passes = excluded.passes`,
    ),
    client: db.prepare<[string], { count: number; last_counted: number }>(
      'SELECT count, last_counted FROM awl WHERE address = ?',
    ),
    clients: db.prepare<[string, number], { address: string; count: number; last_counted: number }>(
      'SELECT address, count, last_counted FROM awl WHERE address > ? ORDER BY address LIMIT ?',
    ),
    writeClient: db.prepare(
      `INSERT INTO awl (address, count, last_counted) VALUES (?, ?, ?)
       ON CONFLICT DO UPDATE SET count = excluded.count, last_counted = excluded.last_counted`,
    ),
    addTally: db.prepare(
      `INSERT INTO tallies (hour, verdict, reason, count) VALUES (?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET count = count + excluded.count`,
    ),
    tallies: db.prepare<[number], Tally>(
      'SELECT hour, verdict, reason, count FROM tallies WHERE hour >= ? ORDER BY hour, verdict, reason',
    ),
    addDelay: db.prepare(
      'INSERT INTO delays (hour, seconds, count) VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET count = count + 1',
    ),
    delays: db.prepare<[number], DelayTally>(
      'SELECT seconds, sum(count) AS count FROM delays WHERE hour >= ? GROUP BY seconds ORDER BY seconds',
    ),
    hit: db.prepare('UPDATE whitelist SET hits = hits + 1, last_hit = ? WHERE id = ?'),
    listed: db.prepare<[], ListedRow>('SELECT * FROM whitelist ORDER BY id'),
    isListed: db.prepare('SELECT 1 FROM whitelist WHERE kind = ? AND pattern = ?'),
    addListed: db.prepare(
      `INSERT INTO whitelist (kind, pattern, comment, added_at, expires_at) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET comment = excluded.comment, added_at = excluded.added_at, expires_at = excluded.expires_at`,
    ),
    removeListed: db.prepare('DELETE FROM whitelist WHERE kind = ? AND pattern = ?'),
    revision: db.prepare("SELECT revision FROM revisions WHERE name = 'whitelist'").pluck(),
    nextEntries: db.prepare<[string, string, string, number], EntryRow>(
      'SELECT * FROM entries WHERE (client, sender, recipient) > (?, ?, ?) ORDER BY client, sender, recipient LIMIT ?',
    ),
    // As it was read: another process may have used it meanwhile.
    forgetEntry: db.prepare(
      'DELETE FROM entries WHERE client = ? AND sender = ? AND recipient = ? AND last_seen = ?',
    ),
    expiredClients: db.prepare<[number, number], { address: string }>(
      'SELECT address FROM awl WHERE last_counted < ? LIMIT ?',
    ),
    forgetClient: db.prepare('DELETE FROM awl WHERE address = ? AND last_counted < ?'),
  };
}

/** More changes than a whitelist will see. */
const revisionsOfOneOpening = 1e9;

export class SqliteDatabase {
  readonly #db: Database.Database;
  readonly #sql: ReturnType<typeof prepareStatements>;
  readonly #opening: number;
  #purgedUpTo: Triplet | undefined;

  /**
   * Opens the file at `location`; throws a Failure when it is not a database of this greyctl. `opening` counts how often this
   * process has opened it: another file in its place has other whitelist entries.
   */
  constructor(location: string, opening = 1) {
    this.#opening = opening;
    this.#db = new Database(location, { timeout: lockTimeoutMs });
    try {
      // Before anything is written: a foreign file is left as it is.
      migrate(this.#db, location);
      this.#db.pragma('journal_mode = WAL');
      this.#db.pragma('synchronous = NORMAL');
      this.#sql = prepareStatements(this.#db);
    } catch (error) {
      this.#db.close();
      throw error;
    }
  }

  /** Decides and remembers all attempts in one transaction. */
  settle(attempts: readonly PreparedAttempt[]): Decision[] {
    return this.#db
      .transaction(() => {
        const counts = new Map<string, Tally>();
        const decisions = attempts.map((attempt) => {
          const decision = this.#settleOne(attempt);
          const key = tallyKey(attempt.time, decision);
          const count = (counts.get(key)?.count ?? 0) + attemptsOf(attempt);
          const { verdict, reason } = decision;
          counts.set(key, { hour: tallyHour(attempt.time), verdict, reason, count });
          return decision;
        });
        for (const tally of counts.values()) {
          this.#sql.addTally.run(tally.hour, tally.verdict, tally.reason, tally.count);
        }
        return decisions;
      })
      .immediate();
  }

  #settleOne(attempt: PreparedAttempt): Decision {
    if (attempt.exemption !== undefined) {
      if (attempt.listedId !== undefined) this.#sql.hit.run(attempt.time, attempt.listedId);
      return decide(attempt, {}).decision;
    }
    const { triplet, address } = attempt;
    const before = this.recall(triplet, address);
    const { decision, memory } = decide(attempt, before);
    if (memory.entry && memory.entry !== before.entry) {
      this.#writeEntry(triplet, memory.entry);
    }
    if (decision.delaySeconds !== undefined) {
      this.#sql.addDelay.run(tallyHour(attempt.time), delayClass(decision.delaySeconds));
    }
    if (memory.client && memory.client !== before.client) {
      this.#sql.writeClient.run(address, memory.client.count, memory.client.lastCounted);
    }
    return decision;
  }

  recall(triplet: Triplet, address: string): Memory {
    const row = this.#sql.entry.get(triplet.client, triplet.sender, triplet.recipient);
    return { entry: row && entryOf(row), client: this.#client(address) };
  }

  entries(filter: EntryFilter, limit: number, after?: Triplet): StoredEntry[] {
    const conditions: string[] = [];
    const values: string[] = [];
    const require = (condition: string, ...given: string[]) => {
      conditions.push(condition);
      values.push(...given);
    };
    if (after)
      require('(client, sender, recipient) > (?, ?, ?)', after.client, after.sender, after.recipient);
    if (filter.client !== undefined) require('client = ?', filter.client);
    if (filter.sender !== undefined) require('sender = ?', filter.sender);
    if (filter.recipient !== undefined) require('recipient = ?', filter.recipient);
    if (filter.state) require(filter.state === 'passed' ? 'passed_at IS NOT NULL' : 'passed_at IS NULL');
    const where = conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : '';
    const select = `SELECT * FROM entries ${where} ORDER BY client, sender, recipient LIMIT ?`;
    return this.#db
      .prepare<unknown[], EntryRow>(select)
      .all(...values, limit)
      .map(storedEntry);
  }

  clients(limit: number, after = ''): StoredClient[] {
    return this.#sql.clients
      .all(after, limit)
      .map(({ address, count, last_counted: lastCounted }) => ({ address, count, lastCounted }));
  }

  merge(entries: readonly StoredEntry[], clients: readonly StoredClient[]): Merged {
    return this.#db
      .transaction(() => {
        const merged = { added: 0, changed: 0 };
        for (const { triplet, ...entry } of entries) {
          const { entry: before } = this.recall(triplet, '');
          const after = before ? mergeEntries(before, entry) : entry;
          if (before && sameEntry(before, after)) continue;
          merged[before ? 'changed' : 'added'] += 1;
          this.#writeEntry(triplet, after);
        }
        for (const { address, ...client } of clients) {
          const before = this.#client(address);
          const after = before ? mergeClients(before, client) : client;
          if (before?.count === after.count && before.lastCounted === after.lastCounted) continue;
          merged[before ? 'changed' : 'added'] += 1;
          this.#sql.writeClient.run(address, after.count, after.lastCounted);
        }
        return merged;
      })
      .immediate();
  }

  #writeEntry({ client, sender, recipient }: Triplet, entry: Entry): void {
    const { firstSeen, lastSeen, deferrals, passedAt, passes } = entry;
    this.#sql.writeEntry.run(
      client,
      sender,
      recipient,
      firstSeen,
      lastSeen,
      deferrals,
      passedAt ?? null,
      passes,
    );
  }

  #client(address: string): AwlRecord | undefined {
    const found = this.#sql.client.get(address);
    return found && { count: found.count, lastCounted: found.last_counted };
  }

  purge(now: number, rules: Rules, limit: number): Purged {
    const { client, sender, recipient } = this.#purgedUpTo ?? { client: '', sender: '', recipient: '' };
    const rows = this.#sql.nextEntries.all(client, sender, recipient, limit);
    const expired = rows.filter((row) => !isAlive(entryOf(row), now, rules));
    const clientsBefore = now - rules.maxAgeSeconds;
    const clients = this.#sql.expiredClients.all(clientsBefore, limit);
    let removed = 0;
    if (expired.length + clients.length > 0) {
      this.#db
        .transaction(() => {
          for (const row of expired) {
            removed += this.#sql.forgetEntry.run(
              row.client,
              row.sender,
              row.recipient,
              row.last_seen,
            ).changes;
          }
          for (const { address } of clients) {
            removed += this.#sql.forgetClient.run(address, clientsBefore).changes;
          }
        })
        .immediate();
    }
    const done = rows.length < limit;
    this.#purgedUpTo = done ? undefined : rows.at(-1);
    return { removed, done };
  }

  tallies(since: number): Tally[] {
    return this.#sql.tallies.all(since);
  }

  delays(since: number): DelayTally[] {
    return this.#sql.delays.all(since);
  }

  listed(): ListedEntry[] {
    return this.#sql.listed.all().map(listedEntry);
  }

  listedRevision(): number {
    return this.#opening * revisionsOfOneOpening + Number(this.#sql.revision.get());
  }

  addListed(entry: NewListedEntry): boolean {
    return this.#db
      .transaction(() => {
        const isNew = this.#sql.isListed.get(entry.kind, entry.pattern) === undefined;
        this.#sql.addListed.run(
          entry.kind,
          entry.pattern,
          entry.comment,
          entry.addedAt,
          entry.expiresAt ?? null,
        );
        return isNew;
      })
      .immediate();
  }

  removeListed(kind: ListKind, pattern: string): boolean {
    return this.#sql.removeListed.run(kind, pattern).changes > 0;
  }

  info(): StoreInfo {
    const row = this.#db
      .prepare<[], { waiting: number; passed: number; oldest: number | null; newest: number | null }>(
        `SELECT count(*) - count(passed_at) AS waiting, count(passed_at) AS passed,
           min(first_seen) AS oldest, max(last_seen) AS newest FROM entries`,
      )
      .get();
    const count = (table: 'awl' | 'whitelist') =>
      Number(this.#db.prepare(`SELECT count(*) FROM ${table}`).pluck().get());
    const pages = Number(this.#db.pragma('page_count', { simple: true }));
    return {
      engine: 'sqlite',
      schemaVersion,
      sizeBytes: pages * Number(this.#db.pragma('page_size', { simple: true })),
      waiting: row?.waiting ?? 0,
      passed: row?.passed ?? 0,
      clients: count('awl'),
      listed: count('whitelist'),
      ...(row?.oldest != null && { oldestFirstSeen: row.oldest }),
      ...(row?.newest != null && { newestLastSeen: row.newest }),
    };
  }

  close(): void {
    this.#db.close();
  }
}
