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
  type AwlRecord,
  type Decision,
  type Entry,
  type Memory,
  type PreparedAttempt,
} from '../../greylist/decide.js';
import { mergeClients, mergeEntries, sameEntry } from '../../greylist/merge.js';
import type { Rules } from '../../greylist/settings.js';
import type {
  ClientRemoval,
  DelayTally,
  EntryFilter,
  EntryOrder,
  EntryRemoval,
  ListedEntry,
  ListKind,
  Merged,
  MoreToMerge,
  NewListedEntry,
  Page,
  Purged,
  RecipientWindow,
  StoredClient,
  StoredEntry,
  StoreInfo,
  Tally,
  Waiting,
  WaitingQuery,
} from '../../greylist/store.js';
import type { Triplet } from '../../greylist/triplet.js';
import { attemptsOf, delayClass, tallyHour, tallyKey } from '../tally.js';
import { tallyForgetter } from './forget-tallies.js';
import { migrate } from './schema.js';
import { selectEntries, selectSorted, sortEntries } from './listing.js';
import * as maintenance from './maintenance.js';
import { entryOf, listedEntry, type EntryRow, type ListedRow } from './rows.js';
import { purgeStep } from './purging.js';
import * as tidying from './tidying.js';
import { waitingReader } from './waiting.js';

/** Shorter than the second that a request may wait for the store. */
const lockTimeoutMs = 800;

function prepareStatements(db: Database.Database) {
  return {
    entry: db.prepare<[string, string, string], EntryRow>(
      'SELECT * FROM entries WHERE client = ? AND sender = ? AND recipient = ?',
    ),
    writeEntry: db.prepare(
      `INSERT INTO entries (client, sender, recipient, first_seen, last_seen, deferrals, passed_at, passes, released_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET first_seen = excluded.first_seen, last_seen = excluded.last_seen,
         deferrals = excluded.deferrals, passed_at = excluded.passed_at, passes = excluded.passes,
         released_at = excluded.released_at`,
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
    window: db.prepare<[string], number>('SELECT until FROM windows WHERE recipient = ?').pluck(),
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
  };
}

/** More changes than a whitelist will see. */
const revisionsOfOneOpening = 1e9;

export class SqliteDatabase {
  readonly #db: Database.Database;
  readonly #sql: ReturnType<typeof prepareStatements>;
  readonly #opening: number;
  readonly #waiting: ReturnType<typeof waitingReader>;
  readonly #forgetTallies: ReturnType<typeof tallyForgetter>;
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
      this.#waiting = waitingReader(this.#db);
      this.#forgetTallies = tallyForgetter(this.#db);
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
    const openUntil = this.#sql.window.get(triplet.recipient);
    return {
      entry: row && entryOf(row),
      client: this.#client(address),
      ...(openUntil !== undefined && { openUntil }),
    };
  }

  entries(filter: EntryFilter, limit: number, from?: string): Page<StoredEntry> {
    return selectEntries(this.#db, filter, limit, from);
  }

  sorted(filter: EntryFilter, order: EntryOrder, limit: number, from: number): StoredEntry[] {
    if (from === 0) sortEntries(this.#db, filter, order);
    return selectSorted(this.#db, limit, from);
  }

  remove(entries: readonly EntryRemoval[], clients: readonly ClientRemoval[]): number {
    return this.#db.transaction(() => tidying.remove(this.#db, entries, clients)).immediate();
  }

  release(triplets: readonly Triplet[], now: number): number {
    return this.#db.transaction(() => tidying.release(this.#db, triplets, now)).immediate();
  }

  windows(): RecipientWindow[] {
    return tidying.windows(this.#db);
  }

  openWindow(recipient: string, until: number): void {
    tidying.openWindow(this.#db, recipient, until);
  }

  closeWindow(recipient: string): boolean {
    return tidying.closeWindow(this.#db, recipient);
  }

  forgetClient(address: string): boolean {
    return tidying.remove(this.#db, [], [{ address }]) > 0;
  }

  clients(limit: number, from = ''): Page<StoredClient> {
    const rows = this.#sql.clients.all(from, limit);
    const found = rows.map(({ address, count, last_counted: lastCounted }) => ({
      address,
      count,
      lastCounted,
    }));
    return { found, next: rows.length === limit ? rows.at(-1)?.address : undefined };
  }

  merge(entries: readonly StoredEntry[], clients: readonly StoredClient[], more?: MoreToMerge): Merged {
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
        const others = more ? tidying.mergeMore(this.#db, more) : { added: 0, changed: 0 };
        return { added: merged.added + others.added, changed: merged.changed + others.changed };
      })
      .immediate();
  }

  #writeEntry({ client, sender, recipient }: Triplet, entry: Entry): void {
    const { firstSeen, lastSeen, deferrals, passedAt, passes, releasedAt } = entry;
    this.#sql.writeEntry.run(
      client,
      sender,
      recipient,
      firstSeen,
      lastSeen,
      deferrals,
      passedAt ?? null,
      passes,
      releasedAt ?? null,
    );
  }

  #client(address: string): AwlRecord | undefined {
    const found = this.#sql.client.get(address);
    return found && { count: found.count, lastCounted: found.last_counted };
  }

  purge(now: number, rules: Rules, limit: number): Purged {
    const { removed, upTo } = purgeStep(this.#db, now, rules, limit, this.#purgedUpTo);
    this.#purgedUpTo = upTo;
    return { removed, done: upTo === undefined };
  }

  tallies(since: number): Tally[] {
    return this.#sql.tallies.all(since);
  }

  delays(since: number): DelayTally[] {
    return this.#sql.delays.all(since);
  }

  waiting(query: WaitingQuery): Waiting {
    return this.#waiting(query);
  }

  forgetTallies(before: number, limit: number): Purged {
    return this.#forgetTallies(before, limit);
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
    return maintenance.information(this.#db);
  }

  /** Writes a consistent copy into `file`, which is empty. */
  backup(file: string): void {
    maintenance.backup(this.#db, file);
  }

  check(): maintenance.Checked {
    return maintenance.check(this.#db);
  }

  /** Gives back up to `pages` unused pages. */
  vacuum(pages: number): maintenance.Vacuumed {
    return maintenance.vacuum(this.#db, pages);
  }

  close(): void {
    this.#db.close();
  }
}
