import type { AwlRecord, Entry } from './decide.js';
import type { ListedEntry, Merged, RecipientWindow } from './store.js';

function earlier(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}

/** What two stores know of one triplet, as one. Merging the same again changes nothing, and the order does not matter. */
export function mergeEntries(a: Entry, b: Entry): Entry {
  const passedAt = earlier(a.passedAt, b.passedAt);
  const releasedAt = earlier(a.releasedAt, b.releasedAt);
  return {
    firstSeen: Math.min(a.firstSeen, b.firstSeen),
    lastSeen: Math.max(a.lastSeen, b.lastSeen),
    deferrals: Math.max(a.deferrals, b.deferrals),
    ...(passedAt !== undefined && { passedAt }),
    passes: Math.max(a.passes, b.passes),
    ...(releasedAt !== undefined && { releasedAt }),
  };
}

/** What two stores know of one client, as one; likewise. */
export function mergeClients(a: AwlRecord, b: AwlRecord): AwlRecord {
  return { count: Math.max(a.count, b.count), lastCounted: Math.max(a.lastCounted, b.lastCounted) };
}

/** True when nothing tells the two apart. */
export function sameEntry(a: Entry, b: Entry): boolean {
  return (
    a.firstSeen === b.firstSeen &&
    a.lastSeen === b.lastSeen &&
    a.deferrals === b.deferrals &&
    a.passedAt === b.passedAt &&
    a.passes === b.passes &&
    a.releasedAt === b.releasedAt
  );
}

/** Likewise. */
export function sameClient(a: AwlRecord, b: AwlRecord): boolean {
  return a.count === b.count && a.lastCounted === b.lastCounted;
}

/** What two stores know of one whitelist entry, as `a` with the longer life, the older beginning and the larger of all counts. */
export function mergeListed(a: ListedEntry, b: Omit<ListedEntry, 'id'>): ListedEntry {
  const { expiresAt, lastHit, ...rest } = a;
  const expires =
    expiresAt === undefined || b.expiresAt === undefined ? undefined : Math.max(expiresAt, b.expiresAt);
  const last = lastHit === undefined ? b.lastHit : Math.max(lastHit, b.lastHit ?? lastHit);
  return {
    ...rest,
    comment: a.comment || b.comment,
    addedAt: Math.min(a.addedAt, b.addedAt),
    ...(expires !== undefined && { expiresAt: expires }),
    hits: Math.max(a.hits, b.hits),
    ...(last !== undefined && { lastHit: last }),
  };
}

/** True when merging `b` would leave `a` as it is. */
export function holdsListed(a: ListedEntry, b: Omit<ListedEntry, 'id'>): boolean {
  // Merged with itself, both have the same order of fields.
  return JSON.stringify(mergeListed(a, b)) === JSON.stringify(mergeListed(a, a));
}

/** What is to be opened, or prolonged, where windows are open until `open` tells: of two for one recipient the later end. */
export function laterWindows(
  open: ReadonlyMap<string, number>,
  others: readonly RecipientWindow[],
): { readonly later: RecipientWindow[]; readonly merged: Merged } {
  const until = new Map(open);
  const later: RecipientWindow[] = [];
  const merged = { added: 0, changed: 0 };
  for (const window of others) {
    const before = until.get(window.recipient);
    if (before !== undefined && before >= window.until) continue;
    merged[before === undefined ? 'added' : 'changed'] += 1;
    until.set(window.recipient, window.until);
    later.push(window);
  }
  return { later, merged };
}

/** What several steps of merging have come to. */
export function sumOfMerged(steps: readonly Merged[]): Merged {
  const sum = { added: 0, changed: 0 };
  for (const { added, changed } of steps) {
    sum.added += added;
    sum.changed += changed;
  }
  return sum;
}
