import type { AwlRecord, Entry } from './decide.js';

function earlier(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}

/** What two stores know of one triplet, as one. Merging the same again changes nothing, and the order does not matter. */
export function mergeEntries(a: Entry, b: Entry): Entry {
  const passedAt = earlier(a.passedAt, b.passedAt);
  return {
    firstSeen: Math.min(a.firstSeen, b.firstSeen),
    lastSeen: Math.max(a.lastSeen, b.lastSeen),
    deferrals: Math.max(a.deferrals, b.deferrals),
    ...(passedAt !== undefined && { passedAt }),
    passes: Math.max(a.passes, b.passes),
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
    a.passes === b.passes
  );
}
