/** What a log proves: triplets that passed, and clients whose triplets came back so often that they earned the auto-whitelist. */
import { awlCountIntervalSeconds, type Settings } from '../greylist/settings.js';
import { isAlive, isClientAlive, keyed, type AwlRecord, type Entry } from '../greylist/decide.js';
import type { StoredClient, StoredEntry } from '../greylist/store.js';
import { tripletText, type Triplet } from '../greylist/triplet.js';
import type { LoggedAttempt } from '../maillog/attempts.js';

export interface Learner {
  take(logged: LoggedAttempt): void;
  /** The passed triplets that are still worth remembering at `now`, epoch seconds. */
  entries(now: number): IterableIterator<StoredEntry>;
  /** The clients that earned the auto-whitelist and are still on it at `now`. */
  clients(now: number): IterableIterator<StoredClient>;
}

interface Proof {
  readonly triplet: Triplet;
  readonly entry: Entry;
}

function accepted(before: Entry | undefined, time: number): Entry {
  return {
    firstSeen: Math.min(before?.firstSeen ?? time, time),
    lastSeen: Math.max(before?.lastSeen ?? time, time),
    deferrals: before?.deferrals ?? 0,
    passedAt: Math.min(before?.passedAt ?? time, time),
    passes: (before?.passes ?? 0) + 1,
  };
}

function deferred(before: Entry | undefined, time: number): Entry {
  if (!before) return { firstSeen: time, lastSeen: time, deferrals: 1, passes: 0 };
  return {
    ...before,
    firstSeen: Math.min(before.firstSeen, time),
    lastSeen: Math.max(before.lastSeen, time),
    deferrals: before.deferrals + 1,
  };
}

/** Learns from the attempts of a log under these settings. */
export function createLearner(settings: Settings, domainOf: (name: string) => string | undefined): Learner {
  const proofs = new Map<string, Proof>();
  const awl = new Map<string, AwlRecord>();

  function countReturn(address: string, time: number): void {
    const known = awl.get(address);
    const before = known && isClientAlive(known, time, settings) ? known : undefined;
    if (before && time < before.lastCounted + awlCountIntervalSeconds) return;
    awl.set(address, { count: (before?.count ?? 0) + 1, lastCounted: time });
  }

  return {
    take: ({ attempt, logged }) => {
      const clientDomain = settings.clientKey === 'domain' ? domainOf(attempt.clientName) : undefined;
      const { triplet, address, time } = keyed({ ...attempt, clientDomain }, settings);
      const key = tripletText(triplet);
      const known = proofs.get(key)?.entry;
      const before = known && isAlive(known, time, settings) ? known : undefined;
      if (logged === 'accepted' && before?.passedAt === undefined && (before?.deferrals ?? 0) > 0)
        countReturn(address, time);
      proofs.set(key, {
        triplet,
        entry: logged === 'accepted' ? accepted(before, time) : deferred(before, time),
      });
    },
    *entries(now) {
      for (const { triplet, entry } of proofs.values()) {
        if (entry.passedAt !== undefined && isAlive(entry, now, settings)) yield { triplet, ...entry };
      }
    },
    *clients(now) {
      if (settings.awlClients === 0) return;
      for (const [address, record] of awl)
        if (record.count >= settings.awlClients && isClientAlive(record, now, settings))
          yield { address, ...record };
    },
  };
}
