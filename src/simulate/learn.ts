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
  /** What was left out, as it would be remembered until long after its time: how many attempts, and the latest's time. */
  readonly ahead: { readonly attempts: number; readonly latest: number };
}

/** No time zone puts a clock further ahead. */
const mostAheadSeconds = 86_400;

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

/**
 * Learns from the attempts of a log under these settings. What is ahead of `now`, epoch seconds, is taken as of now, as `decide` does;
 * what is more than a day ahead is left out.
 */
export function createLearner(
  settings: Settings,
  domainOf: (name: string) => string | undefined,
  now: number,
): Learner {
  let ahead = { attempts: 0, latest: now };
  const proofs = new Map<string, Proof>();
  const awl = new Map<string, AwlRecord>();

  function countReturn(address: string, time: number): void {
    const known = awl.get(address);
    const before = known && isClientAlive(known, time, settings) ? known : undefined;
    if (before && time < before.lastCounted + awlCountIntervalSeconds) return;
    awl.set(address, { count: (before?.count ?? 0) + 1, lastCounted: time });
  }

  return {
    get ahead() {
      return ahead;
    },
    take: ({ attempt, logged }) => {
      if (attempt.time > now + mostAheadSeconds) {
        ahead = { attempts: ahead.attempts + 1, latest: Math.max(ahead.latest, attempt.time) };
        return;
      }
      const clientDomain = settings.clientKey === 'domain' ? domainOf(attempt.clientName) : undefined;
      const time = Math.min(attempt.time, now);
      const { triplet, address } = keyed({ ...attempt, clientDomain }, settings);
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
