/**
 * The port between the decision and whatever remembers. Implementations live in src/store and pass one contract suite.
 * A Store may be shared by several processes and servers.
 */
import type { AwlRecord, Decision, Entry, Memory, PreparedAttempt, Reason, Verdict } from './decide.js';
import type { Rules } from './settings.js';
import type { Triplet } from './triplet.js';

/** An entry with its key. */
export interface StoredEntry extends Entry {
  readonly triplet: Triplet;
}

/** An auto-whitelist record with its key. */
export interface StoredClient extends AwlRecord {
  readonly address: string;
}

/** How many entries and records were new, and how many were changed. */
export interface Merged {
  readonly added: number;
  readonly changed: number;
}

export type EntryState = 'waiting' | 'passed';

/** Which entries are meant; all given conditions must hold. Texts are compared exactly with the key's parts. */
export interface EntryFilter {
  readonly client?: string | undefined;
  readonly sender?: string | undefined;
  readonly recipient?: string | undefined;
  readonly state?: EntryState | undefined;
  /** The mail domain of sender or recipient, or one above it; in lower case. */
  readonly domain?: string | undefined;
  /** Last seen at that time or later, epoch seconds. */
  readonly lastSeenFrom?: number | undefined;
  /** Last seen before that time, epoch seconds. */
  readonly lastSeenBefore?: number | undefined;
}

/** A part of a listing. */
export interface Page<T> {
  /** May be more or fewer than asked for, even none, and there is more all the same. */
  readonly found: readonly T[];
  /** Where the listing goes on, in the store's own words; undefined at the end. */
  readonly next?: string | undefined;
}

/** What entries can be sorted by, besides their key. */
export type SortField = 'firstSeen' | 'lastSeen' | 'deferrals' | 'passes';

/** An order of entries: by a field, or by the key where there is none; the same are in the order of their keys. */
export interface EntryOrder {
  readonly by?: SortField | undefined;
  readonly isReversed: boolean;
}

/** The key of an entry that is to go. */
export interface EntryRemoval {
  readonly triplet: Triplet;
  /** Where given, an entry that was used since it was read stays. */
  readonly lastSeen?: number | undefined;
}

/** The key of an auto-whitelist record that is to go. */
export interface ClientRemoval {
  readonly address: string;
  /** Where given, a record that was counted since it was read stays. */
  readonly lastCounted?: number | undefined;
}

/** Until when, epoch seconds, all mail to a recipient passes. */
export interface RecipientWindow {
  readonly recipient: string;
  readonly until: number;
}

/** What can be taken over beside entries and clients. */
export interface MoreToMerge {
  readonly listed: readonly Omit<ListedEntry, 'id'>[];
  readonly windows: readonly RecipientWindow[];
  readonly tallies: readonly Tally[];
  readonly delays: readonly HourlyDelay[];
}

/** How often a verdict was given for a reason in one hour. */
export interface Tally {
  /** Start of the hour, epoch seconds. */
  readonly hour: number;
  readonly verdict: Verdict;
  readonly reason: Reason;
  readonly count: number;
}

/** How many triplets passed after having waited for about so long. */
export interface DelayTally {
  readonly seconds: number;
  readonly count: number;
}

/** The same of the hour, epoch seconds, in which they passed. */
export interface HourlyDelay extends DelayTally {
  readonly hour: number;
}

/** Counts on their way from one store into another. */
export interface CountsMove {
  /** Never given to another move. */
  readonly id: string;
  readonly tallies: readonly Tally[];
  readonly delays: readonly HourlyDelay[];
}

/** A store whose counts can be moved into another: each arrives once, whatever happens on the way. */
export interface CountsSource {
  /**
   * Takes about `limit` counts out, oldest first, and keeps them as a move: gives the same again until that is done, also after a
   * crash. Resolves to undefined when there is nothing to move.
   */
  takeCounts(limit: number): Promise<CountsMove | undefined>;
  /** Forgets a move whose counts have been added elsewhere. */
  countsMoved(id: string): Promise<void>;
}

/** Waiting entries that have something in common. */
export interface WaitingGroup {
  /** A sender domain (what follows the first @; all of a sender without one), client key or recipient. */
  readonly name: string;
  readonly count: number;
}

export interface WaitingQuery {
  /** Epoch seconds. */
  readonly firstSeenSince: number;
  /** Groups of each kind. */
  readonly limit: number;
}

/** Who waits: entries that have not passed, expired or not. */
export interface Waiting {
  /** How many were first seen at or after the time asked for. */
  readonly firstSeenSince: number;
  readonly senderDomains: readonly WaitingGroup[];
  readonly clients: readonly WaitingGroup[];
  readonly recipients: readonly WaitingGroup[];
}

export type ListKind = 'client' | 'recipient' | 'sender';

/** A whitelist entry kept in the store. */
export interface ListedEntry {
  readonly id: number;
  readonly kind: ListKind;
  /** In the syntax of the whitelist files. */
  readonly pattern: string;
  readonly comment: string;
  readonly addedAt: number;
  /** Epoch seconds; undefined: never. */
  readonly expiresAt?: number | undefined;
  readonly hits: number;
  readonly lastHit?: number | undefined;
}

export type NewListedEntry = Pick<ListedEntry, 'kind' | 'pattern' | 'comment' | 'addedAt' | 'expiresAt'>;

export interface Purged {
  readonly removed: number;
  readonly done: boolean;
}

export interface StoreInfo {
  readonly engine: 'sqlite' | 'memory' | 'redis';
  readonly schemaVersion: number;
  readonly sizeBytes: number;
  readonly waiting: number;
  readonly passed: number;
  readonly clients: number;
  readonly listed: number;
  /** Of all entries, epoch seconds. */
  readonly oldestFirstSeen?: number | undefined;
  readonly newestLastSeen?: number | undefined;
}

