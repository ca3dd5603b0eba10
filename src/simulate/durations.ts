/** How durations are spread: exact to the second, and small however many there are. */
export interface Durations {
  add(seconds: number): void;
  readonly count: number;
  /** Sum of all, seconds. */
  readonly total: number;
  /** The smallest duration that at least this share (0–1) of all do not exceed; undefined when there are none. */
  quantile(share: number): number | undefined;
  /** How many lie in each bucket: below the first bound, between it and the next …, from the last bound on. */
  buckets(bounds: readonly number[]): number[];
}

/** No durations yet. */
export function createDurations(): Durations {
  const counts = new Map<number, number>();
  let count = 0;
  let total = 0;
  return {
    add: (seconds) => {
      counts.set(seconds, (counts.get(seconds) ?? 0) + 1);
      count += 1;
      total += seconds;
    },
    get count() {
      return count;
    },
    get total() {
      return total;
    },
    quantile: (share) => {
      let rest = Math.ceil(count * share);
      for (const [seconds, times] of [...counts].sort(([a], [b]) => a - b)) {
        rest -= times;
        if (rest <= 0) return seconds;
      }
      return undefined;
    },
    buckets: (bounds) => {
      const sums = new Array<number>(bounds.length + 1).fill(0);
      for (const [seconds, times] of counts) {
        const index = bounds.findIndex((bound) => seconds < bound);
        const bucket = index < 0 ? bounds.length : index;
        sums[bucket] = (sums[bucket] ?? 0) + times;
      }
      return sums;
    },
  };
}
