import {
  decide,
  isAlive,
  isClientAlive,
  released,
  type AwlRecord,
  type Decision,
  type Entry,
  type Memory,
  type PreparedAttempt,
} from '../greylist/decide.js';
import {
  holdsListed,
  laterWindows,
  mergeClients,
  mergeEntries,
  mergeListed,
  sameClient,
  sameEntry,
  sumOfMerged,
} from '../greylist/merge.js';
import type { Rules } from '../greylist/settings.js';
import type {
  ClientRemoval,
  CountsMove,
  CountsSource,
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
  Store,
  StoredClient,
  StoredEntry,
  StoreInfo,
  Tally,
  Waiting,
  WaitingQuery,
} from '../greylist/store.js';
import { tripletText, type Triplet } from '../greylist/triplet.js';
import { comparison, matches, summary, waitingCounter } from './listing.js';
import { MemoryCounts } from './memorycounts.js';

const separator = '\0';

/** A store that forgets everything when the process ends: for rehearsals, and the model the other stores are held against. */
export class MemoryStore implements Store, CountsSource {
  readonly #entries = new Map<string, { readonly triplet: Triplet; readonly entry: Entry }>();
  #waiting = 0;
  /** How many of each client key wait. */
  readonly #waitingOf = new Map<string, number>();
  readonly #clients = new Map<string, AwlRecord>();
  readonly #counts = new MemoryCounts();
  readonly #listed = new Map<string, ListedEntry>();
  readonly #windows = new Map<string, number>();
  #sorted: readonly StoredEntry[] = [];
  #revision = 0;
  #lastId = 0;

  settle(attempts: readonly PreparedAttempt[]): Promise<Decision[]> {
    return Promise.resolve(attempts.map((attempt) => this.#settleOne(attempt)));
  }

  #settleOne(attempt: PreparedAttempt): Decision {
    const decision = attempt.exemption === undefined ? this.#remember(attempt) : decide(attempt, {}).decision;
    if (attempt.exemption !== undefined && attempt.listedId !== undefined)
      this.#hit(attempt.listedId, attempt.time);
    this.#counts.count(attempt, decision);
    return decision;
  }

  #remember(attempt: Extract<PreparedAttempt, { triplet: Triplet }>): Decision {
    const before = {
      ...this.#memory(attempt.triplet, attempt.address),
      waiting: { all: this.#waiting, ofClient: this.#waitingOf.get(attempt.triplet.client) ?? 0 },
    };
    const { decision, memory } = decide(attempt, before);
    if (memory.entry && memory.entry !== before.entry) {
      this.#put(attempt.triplet, memory.entry);
    }
    if (memory.client && memory.client !== before.client) this.#clients.set(attempt.address, memory.client);
    return decision;
  }

  /** Writes an entry, or with undefined removes it. */
  #put(triplet: Triplet, entry: Entry | undefined): void {
    const key = tripletText(triplet);
    const waits = (found: Entry | undefined) => (found && found.passedAt === undefined ? 1 : 0);
    const change = waits(entry) - waits(this.#entries.get(key)?.entry);
    this.#waiting += change;
    this.#waitingOf.set(triplet.client, (this.#waitingOf.get(triplet.client) ?? 0) + change);
    if (entry) this.#entries.set(key, { triplet, entry });
    else this.#entries.delete(key);
  }

  #hit(id: number, time: number): void {
    for (const [key, entry] of this.#listed) {
      if (entry.id === id) this.#listed.set(key, { ...entry, hits: entry.hits + 1, lastHit: time });
    }
  }

  recall(triplet: Triplet, address: string) {
    return Promise.resolve(this.#memory(triplet, address));
  }

  #memory(triplet: Triplet, address: string): Memory {
    const openUntil = this.#windows.get(triplet.recipient);
    return {
      entry: this.#entries.get(tripletText(triplet))?.entry,
      client: this.#clients.get(address),
      ...(openUntil !== undefined && { openUntil }),
    };
  }

  #stored(): StoredEntry[] {
    return Array.from(this.#entries.values(), ({ triplet, entry }) => ({ ...entry, triplet }));
  }

