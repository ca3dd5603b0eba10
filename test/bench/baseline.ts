/** Whether figures have moved since they were last written down: only ratios, which machines have more in common than times. */
import type { Comparison } from './bench.js';

/** Ratios by their names. */
export type Baseline = Readonly<Record<string, number>>;

export interface Move {
  readonly what: string;
  readonly before: number;
  readonly now: number;
  readonly isWorse: boolean;
  /** False where other programs may have been the cause. */
  readonly isCertain: boolean;
}

/** Ratios that differ by less are the same: two quick runs of one program differ by up to about so much. */
const tolerance = 0.25;

function ratios(comparisons: readonly Comparison[]): Comparison[] {
  return comparisons.filter(({ unit, value }) => unit === undefined && Number.isFinite(value));
}

/** What is to be written down: of a machine that is not quiet only what was measured in processor time. */
export function baselineOf(comparisons: readonly Comparison[], isQuiet: boolean): Baseline {
  return Object.fromEntries(
    ratios(comparisons)
      .filter(({ isSteady = false }) => isQuiet || isSteady)
      .map(({ what, value }) => [what, Number(value.toPrecision(3))]),
  );
}

/**
 * The ratios that moved by more than a quarter of the larger one, and what the baseline has but nobody measured. On a machine that
 * is not quiet only what was measured in processor time is certain.
 */
export function compare(
  comparisons: readonly Comparison[],
  baseline: Baseline,
  isQuiet: boolean,
): { moves: Move[]; unmeasured: string[] } {
  const measured = ratios(comparisons);
  const moves = measured.flatMap(({ what, value, better, isSteady = false }) => {
    const before = baseline[what];
    if (before === undefined || Math.abs(value - before) <= tolerance * Math.max(value, before)) return [];
    const isWorse = better === 'more' ? value < before : value > before;
    return [{ what, before, now: value, isWorse, isCertain: isQuiet || isSteady }];
  });
  const names = new Set(measured.map(({ what }) => what));
  return { moves, unmeasured: Object.keys(baseline).filter((what) => !names.has(what)) };
}
