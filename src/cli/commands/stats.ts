import type { Argv } from 'yargs';
import type { DelayTally, Store, StoreInfo, Tally } from '../../greylist/store.js';
import { count, duration, localTime, share, timestamp } from '../../output/format.js';
import type { Terminal } from '../../output/terminal.js';
import { readOption } from '../arguments.js';
import { settingsFor, terminalFor, withExistingStore, type Arguments, type Process } from '../context.js';
import { parseTime } from '../time.js';

const day = 86_400;

function sums(tallies: readonly Tally[], key: (tally: Tally) => string): Record<string, number> {
  const result: Record<string, number> = {};
  for (const tally of tallies) result[key(tally)] = (result[key(tally)] ?? 0) + tally.count;
  return result;
}

function byHour(tallies: readonly Tally[]) {
  const hours = new Map<number, Tally[]>();
  for (const tally of tallies) hours.set(tally.hour, [...(hours.get(tally.hour) ?? []), tally]);
  return [...hours].map(([hour, rows]) => ({
    hour: timestamp(hour),
    pass: 0,
    greylist: 0,
    ...sums(rows, (row) => row.verdict),
  }));
}

/** `greyctl stats`: totals and reasons. */
export function declare(yargs: Argv): Argv {
  return yargs
    .usage('$0 stats [OPTION…]')
    .option('since', {
      type: 'string',
      requiresArg: true,
      describe: 'from when on: 24h (the default) ago, or 2026-11-21',
    })
    .example('$0 stats --since 7d', 'the last week');
}

/** What the store has counted since an hour. */
interface Facts {
  readonly since: number;
  readonly tallies: readonly Tally[];
  readonly delays: readonly DelayTally[];
  readonly info: StoreInfo;
  readonly attempts: number;
}

async function gather(store: Store, since: number): Promise<Facts> {
  const tallies = await store.tallies(since);
  const attempts = tallies.reduce((sum, tally) => sum + tally.count, 0);
  return { since, tallies, delays: await store.delays(since), info: await store.info(), attempts };
}

/** The shortest delay that at least this share of all did not exceed; null when nothing passed. */
function quantile(delays: readonly DelayTally[], part: number): number | null {
  let rest = Math.ceil(part * delays.reduce((sum, delay) => sum + delay.count, 0));
  for (const delay of delays) {
    rest -= delay.count;
    if (rest <= 0) return delay.seconds;
  }
  return null;
}

function document({ since, tallies, delays, info, attempts }: Facts) {
  return {
    since: timestamp(since),
    attempts,
    verdicts: { pass: 0, greylist: 0, ...sums(tallies, (tally) => tally.verdict) },
    reasons: sums(tallies, (tally) => tally.reason),
    by_hour: byHour(tallies),
    entries: { waiting: info.waiting, passed: info.passed },
    delay_seconds: { p50: quantile(delays, 0.5), p95: quantile(delays, 0.95), max: quantile(delays, 1) },
  };
}

async function print(terminal: Terminal, { since, tallies, delays, info, attempts }: Facts): Promise<void> {
  await terminal.line(`Since ${localTime(since)}: ${count(attempts)} attempts`);
  await terminal.line();
  const reasons = sums(tallies, (tally) => `${tally.verdict}\t${tally.reason}`);
  await terminal.table(
    [
      { title: 'VERDICT' },
      { title: 'REASON' },
      { title: 'ATTEMPTS', align: 'right' },
      { title: 'SHARE', align: 'right' },
    ],
    Object.entries(reasons)
      .sort(([, a], [, b]) => b - a)
      .map(([key, number]) => [...key.split('\t'), count(number), share(number, attempts)]),
  );
  await terminal.line();
  if (delays.length > 0) {
    const at = (part: number) => duration(quantile(delays, part) ?? 0);
    await terminal.line(
      `Triplets that came back had waited: p50 ${at(0.5)}, p95 ${at(0.95)}, max ${at(1)} (within 5 %)`,
    );
  }
  await terminal.line(`Triplets remembered: ${count(info.waiting)} waiting, ${count(info.passed)} passed`);
}

/** Prints what greylisting did since a time. */
export async function run(argv: Arguments, outside: Process): Promise<undefined> {
  const { values } = settingsFor(argv, outside);
  const asked =
    readOption(argv, 'since', (text) => parseTime(text, outside.now(), 'h')) ?? outside.now() - day;
  const facts = await withExistingStore(values, outside, (store) => gather(store, asked - (asked % 3600)));
  const terminal = terminalFor(values, outside);
  if (values.json) await terminal.json(document(facts));
  else await print(terminal, facts);
  return undefined;
}