  /** All in one page. */
  entries(filter: EntryFilter): Promise<Page<StoredEntry>> {
    return Promise.resolve({ found: this.#stored().filter((entry) => matches(entry, filter)) });
  }

  sorted(filter: EntryFilter, order: EntryOrder, limit: number, from: number): Promise<StoredEntry[]> {
    if (from === 0) {
      const found = this.#stored().filter((entry) => matches(entry, filter));
      this.#sorted = found.sort(comparison(order));
    }
    return Promise.resolve(this.#sorted.slice(from, from + limit));
  }

  remove(entries: readonly EntryRemoval[], clients: readonly ClientRemoval[]): Promise<number> {
    let removed = 0;
    for (const { triplet, lastSeen } of entries) {
      const found = this.#entries.get(tripletText(triplet));
      if (!found || (lastSeen !== undefined && found.entry.lastSeen !== lastSeen)) continue;
      this.#put(triplet, undefined);
      removed += 1;
    }
    for (const { address, lastCounted } of clients) {
      const found = this.#clients.get(address);
      if (!found || (lastCounted !== undefined && found.lastCounted !== lastCounted)) continue;
      this.#clients.delete(address);
      removed += 1;
    }
    return Promise.resolve(removed);
  }

  release(triplets: readonly Triplet[], now: number): Promise<number> {
    let count = 0;
    for (const triplet of triplets) {
      const { entry } = this.#entries.get(tripletText(triplet)) ?? {};
      const after = entry && released(entry, now);
      if (after === entry) continue;
      this.#put(triplet, after);
      count += 1;
    }
    return Promise.resolve(count);
  }

  windows(): Promise<RecipientWindow[]> {
    const found = Array.from(this.#windows, ([recipient, until]) => ({ recipient, until }));
    return Promise.resolve(
      found.sort((a, b) => Buffer.compare(Buffer.from(a.recipient), Buffer.from(b.recipient))),
    );
  }

  openWindow(recipient: string, until: number): Promise<void> {
    this.#windows.set(recipient, until);
    return Promise.resolve();
  }

  closeWindow(recipient: string): Promise<boolean> {
    return Promise.resolve(this.#windows.delete(recipient));
  }

  forgetClient(address: string): Promise<boolean> {
    return Promise.resolve(this.#clients.delete(address));
  }

  /** All in one page. */
  clients(): Promise<Page<StoredClient>> {
    return Promise.resolve({
      found: Array.from(this.#clients, ([address, client]) => ({ address, ...client })),
    });
  }

  merge(
    entries: readonly StoredEntry[],
    clients: readonly StoredClient[],
    more?: MoreToMerge,
  ): Promise<Merged> {
    let [added, changed] = [0, 0];
    for (const { triplet, ...entry } of entries) {
      const before = this.#entries.get(tripletText(triplet))?.entry;
      const after = before ? mergeEntries(before, entry) : entry;
      if (!before) added += 1;
      else if (!sameEntry(before, after)) changed += 1;
      this.#put(triplet, after);
    }
    for (const { address, ...client } of clients) {
      const before = this.#clients.get(address);
      const after = before ? mergeClients(before, client) : client;
      if (!before) added += 1;
      else if (!sameClient(before, after)) changed += 1;
      this.#clients.set(address, after);
    }
    const others = more ? this.#mergeMore(more) : { added: 0, changed: 0 };
    return Promise.resolve(sumOfMerged([{ added, changed }, others]));
  }

  #mergeMore({ listed, windows, ...counts }: MoreToMerge): Merged {
    this.#counts.merge(counts);
    let [added, changed] = [0, 0];
    for (const entry of listed) {
      const key = entry.kind + separator + entry.pattern;
      const before = this.#listed.get(key);
      this.#lastId += before ? 0 : 1;
      this.#listed.set(key, before ? mergeListed(before, entry) : { ...entry, id: this.#lastId });
      if (!before) added += 1;
      else if (!holdsListed(before, entry)) changed += 1;
    }
    this.#revision += added + changed;
    const { later, merged } = laterWindows(this.#windows, windows);
    for (const { recipient, until } of later) this.#windows.set(recipient, until);
    return sumOfMerged([{ added, changed }, merged]);
  }

  purge(now: number, rules: Rules): Promise<Purged> {
    let removed = 0;
    for (const { triplet, entry } of this.#entries.values()) {
      if (isAlive(entry, now, rules)) continue;
      this.#put(triplet, undefined);
      removed += 1;
    }
    for (const [address, client] of this.#clients) {
      if (!isClientAlive(client, now, rules) && this.#clients.delete(address)) removed += 1;
    }
    for (const [recipient, until] of this.#windows) {
      if (until <= now && this.#windows.delete(recipient)) removed += 1;
    }
    return Promise.resolve({ removed, done: true });
  }

  tallies(since: number): Promise<Tally[]> {
    return Promise.resolve(this.#counts.tallies(since));
  }

  addCounts(move: CountsMove): Promise<void> {
    this.#counts.addMove(move);
    return Promise.resolve();
  }

  /** All in one move. */
  takeCounts(): Promise<CountsMove | undefined> {
    return Promise.resolve(this.#counts.take());
  }

  countsMoved(id: string): Promise<void> {
    this.#counts.moved(id);
    return Promise.resolve();
  }

  hourlyDelays(): Promise<HourlyDelay[]> {
    return Promise.resolve(this.#counts.hourlyDelays());
  }

  delays(since: number): Promise<DelayTally[]> {
    return Promise.resolve(this.#counts.delays(since));
  }

  waiting(query: WaitingQuery): Promise<Waiting> {
    const counter = waitingCounter(query);
    for (const entry of this.#stored()) counter.add(entry);
    return Promise.resolve(counter.result());
  }

  forgetTallies(before: number): Promise<Purged> {
    return Promise.resolve({ removed: this.#counts.forget(before), done: true });
  }

  listed(): Promise<ListedEntry[]> {
    return Promise.resolve([...this.#listed.values()]);
  }

  listedRevision(): Promise<number> {
    return Promise.resolve(this.#revision);
  }

  addListed(entry: NewListedEntry): Promise<boolean> {
    const key = entry.kind + separator + entry.pattern;
    const before = this.#listed.get(key);
    this.#lastId += before ? 0 : 1;
    this.#listed.set(key, before ? { ...before, ...entry } : { ...entry, id: this.#lastId, hits: 0 });
    this.#revision += 1;
    return Promise.resolve(!before);
  }

  removeListed(kind: ListKind, pattern: string): Promise<boolean> {
    const removed = this.#listed.delete(kind + separator + pattern);
    this.#revision += removed ? 1 : 0;
    return Promise.resolve(removed);
  }

  info(): Promise<StoreInfo> {
    return Promise.resolve({
      engine: 'memory',
      schemaVersion: 0,
      sizeBytes: 0,
      ...summary(this.#stored()),
      clients: this.#clients.size,
      listed: this.#listed.size,
    });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
