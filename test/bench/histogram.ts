/**
 * Durations counted in classes that grow with them: whole microseconds up to 127, above that 64 classes to each doubling, so that
 * a quantile is at most 1.6 % too large. Counting costs a few instructions and never allocates.
 */

const classBits = 6;
const classes = (33 - classBits) << classBits;

export interface Histogram {
  /** Counts a duration of at most 71 minutes. */
  readonly add: (microseconds: number) => void;
  /** How often each class was counted. */
  readonly counts: Uint32Array<ArrayBuffer>;
}

function classOf(microseconds: number): number {
  const doublings = Math.max(0, 31 - classBits - Math.clz32(microseconds));
  return (doublings << classBits) + (microseconds >>> doublings);
}

/** The longest duration of a class, in microseconds. */
function longestOf(index: number): number {
  const doublings = Math.max(0, (index >>> classBits) - 1);
  return (index - (doublings << classBits) + 1) * 2 ** doublings - 1;
}

export function createHistogram(): Histogram {
  const counts = new Uint32Array(classes);
  return {
    add: (microseconds) => {
      const index = classOf(microseconds);
      counts[index] = (counts[index] ?? 0) + 1;
    },
    counts,
  };
}

/** The counts of several histograms as one. */
export function sumOf(all: readonly ArrayLike<number>[]): Uint32Array {
  return Uint32Array.from({ length: classes }, (_, index) =>
    all.reduce((sum, counts) => sum + (counts[index] ?? 0), 0),
  );
}

/** The duration, in microseconds, that the share `quantile` (0 to 1) of all took at most; NaN where none was counted. */
export function quantileOf(counts: ArrayLike<number>, quantile: number): number {
  const all = Array.from(counts);
  const total = all.reduce((sum, count) => sum + count, 0);
  if (total === 0) return NaN;
  const wanted = Math.max(1, Math.ceil(quantile * total));
  let seen = 0;
  return longestOf(all.findIndex((count) => (seen += count) >= wanted));
}
