import {
  crowded,
  isAlive,
  isClientAlive,
  type AwlRecord,
  type Entry,
  type Memory,
} from '../greylist/decide.js';
import type { Rules } from '../greylist/settings.js';
import type { Triplet } from '../greylist/triplet.js';
import { keyOf, type Key } from './key.js';
import { createRows } from './rows.js';

/** Told of an entry that was forgotten without having passed: its client key, and the label it was kept under. */
export type Forgotten = (client: string, entry: Entry, label: string | undefined) => void;

export interface ReplayMemory {
  /** How many triplets are remembered. */
  readonly size: number;
  recall(triplet: Triplet, address: string, now: number): Memory;
  /** Keeps what a decision made of what `recall` gave; `label` stays with an entry that begins here. */
  keep(triplet: Triplet, address: string, before: Memory, after: Memory, label?: string): void;
  /** True when the entry began within the rehearsal and its return has not been reported otherwise. */
  isOwn(triplet: Triplet): boolean;
  /** An entry that waits needs not be reported any more: its sender got through otherwise. False when it need not have been anyway. */
  excuse(triplet: Triplet): boolean;
  /** Notes when the log deferred a triplet, or with undefined that it did not; returns the note before this one, if it is not too old. */
  noteDeferral(triplet: Triplet, time: number | undefined): number | undefined;
  /** What is remembered now counts as known before the rehearsal. */
  disown(): void;
  /** Puts in what was known before the rehearsal. */
  preload(triplet: Triplet, entry: Entry): void;
  preloadClient(address: string, client: AwlRecord): void;
  /** Forgets what the rules have forgotten at `now`, if that has become much. */
  tidy(now: number): void;
  /** Reports the entries that still wait. */
  finish(): void;
}

/** Below this many nothing is tidied. */
const fewEntries = 20_000;
/** So often a server removes what it has forgotten: until then it counts as waiting. */
const purgeSeconds = 3600;
/** After so many notes of deferrals, those that are older than as many others are too old. */
const mostNotes = 50_000;

/** Columns: those of an entry, all NaN where there is none; … */
const [firstSeen, lastSeen, deferrals, passedAt, passes, releasedAt] = [0, 1, 2, 3, 4, 5] as const;
/** … 1 for an entry not to be reported: it began in the database, or is excused; the note of a deferral; the row of the client key. */
const [unreported, notedAt, notedIn, clientRow] = [6, 7, 8, 9] as const;
/** Of a client key: how many of its triplets wait. */
const waitingOf = 0;
/** Of an address: what the auto-whitelist knows. */
const [awlCount, lastCounted] = [0, 1] as const;

function optional(value: number): number | undefined {
  return Number.isNaN(value) ? undefined : value;
}

