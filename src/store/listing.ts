/** The same filters, orders and groups as in SQL, for entries in memory. */
import type {
  EntryFilter,
  EntryOrder,
  StoredEntry,
  StoreInfo,
  Waiting,
  WaitingGroup,
  WaitingQuery,
} from '../greylist/store.js';
import type { Triplet } from '../greylist/triplet.js';

function isInDomain(address: string, domain: string): boolean {
  return address.includes('@') && (address.endsWith(`@${domain}`) || address.endsWith(`.${domain}`));
}

function fits<T>(wanted: T | undefined, found: T): boolean {
  return wanted === undefined || wanted === found;
}

/** True when all conditions hold. */
export function matches(entry: StoredEntry, filter: EntryFilter): boolean {
  const { client, sender, recipient } = entry.triplet;
  const { domain, lastSeenFrom, lastSeenBefore } = filter;
  return (
    fits(filter.client, client) &&
    fits(filter.sender, sender) &&
    fits(filter.recipient, recipient) &&
    fits(filter.state, entry.passedAt === undefined ? 'waiting' : 'passed') &&
    (domain === undefined || isInDomain(sender, domain) || isInDomain(recipient, domain)) &&
    (lastSeenFrom === undefined || entry.lastSeen >= lastSeenFrom) &&
    (lastSeenBefore === undefined || entry.lastSeen < lastSeenBefore)
  );
}

/** Orders triplets by client, sender, recipient, each by code point, as SQLite's binary collation does with UTF-8. */
function compareTriplets(a: Triplet, b: Triplet): number {
  return (
    Buffer.compare(Buffer.from(a.client), Buffer.from(b.client)) ||
    Buffer.compare(Buffer.from(a.sender), Buffer.from(b.sender)) ||
    Buffer.compare(Buffer.from(a.recipient), Buffer.from(b.recipient))
  );
}

/** Orders entries; the keys of equal ones run forward, also in reverse. */
export function comparison({ by, isReversed }: EntryOrder): (a: StoredEntry, b: StoredEntry) => number {
  const sign = isReversed ? -1 : 1;
  return (a, b) =>
    by === undefined
      ? sign * compareTriplets(a.triplet, b.triplet)
      : sign * (a[by] - b[by]) || compareTriplets(a.triplet, b.triplet);
}

/** The largest groups, largest first, equal ones by code point. */
export function largest(counts: ReadonlyMap<string, number>, limit: number): WaitingGroup[] {
  return Array.from(counts, ([name, count]) => ({ name, count }))
    .sort((a, b) => b.count - a.count || Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)))
    .slice(0, limit);
}

/** Makes the answer to `waiting` of the port from all entries, given to `add` one by one. */
export function waitingCounter({ firstSeenSince, limit }: WaitingQuery) {
  const counts = {
    sender: new Map<string, number>(),
    client: new Map<string, number>(),
    recipient: new Map<string, number>(),
  };
  let since = 0;
  return {
    add: ({ triplet, passedAt, firstSeen }: StoredEntry): void => {
      if (passedAt !== undefined) return;
      since += firstSeen >= firstSeenSince ? 1 : 0;
      const names = { ...triplet, sender: triplet.sender.slice(triplet.sender.indexOf('@') + 1) };
      for (const part of ['sender', 'client', 'recipient'] as const)
        counts[part].set(names[part], (counts[part].get(names[part]) ?? 0) + 1);
    },
    result: (): Waiting => ({
      firstSeenSince: since,
      senderDomains: largest(counts.sender, limit),
      clients: largest(counts.client, limit),
      recipients: largest(counts.recipient, limit),
    }),
  };
}

/** How many entries there are, and since when. */
export function summary(
  entries: readonly StoredEntry[],
): Pick<StoreInfo, 'waiting' | 'passed' | 'oldestFirstSeen' | 'newestLastSeen'> {
  const passed = entries.filter((entry) => entry.passedAt !== undefined).length;
  let [oldest, newest] = [Infinity, -Infinity];
  for (const { firstSeen, lastSeen } of entries) {
    oldest = Math.min(oldest, firstSeen);
    newest = Math.max(newest, lastSeen);
  }
  return {
    waiting: entries.length - passed,
    passed,
    ...(entries.length > 0 && { oldestFirstSeen: oldest, newestLastSeen: newest }),
  };
}
