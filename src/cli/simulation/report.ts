import { printable } from '../../greylist/printable.js';
import type { ReadingCounts } from '../../maillog/counts.js';
import { count, duration, localTime, several, share, size } from '../../output/format.js';
import type { Column } from '../../output/table.js';
import type { Terminal } from '../../output/terminal.js';
import type { Durations } from '../../simulate/durations.js';
import type { Outcome } from '../../simulate/outcome.js';
import type { Suggestion } from '../../simulate/suggest.js';
import type { LogOptions } from './options.js';
import type { Combination } from './sweep.js';

/** A combination of settings and what came out under it. */
export interface Result {
  readonly combination: Combination;
  readonly outcome: Outcome;
}

/** Which attempts are counted: epoch seconds, infinite where there is no bound. */
type Bounds = Pick<LogOptions, 'since' | 'until'>;

/** ` from TIME on`, ` before TIME`; empty where nothing is left out. */
function boundsText({ since, until }: Bounds): string {
  const from = since === -Infinity ? '' : ` from ${localTime(since)}${until === Infinity ? ' on' : ''}`;
  return until === Infinity ? from : `${from} ${from === '' ? 'before' : 'to'} ${localTime(until)}`;
}

/** Refusals of so many classes are shown apart. */
const mostClasses = 8;

/** What was read, and what of it is no attempt. */
export async function printReading(terminal: Terminal, counts: ReadingCounts, bounds: Bounds): Promise<void> {
  const period =
    counts.firstTime === undefined || counts.lastTime === undefined
      ? ''
      : `, ${localTime(Math.floor(counts.firstTime))} to ${localTime(Math.floor(counts.lastTime))}`;
  await terminal.line(`Read ${several(counts.lines, 'line')} (${size(counts.bytes)})${period}`);
  const chosen = boundsText(bounds);
  if (chosen !== '') {
    const before = bounds.since === -Infinity ? '' : '; what came before is remembered, and not counted';
    await terminal.sentences(`Counted: attempts${chosen}${before}`);
  }
  const refusals = Array.from(counts.refusals, ([name, refusal]) => [name, refusal.count] as const).sort(
    ([, a], [, b]) => b - a,
  );
  const items: (readonly [string, number])[] = [
    ...refusals
      .slice(0, mostClasses)
      .map(([name, number]) => [`refused otherwise: ${printable(name)}`, number] as const),
    ['refused otherwise: the rest', refusals.slice(mostClasses).reduce((sum, [, number]) => sum + number, 0)],
    ['of users that logged in', counts.authenticated],
    ['of local clients', counts.local],
    ['given back by a content filter', counts.reinjected],
    ['of this host itself', counts.internal],
    ['discarded', counts.discarded],
    ['cut off: the client is missing', counts.withoutClient + counts.unaddressed],
    ['cut off: the recipient is missing', counts.incomplete + counts.unnamedDeferrals],
    ['lines that could not be read', counts.skippedLines],
    ['lines that another file had brought already', counts.duplicateLines],
    ['lines that the log says are lost', counts.lostLines],
  ];
  const shown = items.filter(([, number]) => number > 0);
  if (shown.length > 0) {
    const where = chosen === '' ? '' : ', in all that was read';
    await terminal.line(`\nNot attempts that greylisting decides${where}:`);
    await terminal.table(
      [{ title: 'WHAT' }, { title: 'HOW MANY', align: 'right' }],
      shown.map(([what, number]) => [what, count(number)]),
    );
  }
}

function bounds(durations: Durations): string {
  const at = (part: number) => duration(durations.quantile(part) ?? 0);
  return `p50 ${at(0.5)}, p95 ${at(0.95)}, max ${at(1)}`;
}

const bucketBounds = [60, 300, 600, 1800, 3600, 14_400, 86_400];
const bucketNames = ['< 1m', '1-5m', '5-10m', '10-30m', '30-60m', '1-4h', '4-24h', '>= 1d'];
const barWidth = 40;

async function printDelays(terminal: Terminal, title: string, durations: Durations): Promise<void> {
  if (durations.count === 0) return;
  await terminal.line(`\n${title}: ${bounds(durations)}`);
  const buckets = durations.buckets(bucketBounds);
  const most = Math.max(...buckets);
  await terminal.table(
    [{ title: 'WAITED' }, { title: 'MESSAGES', align: 'right' }, { title: '' }],
    buckets.flatMap((number, index) =>
      number > 0
        ? [
            [
              bucketNames[index] ?? '',
              count(number),
              '#'.repeat(Math.max(1, Math.round((barWidth * number) / most))),
            ],
          ]
        : [],
    ),
  );
}

