/** What rounds of several servers say together: medians, ratios, a table. */
import { median, type Column, type Comparison, type Row, type Table } from './bench.js';
import type { Measured } from './loaders.js';

/** One server in one round; what comes from /proc is undefined where there is none. */
export interface Round extends Measured {
  readonly cpuMicrosecondsPerAnswer: number | undefined;
  /** Processors that it kept busy. */
  readonly cpuShare: number | undefined;
  /** Processors that programs other than server and generator kept busy, or the machine's host: figures are worth less for it. */
  readonly othersShare: number | undefined;
  /** Since the server was started. */
  readonly peakMegabytes: number | undefined;
  readonly writtenPerAnswer: number | undefined;
  /** What was handed to the system to write, sockets included. */
  readonly handedPerAnswer: number | undefined;
}

/** The rounds of each server, in the same order. */
export type Rounds = ReadonlyMap<string, readonly Round[]>;

type Figure = (round: Round) => number | undefined;

export const rate = ({ answersPerSecond }: Round) => answersPerSecond;
export const p50 = ({ p50Milliseconds }: Round) => p50Milliseconds;
export const p99 = ({ p99Milliseconds }: Round) => p99Milliseconds;

/** The median of what is known of a figure. */
export function medianOf(rounds: readonly Round[] | undefined, figure: Figure): number | undefined {
  const values = rounds?.flatMap((round) => figure(round) ?? []) ?? [];
  return values.length > 0 ? median(values) : undefined;
}

/** The largest that is known of a figure. */
export function largestOf(rounds: readonly Round[] | undefined, figure: Figure): number | undefined {
  const values = rounds?.flatMap((round) => figure(round) ?? []) ?? [];
  return values.length > 0 ? Math.max(...values) : undefined;
}

/** The median of a figure's ratios, round by round: what else the machine did in a round touched both. */
export function ratioOf(rounds: Rounds, ours: string, theirs: string, figure: Figure): number | undefined {
  const others = rounds.get(theirs) ?? [];
  const ratios = (rounds.get(ours) ?? []).flatMap((round, index) => {
    const [mine, other] = [figure(round), others[index] && figure(others[index])];
    return mine === undefined || other === undefined ? [] : [mine / other];
  });
  return ratios.length > 0 ? median(ratios) : undefined;
}

const columns: readonly Column[] = [
  { title: 'p50 ms', digits: 2 },
  { title: 'p99 ms', digits: 2 },
  { title: 'max ms', digits: 1 },
  { title: 'CPU µs/answer', digits: 1 },
  { title: 'peak MB', digits: 0 },
  { title: 'B to disk/answer', digits: 0 },
  { title: 'wrong', digits: 0 },
  { title: 'others’ CPUs', digits: 1 },
];

/** A table of rounds, with their rates as multiples of those of `yardsticks`. */
export function tableOf(title: string, rounds: Rounds, yardsticks: readonly string[]): Table {
  const compared = yardsticks.filter((name) => rounds.has(name));
  const rows = [...rounds].map(([what, ofServer]): Row => {
    const wrong = ofServer.reduce((sum, round) => sum + round.wrong, 0);
    return {
      what,
      values: [
        medianOf(ofServer, rate),
        ...compared.map((name) => ratioOf(rounds, what, name, rate)),
        medianOf(ofServer, p50),
        medianOf(ofServer, p99),
        largestOf(ofServer, ({ maxMilliseconds }) => maxMilliseconds),
        medianOf(ofServer, ({ cpuMicrosecondsPerAnswer }) => cpuMicrosecondsPerAnswer),
        largestOf(ofServer, ({ peakMegabytes }) => peakMegabytes),
        medianOf(ofServer, ({ writtenPerAnswer }) => writtenPerAnswer),
        wrong,
        medianOf(ofServer, ({ othersShare }) => othersShare),
      ],
    };
  });
  const ratios = compared.map((name) => ({ title: `× ${name}`, digits: 2 }));
  return { title, columns: [{ title: 'answers/s', digits: 0 }, ...ratios, ...columns], rows };
}

/** A figure and its target, where the figure is known. */
export function aimed(
  what: string,
  value: number | undefined,
  better: Comparison['better'],
  target: number,
  unit?: Comparison['unit'],
): Comparison[] {
  return value === undefined ? [] : [{ what, value, better, target, ...(unit && { unit }) }];
}
