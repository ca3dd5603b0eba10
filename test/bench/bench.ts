/** What benches are made of: each is a file beside this one that exports a `Bench`, and stands in run.ts. */
import type { Cost } from './measure.js';

export interface Situation {
  /** Where a bench may put its files; removed at the end. */
  readonly folder: string;
  /** Smaller input, for a quick look. */
  readonly isQuick: boolean;
  /** How often each program runs; its median counts. */
  readonly runs: number;
  /** Progress, for people. */
  readonly say: (text: string) => void;
}

/** One program at one task. */
export interface Result {
  readonly what: string;
  /** In words, where there is no result: `not installed: apt-get install …`. */
  readonly missing?: string;
  readonly megabytes?: number;
  readonly attempts?: number;
  /** Medians of all runs. */
  readonly seconds?: number;
  readonly bytesPerSecond?: number;
  readonly attemptsPerSecond?: number | undefined;
  readonly cpuSeconds?: number | undefined;
  /** The largest of all runs. */
  readonly peakMegabytes?: number | undefined;
}

/** A figure made of results, maybe with a target. */
export interface Comparison {
  readonly what: string;
  readonly value: number;
  readonly target?: string;
  readonly isMet?: boolean;
}

export interface Report {
  readonly results: readonly Result[];
  readonly comparisons: readonly Comparison[];
}

export interface Bench {
  readonly name: string;
  readonly run: (situation: Situation) => Promise<Report>;
}

/** The middle of an odd number of values, the upper middle of an even one; NaN of none. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

/** The runs of one program over `bytes` of a log with so many attempts, as one result. */
export function resultOf(what: string, costs: readonly Cost[], bytes: number, attempts: number): Result {
  const seconds = median(costs.map((cost) => cost.seconds));
  const cpu = costs.flatMap(({ cpuSeconds }) => cpuSeconds ?? []);
  const peak = costs.flatMap(({ peakMegabytes }) => peakMegabytes ?? []);
  return {
    what,
    megabytes: bytes / 1e6,
    attempts,
    seconds,
    bytesPerSecond: bytes / seconds,
    attemptsPerSecond: attempts / seconds,
    cpuSeconds: cpu.length > 0 ? median(cpu) : undefined,
    peakMegabytes: peak.length > 0 ? Math.max(...peak) : undefined,
  };
}