async function printVerdicts(terminal: Terminal, outcome: Outcome): Promise<void> {
  const rows = [...outcome.reasons].sort(([, a], [, b]) => b.attempts - a.attempts);
  await terminal.table(
    [
      { title: 'VERDICT' },
      { title: 'REASON' },
      { title: 'ATTEMPTS', align: 'right' },
      { title: 'SHARE', align: 'right' },
    ],
    rows.map(([reason, { verdict, attempts }]) => [
      verdict,
      reason,
      count(attempts),
      share(attempts, outcome.attempts),
    ]),
  );
  await terminal.line();
  const { agreement } = outcome;
  await terminal.table(
    [
      { title: 'THE LOG SAYS' },
      { title: 'WOULD PASS', align: 'right' },
      { title: 'WOULD BE DEFERRED', align: 'right' },
    ],
    [
      ['accepted', count(agreement.accepted.pass), count(agreement.accepted.greylist)],
      ['greylisted', count(agreement.greylisted.pass), count(agreement.greylisted.greylist)],
    ],
  );
}

/** In words: which triplets came back, and how that is known. */
async function printTriplets(terminal: Terminal, outcome: Outcome): Promise<void> {
  const { triplets } = outcome;
  await terminal.line(`\nTriplets met for the first time: ${count(triplets)}`);
  const undecided =
    outcome.tripletsUndecided > 0
      ? ` (${count(outcome.tripletsUndecided)} of them had time left when the log ended)`
      : '';
  await terminal.line(`  came back after the delay, seen in the log: ${count(outcome.tripletsPassed)}`);
  if (outcome.tripletsByAwl > 0)
    await terminal.line(`  came back and passed by the auto-whitelist: ${count(outcome.tripletsByAwl)}`);
  await terminal.line(
    `  accepted by the log before the delay was over, taken to come back: ${count(outcome.tripletsAssumed)}`,
  );
  await terminal.line(
    `  never returned: ${count(outcome.tripletsNeverReturned)}, ${share(outcome.tripletsNeverReturned, triplets)}${undecided}`,
  );
}

async function printTops(terminal: Terminal, outcome: Outcome, top: number): Promise<void> {
  const senders = outcome.senders.largest('seconds', top);
  if (senders.length > 0) {
    await terminal.line('\nSender domains that would wait longest, their messages taken together:');
    await terminal.table(
      [
        { title: 'DOMAIN', isElastic: true },
        { title: 'MESSAGES', align: 'right' },
        { title: 'WAITED (SEEN)', align: 'right' },
        { title: 'WAITED (ASSUMED)', align: 'right' },
      ],
      senders.map(({ name, sums }) => [
        name,
        count(sums.messages),
        duration(sums.observedSeconds),
        duration(sums.assumedSeconds),
      ]),
    );
  }
  const networks = outcome.networks.largest('triplets', top);
  if (networks.length === 0) return;
  await terminal.line('\nClients that never returned:');
  await terminal.table(
    [
      { title: 'CLIENT', isElastic: true },
      { title: 'TRIPLETS', align: 'right' },
      { title: 'ATTEMPTS', align: 'right' },
    ],
    networks.map(({ name, sums }) => [name, count(sums.triplets), count(sums.attempts)]),
  );
}