/**
 * Where a store keeps other words than people use (hashes), filters, `recall`, `settle`, `merge` and whatever takes a single address
 * or recipient are given the words of people; what takes keys is given keys as `entries` and `clients` gave them.
 */
export interface Store {
  /**
   * Decides the attempts in their order, each seeing what the earlier ones wrote, and resolves when the result outlives a
   * killed process. Rejects with nothing written when it cannot.
   */
  settle(attempts: readonly PreparedAttempt[]): Promise<Decision[]>;
  /** What is known of a triplet and a client address, expired or not; changes nothing. */
  recall(triplet: Triplet, address: string): Promise<Memory>;
  /**
   * About `limit` entries in an order of the store's own, from `from` on (the beginning unless given). Going on page by page gives
   * every entry that was there all the time, once.
   */
  entries(filter: EntryFilter, limit: number, from?: string): Promise<Page<StoredEntry>>;
  /**
   * Up to `limit` entries from number `from` on (0 the first) of all that `filter` lets through, in this order. The order is made when
   * `from` is 0 and kept, as it was then, for the calls that go on in it; a store keeps one at a time.
   */
  sorted(filter: EntryFilter, order: EntryOrder, limit: number, from: number): Promise<StoredEntry[]>;
  /** Removes these in one step; resolves to how many there were. Callers keep the batches small. */
  remove(entries: readonly EntryRemoval[], clients: readonly ClientRemoval[]): Promise<number>;
  /** Lets the next attempt of these pass that wait and were not released yet; resolves to how many. */
  release(triplets: readonly Triplet[], now: number): Promise<number>;
  /** The windows that were opened, also those that are over, by recipient. */
  windows(): Promise<RecipientWindow[]>;
  /** Lets all mail to a recipient pass until then; replaces the window there is. */
  openWindow(recipient: string, until: number): Promise<void>;
  /** Resolves to false when there was no window. */
  closeWindow(recipient: string): Promise<boolean>;
  /** Removes the auto-whitelist record of an address; resolves to false when there was none. */
  forgetClient(address: string): Promise<boolean>;
  /** About `limit` auto-whitelist records, as `entries` gives entries. */
  clients(limit: number, from?: string): Promise<Page<StoredClient>>;
  /**
   * Takes over what is known from elsewhere: of two entries of one triplet the earlier first_seen and passed_at and the larger of all
   * else, so that doing it twice changes nothing; of two windows the later end, of two counts the larger. All or nothing.
   */
  merge(
    entries: readonly StoredEntry[],
    clients: readonly StoredClient[],
    more?: MoreToMerge,
  ): Promise<Merged>;
  /**
   * Looks at the next `limit` or so entries and client records (a store may look at all) and removes those that `rules` have forgotten at `now`. Each call goes
   * on where the last one stopped, and takes away windows that are over; `done` when all have been looked at, and the next call begins anew.
   */
  purge(now: number, rules: Rules, limit: number): Promise<Purged>;
  /** Counts of the hours that begin at or after `since`, oldest first. */
  tallies(since: number): Promise<Tally[]>;
  /** How long the triplets had waited that passed for the first time in those hours, shortest first. */
  delays(since: number): Promise<DelayTally[]>;
  /** The same by the hour, of all hours. */
  hourlyDelays(): Promise<HourlyDelay[]>;
  /** Adds what was counted elsewhere to what was counted here, in one step; a move that was added before changes nothing. */
  addCounts(move: CountsMove): Promise<void>;
  /** The largest groups of waiting entries, largest first. Numbers are exact; of a great many entries one that is as large may be missed. */
  waiting(query: WaitingQuery): Promise<Waiting>;
  /** Removes about `limit` counts of hours before `before`, oldest first; `done` when none are left. */
  forgetTallies(before: number, limit: number): Promise<Purged>;
  /** Whitelist entries, in the order they were added. */
  listed(): Promise<ListedEntry[]>;
  /** A number that changes whenever the whitelist entries do, whoever changed them. */
  listedRevision(): Promise<number>;
  /** Adds an entry; the one already there when kind and pattern are the same is updated. Resolves to true when it is new. */
  addListed(entry: NewListedEntry): Promise<boolean>;
  /** Resolves to false when there was no such entry. */
  removeListed(kind: ListKind, pattern: string): Promise<boolean>;
  info(): Promise<StoreInfo>;
  /** Finishes what was asked, then releases everything. */
  close(): Promise<void>;
}

async function* allPages<T>(read: (from?: string) => Promise<Page<T>>): AsyncGenerator<T> {
  let from: string | undefined;
  do {
    const { found, next } = await read(from);
    yield* found;
    from = next;
  } while (from !== undefined);
}

/** Every entry that `filter` lets through, page by page: constant memory, no lock held between pages. */
export function allEntries(store: Store, filter: EntryFilter, pageSize = 1000): AsyncGenerator<StoredEntry> {
  return allPages((from) => store.entries(filter, pageSize, from));
}

/** Every auto-whitelist record, page by page. */
export function allClients(store: Store, pageSize = 1000): AsyncGenerator<StoredClient> {
  return allPages((from) => store.clients(pageSize, from));
}

/** Every entry that `filter` lets through, in this order, page by page. */
export async function* allSorted(
  store: Store,
  filter: EntryFilter,
  order: EntryOrder,
  pageSize = 1000,
): AsyncGenerator<StoredEntry> {
  for (let from = 0; ; from += pageSize) {
    const page = await store.sorted(filter, order, pageSize, from);
    yield* page;
    if (page.length < pageSize) return;
  }
}
