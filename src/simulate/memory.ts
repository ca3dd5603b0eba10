import { isAlive, isClientAlive, type AwlRecord, type Entry, type Memory } from '../greylist/decide.js';
import type { Rules } from '../greylist/settings.js';
import { tripletOfText, tripletText, type Triplet } from '../greylist/triplet.js';

/** Told of an entry that was forgotten without having passed, with the label it was kept under. */
export type Forgotten = (triplet: Triplet, entry: Entry, label: string | undefined) => void;

export interface ReplayMemory {
  /** The triplet as one text. */
  keyOf(triplet: Triplet): string;
  recall(triplet: Triplet, address: string): Memory;
  /** Keeps what a decision made of what `recall` gave; `label` stays with an entry that begins here. */
  keep(triplet: Triplet, address: string, before: Memory, after: Memory, label?: string): void;
  /** True when the entry began within the rehearsal and its return has not been reported otherwise. */
  isOwn(triplet: Triplet): boolean;
  /** An entry that waits needs not be reported any more: its sender got through otherwise. False when it need not have been anyway. */
  excuse(triplet: Triplet): boolean;
  /** Puts in what was known before the rehearsal. */
  preload(triplet: Triplet, entry: Entry): void;
  preloadClient(address: string, client: AwlRecord): void;
  /** Forgets what the rules have forgotten at `now`, if that has become much. */
  tidy(now: number): void;
  /** Reports the entries that still wait. */
  finish(): void;
  entries(): IterableIterator<[Triplet, Entry]>;
}

/** Below this many nothing is tidied. */
const fewEntries = 20_000;

/** What a rehearsal remembers: as much as a server would, whatever the length of the log. */
export function createReplayMemory(rules: Rules, forgotten: Forgotten): ReplayMemory {
  const entries = new Map<string, Entry>();
  /** Keys of entries not to be reported: they began in the database, or are excused. Mostly few. */
  const unreported = new Set<string>();
  /** Labels of those entries that were given one. */
  const labels = new Map<string, string>();
  const clients = new Map<string, AwlRecord>();
  let tidyAt = fewEntries;

  const forget = (key: string, entry: Entry) => {
    const isReported = !unreported.delete(key);
    const label = labels.get(key);
    if (label !== undefined) labels.delete(key);
    if (isReported && entry.passedAt === undefined) forgotten(tripletOfText(key), entry, label);
  };

  // The same triplet is asked about, decided and kept: its key is made once.
  let last: Triplet | undefined;
  let lastKey = '';
  const keyFor = (triplet: Triplet): string => {
    if (triplet !== last) lastKey = tripletText(triplet);
    last = triplet;
    return lastKey;
  };

  return {
    keyOf: keyFor,
    recall: (triplet, address) => ({ entry: entries.get(keyFor(triplet)), client: clients.get(address) }),
    keep: (triplet, address, before, after, label) => {
      if (after.entry && after.entry !== before.entry) {
        const key = keyFor(triplet);
        // A younger first_seen is a new beginning: the old entry had been forgotten.
        const isAnew = !before.entry || after.entry.firstSeen > before.entry.firstSeen;
        if (before.entry && isAnew) forget(key, before.entry);
        if (isAnew && label !== undefined) labels.set(key, label);
        entries.set(key, after.entry);
      }
      if (after.client && after.client !== before.client) clients.set(address, after.client);
    },
    isOwn: (triplet) => entries.has(keyFor(triplet)) && !unreported.has(keyFor(triplet)),
    excuse: (triplet) => {
      const key = keyFor(triplet);
      if (!entries.has(key) || unreported.has(key)) return false;
      unreported.add(key);
      return true;
    },
    preload: (triplet, entry) => {
      entries.set(tripletText(triplet), entry);
      unreported.add(tripletText(triplet));
    },
    preloadClient: (address, client) => clients.set(address, client),
    tidy: (now) => {
      if (entries.size + clients.size < tidyAt) return;
      for (const [key, entry] of entries) {
        if (isAlive(entry, now, rules)) continue;
        forget(key, entry);
        entries.delete(key);
      }
      for (const [address, client] of clients) {
        if (!isClientAlive(client, now, rules)) clients.delete(address);
      }
      // Walked through again when it has doubled: a constant number of steps an entry.
      tidyAt = Math.max(fewEntries, 2 * (entries.size + clients.size));
    },
    finish: () => {
      for (const [key, entry] of entries) forget(key, entry);
    },
    *entries() {
      for (const [key, entry] of entries) yield [tripletOfText(key), entry];
    },
  };
}
