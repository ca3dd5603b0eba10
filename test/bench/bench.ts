/** What benches are made of: each is a file beside this one that exports a `Bench`, and stands in run.ts. */

export interface Situation {
  /** Where a bench may put its files; removed at the end. */
  readonly folder: string;
  /** Less of everything, for a quick look. */
  readonly isQuick: boolean;
  /** Also what takes many minutes. */
  readonly isLong: boolean;
  /** How often each program runs; its median counts. */
  readonly runs: number;
  /** Of a bench with many parts only those whose names begin with one of these; all where there is none. */
  readonly parts: readonly string[];
  /** Of the servers only those whose names begin with one of these; all where there is none. */
  readonly servers: readonly string[];
  /** Progress, for people. */
  readonly say: (text: string) => void;
}

export interface Column {
  readonly title: string;
  /** Digits behind the point. */
  readonly digits: number;
}

/** One program at one task. */
export interface Row {
  readonly what: string;
  /** In words, where there is no result: `not installed: apt-get install …`. */
  readonly missing?: string;
  /** One for each column; undefined where nothing was measured. */
  readonly values: readonly (number | undefined)[];
}

export interface Table {
  readonly title: string;
  readonly columns: readonly Column[];
  readonly rows: readonly Row[];
}

/** A figure made of results, maybe with a target. */
export interface Comparison {
  /** Its name: the same from run to run. */
  readonly what: string;
  readonly value: number;
  /** Without one it is a ratio, which is to be compared from machine to machine. */
  readonly unit?: 'MB' | 'ms' | 's';
  readonly better: 'more' | 'less';
  /** Measured in processor time, which other programs on the machine disturb little. */
  readonly isSteady?: boolean;
  /** At least that where more is better, at most where less is. */
  readonly target?: number;
}

export interface Report {
  readonly tables: readonly Table[];
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

/** Whether something was asked for: all are where nothing was. */
export function isWanted(asked: readonly string[], name: string): boolean {
  return asked.length === 0 || asked.some((beginning) => name.startsWith(beginning));
}