/** What a rehearsal remembers: as much as a server would, whatever the length of the log. */
export function createReplayMemory(rules: Rules, forgotten: Forgotten): ReplayMemory {
  const rows = createRows(10);
  const clients = createRows(1);
  /** The client keys, by row. */
  let names: string[] = [];
  const labels = new Map<number, string>();
  const addresses = createRows(2);
  let latest: { readonly triplet: Triplet; readonly key: Key } | undefined;
  let tidyAt = fewEntries;
  let tidiedAt = -Infinity;
  let waiting = 0;
  let notes = { turn: 0, count: 0 };

  const keyFor = (triplet: Triplet): Key => {
    // Who asks for a triplet asks again.
    if (latest?.triplet !== triplet)
      latest = { triplet, key: keyOf(triplet.client, triplet.sender, triplet.recipient) };
    return latest.key;
  };
  const find = (triplet: Triplet) => rows.find(keyFor(triplet));
  const clientFor = (client: string): number => {
    const key = keyOf(client);
    const known = clients.find(key);
    if (known >= 0) return known;
    names.push(client);
    const row = clients.add(key);
    clients.set(row, waitingOf, 0);
    return row;
  };
  const rowFor = (triplet: Triplet): number => {
    const known = find(triplet);
    if (known >= 0) return known;
    const row = rows.add(keyFor(triplet));
    rows.set(row, clientRow, clientFor(triplet.client));
    return row;
  };
  const nameAt = (row: number) => names[rows.get(row, clientRow)] ?? '';
  const hasEntry = (row: number) => row >= 0 && !Number.isNaN(rows.get(row, firstSeen));
  const entryAt = (row: number): Entry | undefined => {
    if (!hasEntry(row)) return undefined;
    return {
      firstSeen: rows.get(row, firstSeen),
      lastSeen: rows.get(row, lastSeen),
      deferrals: rows.get(row, deferrals),
      passedAt: optional(rows.get(row, passedAt)),
      passes: rows.get(row, passes),
      releasedAt: optional(rows.get(row, releasedAt)),
    };
  };
  const recordAt = (row: number): AwlRecord => ({
    count: addresses.get(row, awlCount),
    lastCounted: addresses.get(row, lastCounted),
  });
  const setClient = (address: string, client: AwlRecord) => {
    const key = keyOf(address);
    const known = addresses.find(key);
    const row = known < 0 ? addresses.add(key) : known;
    addresses.set(row, awlCount, client.count);
    addresses.set(row, lastCounted, client.lastCounted);
  };
  const waits = (row: number) => (hasEntry(row) && Number.isNaN(rows.get(row, passedAt)) ? 1 : 0);
  const countWaiting = (row: number, by: number) => {
    waiting += by;
    const client = rows.get(row, clientRow);
    clients.set(client, waitingOf, clients.get(client, waitingOf) + by);
  };
  const waitingNow = (name: string): Memory['waiting'] => {
    if (waiting < Math.min(rules.maxWaiting, rules.maxWaitingPerClient)) return undefined;
    const client = clients.find(keyOf(name));
    return { all: waiting, ofClient: client < 0 ? 0 : clients.get(client, waitingOf) };
  };
  const setEntry = (row: number, entry: Entry) => {
    const before = waits(row);
    const after = entry.passedAt === undefined ? 1 : 0;
    if (before !== after) countWaiting(row, after - before);
    rows.set(row, firstSeen, entry.firstSeen);
    rows.set(row, lastSeen, entry.lastSeen);
    rows.set(row, deferrals, entry.deferrals);
    rows.set(row, passedAt, entry.passedAt ?? NaN);
    rows.set(row, passes, entry.passes);
    rows.set(row, releasedAt, entry.releasedAt ?? NaN);
  };
  const isReported = (row: number) => rows.get(row, unreported) !== 1;
  const forget = (row: number, entry: Entry) => {
    if (isReported(row) && entry.passedAt === undefined) forgotten(nameAt(row), entry, labels.get(row));
    rows.set(row, unreported, NaN);
    labels.delete(row);
  };
  const noteAt = (row: number): number | undefined =>
    rows.get(row, notedIn) >= notes.turn - 1 ? optional(rows.get(row, notedAt)) : undefined;

  /** False for a row that is of no use any more. */
  const isKept = (row: number, now: number): boolean => {
    const entry = entryAt(row);
    if (entry && isAlive(entry, now, rules)) return true;
    if (entry) forget(row, entry);
    if (waits(row)) countWaiting(row, -1);
    rows.set(row, firstSeen, NaN);
    return noteAt(row) !== undefined;
  };
  /** Drops the clients that no row has; the others move up. */
  const tidyClients = () => {
    const isUsed = new Uint8Array(clients.count);
    for (let row = 0; row < rows.count; row += 1) isUsed[rows.get(row, clientRow)] = 1;
    const places = new Int32Array(clients.count);
    const kept: string[] = [];
    clients.keepOnly(
      (client) => isUsed[client] === 1,
      (from, to) => {
        places[from] = to;
        kept.push(names[from] ?? '');
      },
    );
    for (let row = 0; row < rows.count; row += 1)
      rows.set(row, clientRow, places[rows.get(row, clientRow)] ?? 0);
    names = kept;
  };
  const tidyAll = (now: number) => {
    rows.keepOnly(
      (row) => isKept(row, now),
      (from, to) => {
        const label = from === to ? undefined : labels.get(from);
        if (label === undefined) return;
        labels.delete(from);
        labels.set(to, label);
      },
    );
    tidyClients();
    addresses.keepOnly(
      (row) => isClientAlive(recordAt(row), now, rules),
      () => undefined,
    );
    tidiedAt = now;
    // Walked through again when it has doubled: a constant number of steps a row.
    tidyAt = Math.max(fewEntries, 2 * (rows.count + addresses.count));
  };

  return {
    get size() {
      return rows.count;
    },
    recall: (triplet, address, now) => {
      const entry = entryAt(find(triplet));
      const known = addresses.find(keyOf(address));
      const client = known < 0 ? undefined : recordAt(known);
      // How many wait holds back only what is new.
      if (entry && isAlive(entry, now, rules)) return { entry, client };
      const waiting = waitingNow(triplet.client);
      if (!crowded(rules, { waiting }) || Math.abs(now - tidiedAt) < purgeSeconds)
        return { entry, client, waiting };
      // What a server would have removed is in the way; the entry is part of it.
      tidyAll(now);
      return { client, waiting: waitingNow(triplet.client) };
    },
    keep: (triplet, address, before, after, label) => {
      if (after.entry && after.entry !== before.entry) {
        const row = rowFor(triplet);
        // A younger first_seen is a new beginning: the old entry had been forgotten.
        const isAnew = !before.entry || after.entry.firstSeen > before.entry.firstSeen;
        if (before.entry && isAnew) forget(row, before.entry);
        if (isAnew && label !== undefined) labels.set(row, label);
        setEntry(row, after.entry);
      }
      if (after.client && after.client !== before.client) setClient(address, after.client);
    },
    isOwn: (triplet) => {
      const row = find(triplet);
      return hasEntry(row) && isReported(row);
    },
    excuse: (triplet) => {
      const row = find(triplet);
      if (!hasEntry(row) || !isReported(row)) return false;
      rows.set(row, unreported, 1);
      return true;
    },
    noteDeferral: (triplet, time) => {
      const row = time === undefined ? find(triplet) : rowFor(triplet);
      if (row < 0) return undefined;
      const before = noteAt(row);
      if (before !== undefined && rows.get(row, notedIn) === notes.turn) notes.count -= 1;
      rows.set(row, notedAt, time ?? NaN);
      if (time === undefined) return before;
      rows.set(row, notedIn, notes.turn);
      notes.count += 1;
      if (notes.count >= mostNotes) notes = { turn: notes.turn + 1, count: 0 };
      return before;
    },
    disown: () => {
      for (let row = 0; row < rows.count; row += 1) if (hasEntry(row)) rows.set(row, unreported, 1);
      labels.clear();
    },
    preload: (triplet, entry) => {
      const row = rowFor(triplet);
      setEntry(row, entry);
      rows.set(row, unreported, 1);
    },
    preloadClient: setClient,
    tidy: (now) => {
      if (rows.count + addresses.count >= tidyAt) tidyAll(now);
    },
    finish: () => {
      for (let row = 0; row < rows.count; row += 1) {
        const entry = entryAt(row);
        if (entry) forget(row, entry);
      }
    },
  };
}