/** The whole report on one combination of settings. */
export async function printOutcome(
  terminal: Terminal,
  { combination, outcome }: Result,
  assumedSeconds: number,
  top: number,
): Promise<void> {
  const { values } = combination.resolved;
  const settings = `delay ${duration(values.delay)}, client key ${values['client-key']}, retry window ${duration(values['retry-window'])}, max age ${duration(values['max-age'])}`;
  await terminal.line();
  await terminal.sentences(
    `With ${settings}, of ${several(outcome.attempts, 'attempt')} (the log: ${count(outcome.logged.accepted)} accepted, ${count(outcome.logged.greylisted)} greylisted):`,
  );
  await terminal.line();
  await printVerdicts(terminal, outcome);
  await printTriplets(terminal, outcome);
  await printDelays(terminal, 'Waited, as seen in the log', outcome.observedDelays);
  await printDelays(terminal, 'Would have waited, by assumption', outcome.assumedDelays);
  await printTops(terminal, outcome, top);
  const assumed = outcome.assumedDelays.count + outcome.givenUp;
  if (assumed === 0) return;
  await terminal.line();
  await terminal.sentences(
    [
      `Assumed: ${several(assumed, 'message')} that the log shows accepted would have been deferred. ${howAssumed(assumedSeconds)}`,
      ...(outcome.awlClientsAssumed > 0
        ? [`${several(outcome.awlClientsAssumed, 'client')} joined the auto-whitelist by such returns.`]
        : []),
      ...(outcome.givenUp > 0
        ? [
            `${several(outcome.givenUp, 'message')} never got through: each return came after the retry window.`,
          ]
        : []),
    ].join(' '),
  );
}

/** Where the times come from that no log can show. */
function howAssumed(seconds: number): string {
  return (
    'The log cannot tell when they would have come back; they are taken to do so after ' +
    `${duration(seconds)} (--assume-retry), or after the time their sender took elsewhere in this log.`
  );
}

const comparisonColumns: readonly Column[] = [
  // Whole: the combinations are told apart by nothing else.
  { title: 'SETTINGS' },
  { title: 'DEFERRED', align: 'right' },
  { title: 'SHARE', align: 'right' },
  { title: 'CAME BACK', align: 'right', dispensable: 4 },
  { title: 'ASSUMED', align: 'right', dispensable: 5 },
  { title: 'NEVER', align: 'right' },
  { title: 'P50', align: 'right', dispensable: 2 },
  { title: 'P95', align: 'right' },
  { title: 'MAX', align: 'right', dispensable: 1 },
  { title: 'P95 (ASSUMED)', align: 'right', dispensable: 3 },
];

/** All combinations side by side. */
export async function printComparison(
  terminal: Terminal,
  results: readonly Result[],
  assumedSeconds: number,
): Promise<void> {
  await terminal.line();
  await terminal.table(
    comparisonColumns,
    results.map(({ combination, outcome }) => {
      const at = (durations: Durations, part: number) => {
        const seconds = durations.quantile(part);
        return seconds === undefined ? '-' : duration(seconds);
      };
      return [
        ...[
          combination.label,
          count(outcome.verdicts.greylist),
          share(outcome.verdicts.greylist, outcome.attempts),
        ],
        ...[outcome.tripletsPassed, outcome.tripletsAssumed, outcome.tripletsNeverReturned].map(count),
        ...[0.5, 0.95, 1].map((part) => at(outcome.observedDelays, part)),
        at(outcome.assumedDelays, 0.95),
      ];
    }),
  );
  await terminal.line();
  await terminal.sentences(
    'DEFERRED are attempts; CAME BACK, ASSUMED and NEVER are triplets met for the first time: seen to come back after the delay, ' +
      'accepted by the log before that and taken to come back, not seen again. P50, P95 and MAX are waits seen in the log.',
  );
  if (results.some(({ outcome }) => outcome.assumedDelays.count + outcome.givenUp > 0))
    await terminal.sentences(
      `ASSUMED: their messages, which the log shows accepted, would have been deferred. ${howAssumed(assumedSeconds)}`,
    );
}

/** Entries ready for a whitelist file, each with its evidence. */
export async function printSuggestions(
  terminal: Terminal,
  file: string,
  suggestions: readonly Suggestion[],
  top: number,
): Promise<void> {
  await terminal.line(`\nSuggested for ${printable(file)}:`);
  if (suggestions.length === 0) {
    await terminal.line('# nothing: the log shows no sender that retried from several networks or took long');
  }
  for (const { pattern, why, messages, waitedSeconds, networks, alsoLetsIn } of suggestions.slice(0, top)) {
    const how = why === 'pool' ? `retried from up to ${networks} networks` : 'was slow to come back';
    const hours = `${(waitedSeconds / 3600).toFixed(1)} hours`;
    await terminal.line(
      `${printable(pattern)}  # ${how}: ${several(messages, 'message')}, ${hours} saved; also lets in ${several(alsoLetsIn, 'triplet')} that never came back`,
    );
  }
  const more = suggestions.length - top;
  if (more > 0) await terminal.line(`# and ${count(more)} more: --top=${suggestions.length} shows them`);
}
