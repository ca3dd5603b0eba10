/**
 * The store in a SQLite file, synchronous: it lives in a worker thread (worker.ts) and is the only place with SQL.
 *
 * Durability: WAL; what is committed outlives a killed process. A power cut loses at most the last moments, never the file; with
 * durability `full` every commit waits for the disk (fsync) and nothing is lost. Every writing transaction is IMMEDIATE, so that another
 * process's write is waited for (at most `lockTimeoutMs`) and never found half-way. WAL needs a local disk.
 */
import Database from 'better-sqlite3';
import { decide, released, type Decision, type Memory, type PreparedAttempt } from '../../greylist/decide.js';
import { mergeEntries, sameEntry, sumOfMerged } from '../../greylist/merge.js';
import type { Rules } from '../../greylist/settings.js';
import type {
  ClientRemoval,
  CountsMove,
  DelayTally,
  EntryFilter,
  EntryOrder,
  EntryRemoval,
  HourlyDelay,
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
import { clientTable } from './clients.js';
import { migrate, otherTables } from './schema.js';
import { selectEntries, selectSorted, sortEntries } from './listing.js';
import * as maintenance from './maintenance.js';
import { EntryTable } from './entries.js';
import { packDecisions, unpackAttempts, type PackedAttempts, type PackedDecisions } from './packing.js';
import * as salvage from './salvage.js';
import { purgeStep } from './purging.js';
import { tallyTables } from './tallies.js';
import { waitingReader } from './waiting.js';
import { whitelistTable } from './whitelist.js';
import { windowTable } from './windows.js';

/** What a commit outlives: a killed process, or with `full` also a power cut (SQLite's `synchronous`). */
export type Durability = 'normal' | 'full';

/** Shorter than the second that a request may wait for the store. */
export const lockTimeoutMs = 800;

/** More changes than a whitelist will see. */
const revisionsOfOneOpening = 1e9;

/** Rows that are read at a time from another file. */
const pageSize = 1000;

function* everyPage<T>(read: (from?: string) => Page<T>): Generator<T> {
  let from: string | undefined;
  do {
    const { found, next } = read(from);
    yield* found;
    from = next;
  } while (from !== undefined);
}

export class SqliteDatabase {
  readonly #db: Database.Database;
  readonly #opening: number;
  readonly #waiting: ReturnType<typeof waitingReader>;
  readonly #tallies: ReturnType<typeof tallyTables>;
  readonly #whitelist: ReturnType<typeof whitelistTable>;
  readonly #entries: EntryTable;
  readonly #clients: ReturnType<typeof clientTable>;
  readonly #windows: ReturnType<typeof windowTable>;
  #purgedUpTo = 0;

  /**
   * Opens the file at `location`; throws a Failure when it is not a database of this greyctl. `opening` counts how often this
   * process has opened it: another file in its place has other whitelist entries.
   */
  constructor(location: string, durability: Durability = 'normal', opening = 1) {
    this.#opening = opening;
    this.#db = new Database(location, { timeout: lockTimeoutMs });
    try {
      // Before anything is written: a foreign file is left as it is.
      migrate(this.#db, location);
      this.#db.pragma('journal_mode = WAL');
      this.#db.pragma(`synchronous = ${durability}`);
      this.#entries = new EntryTable(this.#db);
      this.#clients = clientTable(this.#db);
      this.#windows = windowTable(this.#db);
      this.#waiting = waitingReader(this.#db);
      this.#tallies = tallyTables(this.#db);
      this.#whitelist = whitelistTable(this.#db);
    } catch (error) {
      this.#db.close();
      throw otherTables(error, location);
    }
  }

  /** Decides and remembers all attempts in one transaction. */
  settle(attempts: readonly PreparedAttempt[]): Decision[] {
    return this.#write(() => {
      const decisions = attempts.map((attempt) => this.#settleOne(attempt));
      this.#tallies.add(attempts, decisions);
      return decisions;
    });
  }

  /** `settle` for who calls from another thread. */
  settlePacked(attempts: PackedAttempts): PackedDecisions {
    return packDecisions(this.settle(unpackAttempts(attempts)));
  }

  /** All or nothing, with all keys at hand. */
  #write<T>(work: () => T): T {
    const result = this.#db
      .transaction(() => {
        this.#entries.catchUp();
        return work();
      })
      .immediate();
    this.#entries.committed();
    return result;
  }

  #settleOne(attempt: PreparedAttempt): Decision {
    if (attempt.exemption !== undefined) {
      if (attempt.listedId !== undefined) this.#whitelist.hit(attempt.listedId, attempt.time);
      return decide(attempt, {}).decision;
    }
    const { triplet, address } = attempt;
    const found = this.#entries.find(triplet);
    const before: Memory = {
      entry: found?.entry,
      client: this.#clients.find(address),
      openUntil: this.#windows.until(triplet.recipient),
      waiting: this.#entries.waitingOf(triplet.client),
    };
    const { decision, memory } = decide(attempt, before);
    if (memory.entry && memory.entry !== before.entry) this.#entries.write(triplet, memory.entry, found);
    if (memory.client && memory.client !== before.client) {
      this.#clients.write(address, memory.client);
    }
    return decision;
  }

  recall(triplet: Triplet, address: string): Memory {
    this.#entries.catchUp();
    const openUntil = this.#windows.until(triplet.recipient);
    return {
      entry: this.#entries.known(triplet),
      client: this.#clients.find(address),
      ...(openUntil !== undefined && { openUntil }),
    };
  }

  entries(filter: EntryFilter, limit: number, from?: string): Page<StoredEntry> {
    return selectEntries(this.#db, filter, limit, from);
  }

  salvageEntries(limit: number, from?: string): salvage.SalvagedEntries {
    return salvage.salvageEntries(this.#db, limit, from);
  }

  salvageClients(limit: number, from?: string): salvage.SalvagedClients {
    return salvage.salvageClients(this.#db, limit, from);
  }

  sorted(filter: EntryFilter, order: EntryOrder, limit: number, from: number): StoredEntry[] {
    if (from === 0) sortEntries(this.#db, filter, order);
    return selectSorted(this.#db, limit, from);
  }

  remove(entries: readonly EntryRemoval[], clients: readonly ClientRemoval[]): number {
    return this.#write(() => {
      const removed = entries.filter(({ triplet, lastSeen }) => this.#entries.remove(triplet, lastSeen));
      return removed.length + this.#clients.remove(clients);
    });
  }

  release(triplets: readonly Triplet[], now: number): number {
    return this.#write(() => {
      let count = 0;
      for (const triplet of triplets) {
        const found = this.#entries.find(triplet);
        if (!found) continue;
        const after = released(found.entry, now);
        if (after === found.entry) continue;
        this.#entries.write(triplet, after, found);
        count += 1;
      }
      return count;
    });
  }

  windows(): RecipientWindow[] {
    return this.#windows.all();
  }

  openWindow(recipient: string, until: number): void {
    this.#windows.open(recipient, until);
  }

  closeWindow(recipient: string): boolean {
    return this.#windows.close(recipient);
  }

  forgetClient(address: string): boolean {
    return this.#clients.remove([{ address }]) > 0;
  }

  clients(limit: number, from = ''): Page<StoredClient> {
    return this.#clients.page(limit, from);
  }

  merge(entries: Iterable<StoredEntry>, clients: Iterable<StoredClient>, more?: MoreToMerge): Merged {
    return this.#write(() => {
      const merged = { added: 0, changed: 0 };
      for (const { triplet, ...entry } of entries) {
        const found = this.#entries.find(triplet);
        const after = found ? mergeEntries(found.entry, entry) : entry;
        if (found && sameEntry(found.entry, after)) continue;
        merged[found ? 'changed' : 'added'] += 1;
        this.#entries.write(triplet, after, found);
      }
      const parts = [merged, this.#clients.merge(clients)];
      if (more) {
        this.#tallies.merge(more);
        parts.push(this.#whitelist.merge(more.listed), this.#windows.merge(more.windows));
      }
      return sumOfMerged(parts);
    });
  }

  /** Merges all that another file of greyctl's holds: in one step, and constant memory. */
  mergeFrom(file: string): Merged {
    const other = new SqliteDatabase(file);
    try {
      const entries = everyPage((from) => other.entries({}, pageSize, from));
      const clients = everyPage((from) => other.clients(pageSize, from));
      const [listed, windows] = [other.listed(), other.windows()];
      const [tallies, delays] = [other.tallies(0), other.hourlyDelays()];
      return this.merge(entries, clients, { listed, windows, tallies, delays });
    } finally {
      other.close();
    }
  }

  purge(now: number, rules: Rules, limit: number): Purged {
    const tables = { entries: this.#entries, clients: this.#clients, windows: this.#windows };
    const { removed, next } = purgeStep(this.#db, tables, now, rules, limit, this.#purgedUpTo);
    this.#purgedUpTo = next ?? 0;
    return { removed, done: next === undefined };
  }

  tallies(since: number): Tally[] {
    return this.#tallies.since(since);
  }

  delays(since: number): DelayTally[] {
    return this.#tallies.delaysSince(since);
  }

  addCounts(move: CountsMove): void {
    this.#tallies.addCounts(move);
  }

  takeCounts(limit: number): CountsMove | undefined {
    return this.#tallies.takeCounts(limit);
  }

  countsMoved(id: string): void {
    this.#tallies.countsMoved(id);
  }

  hourlyDelays(): HourlyDelay[] {
    return this.#tallies.hourlyDelays();
  }

  waiting(query: WaitingQuery): Waiting {
    return this.#waiting(query);
  }

  forgetTallies(before: number, limit: number): Purged {
    return this.#tallies.forget(before, limit);
  }

  listed(): ListedEntry[] {
    return this.#whitelist.all();
  }

  listedRevision(): number {
    return this.#opening * revisionsOfOneOpening + this.#whitelist.revision();
  }

  addListed(entry: NewListedEntry): boolean {
    return this.#whitelist.add(entry);
  }

  removeListed(kind: ListKind, pattern: string): boolean {
    return this.#whitelist.remove(kind, pattern);
  }

  info(): StoreInfo {
    return maintenance.information(this.#db);
  }

  /** Writes a consistent copy into `file`, which is empty. */
  backup(file: string): void {
    maintenance.backup(this.#db, file);
  }

  check(): maintenance.Checked {
    const { problems } = maintenance.check(this.#db);
    // Of a damaged file no more can be asked.
    const lost = problems.length > 0 ? 0 : this.#entries.lost();
    if (lost === 0) return { problems };
    return {
      problems: [`${lost} entries cannot be found by their keys: db export and db import put them right`],
    };
  }

  /** Gives back up to `pages` unused pages. */
  vacuum(pages: number): maintenance.Vacuumed {
    return maintenance.vacuum(this.#db, pages);
  }

  close(): void {
    this.#db.close();
  }
}
