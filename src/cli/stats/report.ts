import type { WaitingGroup } from '../../greylist/store.js';
import { count, duration, localTime, several, share } from '../../output/format.js';
import type { Terminal } from '../../output/terminal.js';
import { periods, quantile, returnsOf, sums, type Facts, type Period } from './facts.js';

/** Longest bar in characters: with its hour and numbers it fits 80 columns. */
const barLength = 40;
/** Beyond so many hours a line is a day: the table stays on one screen. */
const mostHours = 48;

const right = { align: 'right' } as const;

async function printReasons(terminal: Terminal, { tallies, attempts }: Facts): Promise<void> {
  const reasons = sums(tallies, (tally) => `${tally.verdict}\t${tally.reason}`);
  await terminal.table(
    [
      { title: 'VERDICT' },
      { title: 'REASON' },
      { title: 'ATTEMPTS', ...right },
      { title: 'SHARE', ...right },
    ],
    Object.entries(reasons)
      .sort(([, a], [, b]) => b - a)
      .map(([key, number]) => [...key.split('\t'), count(number), share(number, attempts)]),
  );
  await terminal.line();
}

/** `#` for what was deferred, then `-` for what passed. */
function bar({ pass, greylist }: Period, most: number): string {
  const all = Math.round((barLength * (pass + greylist)) / most);
  const deferred = Math.round((barLength * greylist) / most);
  return '#'.repeat(deferred) + '-'.repeat(Math.max(0, all - deferred));
}

function localMidnight(epochSeconds: number): number {
  return new Date(epochSeconds * 1000).setHours(0, 0, 0, 0) / 1000;
}

async function printPeriods(terminal: Terminal, { tallies, since }: Facts): Promise<void> {
  const last = tallies.at(-1)?.hour ?? since;
  const isByDay = last - since > mostHours * 3600;
  const rows = periods(tallies, isByDay ? localMidnight : (hour) => hour);
  if (rows.length === 0) return;
  const most = Math.max(...rows.map(({ pass, greylist }) => pass + greylist));
  const columns = [
    { title: isByDay ? 'DAY' : 'HOUR' },
    { title: 'GREYLIST', ...right },
    { title: 'PASS', ...right },
    ...(terminal.isTerminal ? [{ title: '# GREYLIST - PASS' }] : []),
  ];
  await terminal.table(
    columns,
    rows.map((row) => [
      localTime(row.start).slice(0, isByDay ? 10 : 16),
      ...[row.greylist, row.pass].map(count),
      ...(terminal.isTerminal ? [bar(row, most)] : []),
    ]),
  );
  await terminal.line();
}

async function printTotals(terminal: Terminal, facts: Facts): Promise<void> {
  const { delays, info } = facts;
  const { deferred, returned, waiting, neverReturned } = returnsOf(facts);
  const of = (part: number) => `${count(part)} (${share(part, deferred)})`;
  if (deferred > 0) {
    await terminal.line(
      `Triplets deferred: ${count(deferred)}, of which ${of(returned)} came back, ${of(waiting)} still may, ${of(neverReturned)} never did`,
    );
  }
  if (delays.length > 0) {
    const at = (part: number) => duration(quantile(delays, part) ?? 0);
    await terminal.line(
      `Triplets that came back had waited: p50 ${at(0.5)}, p95 ${at(0.95)}, max ${at(1)} (within 5 %)`,
    );
  }
  await terminal.line(
    `Triplets remembered: ${count(info.waiting)} waiting, ${count(info.passed)} passed; clients on their way to the AWL or on it: ${count(info.clients)}`,
  );
}

/** Prints the statistics for people. */
export async function printStats(terminal: Terminal, facts: Facts): Promise<void> {
  await terminal.line(`Since ${localTime(facts.since)}: ${several(facts.attempts, 'attempt')}`);
  await terminal.line();
  await printReasons(terminal, facts);
  await printPeriods(terminal, facts);
  await printTotals(terminal, facts);
  const groups: readonly (readonly [string, readonly WaitingGroup[]])[] = [
    ['SENDER DOMAIN', facts.waiting.senderDomains],
    ['CLIENT', facts.waiting.clients],
    ['RECIPIENT', facts.waiting.recipients],
  ];
  for (const [title, rows] of groups) {
    if (rows.length === 0) continue;
    await terminal.line();
    await terminal.table(
      [
        { title, isElastic: true },
        { title: 'WAITING', ...right },
      ],
      rows.map((row) => [row.name === '' ? '<>' : row.name, count(row.count)]),
    );
  }
}
