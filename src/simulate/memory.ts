import { isAlive, isClientAlive, type AwlRecord, type Entry, type Memory } from '../greylist/decide.js';
import type { Rules } from '../greylist/settings.js';
import type { Triplet } from '../greylist/triplet.js';

/** An entry, and whether it began within the rehearsal (and not in the database it started from). */
interface Kept {
  readonly entry: Entry;
  readonly isOwn: boolean;
  /** What `keep` was told of the client that began it. */
  readonly label: string | undefined;
}

/** Told of an entry that was forgotten without having passed, with the label it was kept under. */
export type Forgotten = (triplet: Triplet, entry: Entry, label: string | undefined) => void;

export interface ReplayMemory {
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
  clients(): IterableIterator<[string, AwlRecord]>;
}

const separator = '\0';

function keyOf({ client, sender, recipient }: Triplet): string {
  return client + separator + sender + separator + recipient;
}

function tripletOfKey(key: string): Triplet {
  const [client = '', sender = '', recipient = ''] = key.split(separator);
  return { client, sender, recipient };
}

/** Below this many nothing is tidied. */
const fewEntries = 20_000;

/** What a rehearsal remembers: as much as a server would, whatever the length of the log. */
export function createReplayMemory(rules: Rules, forgotten: Forgotten): ReplayMemory {
  const entries = new Map<string, Kept>();
  const clients = new Map<string, AwlRecord>();
  let tidyAt = fewEntries;

  const forget = (key: string, { entry, isOwn, label }: Kept) => {
    if (isOwn && entry.passedAt === undefined) forgotten(tripletOfKey(key), entry, label);
  };

  return {
    recall: (triplet, address) => ({
      entry: entries.get(keyOf(triplet))?.entry,
      client: clients.get(address),
    }),
    keep: (triplet, address, before, after, label) => {
      if (after.entry && after.entry !== before.entry) {
        const key = keyOf(triplet);
        const kept = entries.get(key);
        // A younger first_seen is a new beginning: the old entry had been forgotten.
        const isAnew = !kept || after.entry.firstSeen > kept.entry.firstSeen;
        if (kept && isAnew) forget(key, kept);
        entries.set(key, {
          entry: after.entry,
          isOwn: isAnew || kept.isOwn,
          label: (isAnew ? label : undefined) ?? kept?.label,
        });
      }
      if (after.client && after.client !== before.client) clients.set(address, after.client);
    },
    isOwn: (triplet) => entries.get(keyOf(triplet))?.isOwn === true,
    excuse: (triplet) => {
      const kept = entries.get(keyOf(triplet));
      if (!kept?.isOwn) return false;
      entries.set(keyOf(triplet), { ...kept, isOwn: false });
      return true;
    },
    preload: (triplet, entry) => entries.set(keyOf(triplet), { entry, isOwn: false, label: undefined }),
    preloadClient: (address, client) => clients.set(address, client),
    tidy: (now) => {
      if (entries.size + clients.size < tidyAt) return;
      for (const [key, kept] of entries) {
        if (isAlive(kept.entry, now, rules)) continue;
        forget(key, kept);
        entries.delete(key);
      }
      for (const [address, client] of clients) {
        if (!isClientAlive(client, now, rules)) clients.delete(address);
      }
      // Walked through again when it has doubled: a constant number of steps an entry.
      tidyAt = Math.max(fewEntries, 2 * (entries.size + clients.size));
    },
    finish: () => {
      for (const [key, kept] of entries) forget(key, kept);
    },
    *entries() {
      for (const [key, { entry }] of entries) yield [tripletOfKey(key), entry];
    },
    clients: () => clients.entries(),
  };
}
