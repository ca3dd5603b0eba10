import type { DelayTally, Store, StoreInfo, Tally, Waiting } from '../../greylist/store.js';
import { timestamp } from '../../output/format.js';

/** What the store knows of the time since an hour. Times are epoch seconds. */
export interface Facts {
  readonly since: number;
  readonly tallies: readonly Tally[];
  readonly delays: readonly DelayTally[];
  readonly info: StoreInfo;
  readonly waiting: Waiting;
  readonly attempts: number;
}

/** Attempts of one hour, or of one day. */
export interface Period {
  readonly start: number;
  readonly pass: number;
  readonly greylist: number;
}

/** What has become of the triplets that were deferred for the first time since then; a triplet that began anew counts again. */
export interface Returns {
  readonly deferred: number;
  readonly returned: number;
  /** Have not come back; their retry window is not over. */
  readonly waiting: number;
  /** Have not come back in time. */
  readonly neverReturned: number;
}

/** Asks the store. `limit` is the number of groups of each kind. */
export async function gather(
  store: Store,
  since: number,
  windowStart: number,
  limit: number,
): Promise<Facts> {
  const tallies = await store.tallies(since);
  return {
    since,
    tallies,
    delays: await store.delays(since),
    info: await store.info(),
    waiting: await store.waiting({ firstSeenSince: Math.max(since, windowStart), limit }),
    attempts: tallies.reduce((sum, tally) => sum + tally.count, 0),
  };
}

/** Counts by what `key` says of them. */
export function sums(tallies: readonly Tally[], key: (tally: Tally) => string): Record<string, number> {
  const result: Record<string, number> = {};
  for (const tally of tallies) result[key(tally)] = (result[key(tally)] ?? 0) + tally.count;
  return result;
}

/** Attempts by the period that `startOf` puts an hour into, in the order of the tallies. */
export function periods(tallies: readonly Tally[], startOf: (hour: number) => number): Period[] {
  const found = new Map<number, { start: number; pass: number; greylist: number }>();
  for (const { hour, verdict, count } of tallies) {
    const start = startOf(hour);
    const period = found.get(start) ?? { start, pass: 0, greylist: 0 };
    period[verdict] += count;
    found.set(start, period);
  }
  return [...found.values()];
}

/** The shortest delay that at least this share of all did not exceed; null when nothing passed. */
export function quantile(delays: readonly DelayTally[], part: number): number | null {
  let rest = Math.ceil(part * delays.reduce((sum, delay) => sum + delay.count, 0));
  for (const delay of delays) {
    rest -= delay.count;
    if (rest <= 0) return delay.seconds;
  }
  return null;
}

/**
 * From the counts, which outlive the entries: a `new` that was deferred began a triplet, a delay tells of one that came back. Those that came
 * back now but began before `since` are counted, too, so of a time shorter than the retry window this is a little kind.
 */
export function returnsOf({ tallies, delays, waiting }: Facts): Returns {
  const deferred = tallies
    .filter(({ verdict, reason }) => verdict === 'greylist' && reason === 'new')
    .reduce((sum, { count }) => sum + count, 0);
  const returned = Math.min(
    deferred,
    delays.reduce((sum, { count }) => sum + count, 0),
  );
  const still = Math.min(waiting.firstSeenSince, deferred - returned);
  return { deferred, returned, waiting: still, neverReturned: deferred - returned - still };
}

/** What `--json` prints. */
export function statsDocument(facts: Facts) {
  const { since, tallies, delays, info, waiting, attempts } = facts;
  const { deferred, returned, waiting: still, neverReturned } = returnsOf(facts);
  return {
    since: timestamp(since),
    attempts,
    verdicts: { pass: 0, greylist: 0, ...sums(tallies, (tally) => tally.verdict) },
    reasons: sums(tallies, (tally) => tally.reason),
    by_hour: periods(tallies, (hour) => hour).map(({ start, ...counts }) => ({
      hour: timestamp(start),
      ...counts,
    })),
    entries: { waiting: info.waiting, passed: info.passed },
    awl_clients: info.clients,
    delay_seconds: { p50: quantile(delays, 0.5), p95: quantile(delays, 0.95), max: quantile(delays, 1) },
    triplets: { deferred, returned, waiting: still, never_returned: neverReturned },
    waiting_by_sender_domain: waiting.senderDomains,
    waiting_by_client: waiting.clients,
    waiting_by_recipient: waiting.recipients,
  };
}
