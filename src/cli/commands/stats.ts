import type { Argv } from 'yargs';
import { readDuration } from '../../config/value.js';
import { Failure } from '../../greylist/failure.js';
import { excerpt } from '../../greylist/printable.js';
import type { Tally } from '../../greylist/store.js';
import { count, localTime, timestamp } from '../../output/format.js';
import { textOf } from '../arguments.js';
import { settingsFor, terminalFor, withExistingStore, type Arguments, type Process } from '../context.js';

const day = 86_400;

/** `24h` ago, or a time such as 2026-11-21T08:00 (local unless it says otherwise); the counts are kept by the hour. */
function sinceOf(text: string | undefined, now: number): number {
  if (text === undefined) return now - day;
  const time = /^\d{4}-\d{2}-\d{2}/.test(text)
    ? Date.parse(text.length === 10 ? `${text}T00:00` : text) / 1000
    : NaN;
  if (Number.isFinite(time)) return Math.floor(time);
  try {
    return now - readDuration(text, 'h');
  } catch {
    throw new Failure(
      `--since: "${excerpt(text)}" is neither a duration such as 24h nor a time such as 2026-11-21`,
      { kind: 'usage' },
    );
  }
}

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

function share(part: number, whole: number): string {
  return whole === 0 ? '-' : `${((100 * part) / whole).toFixed(1)} %`;
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

/** Prints what greylisting did since a time. */
export async function run(argv: Arguments, outside: Process): Promise<undefined> {
  const { values } = settingsFor(argv, outside);
  const asked = sinceOf(textOf(argv, 'since'), outside.now());
  const since = asked - (asked % 3600);
  const { tallies, info } = await withExistingStore(values, outside, async (store) => ({
    tallies: await store.tallies(since),
    info: await store.info(),
  }));
  const attempts = tallies.reduce((sum, tally) => sum + tally.count, 0);
  const verdicts: Record<string, number> = {
    pass: 0,
    greylist: 0,
    ...sums(tallies, (tally) => tally.verdict),
  };
  const entries = { waiting: info.waiting, passed: info.passed };
  const terminal = terminalFor(values, outside);
  if (values.json) {
    const reasons = sums(tallies, (tally) => tally.reason);
    await terminal.json({
      since: timestamp(since),
      attempts,
      verdicts,
      reasons,
      by_hour: byHour(tallies),
      entries,
    });
    return undefined;
  }
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
  await terminal.line(
    `Triplets remembered: ${count(entries.waiting)} waiting, ${count(entries.passed)} passed`,
  );
  return undefined;
}
