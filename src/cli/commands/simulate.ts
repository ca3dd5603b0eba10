import { setFlagsFromString } from 'node:v8';
import type { Argv } from 'yargs';
import type { Values } from '../../config/options.js';
import { readInteger } from '../../config/value.js';
import { Failure } from '../../greylist/failure.js';
import type { FollowOptions, Reading } from '../../maillog/read.js';
import type { Terminal } from '../../output/terminal.js';
import { declareSettings, givenSettings, readOption, tolerateServerSettings } from '../arguments.js';
import { resolveGiven, settingsFor, terminalFor, type Arguments, type Process } from '../context.js';
import { ownClientList } from '../lists.js';
import {
  decisionDocument,
  outcomeDocument,
  readingDocument,
  suggestionDocument,
} from '../simulation/document.js';
import { followUntilSignal, liveLine, standardInput } from '../simulation/live.js';
import {
  assumedRetry,
  declareLog,
  logOptions,
  tellProblems,
  type LogOptions,
} from '../simulation/options.js';
import { readLog } from '../simulation/reading.js';
import type { RehearsalOptions, Run, ShowDecision } from '../simulation/rehearsal.js';
import { printComparison, printOutcome, printReading, printSuggestions } from '../simulation/report.js';
import { combinations, refuseCombination } from '../simulation/sweep.js';

/** `greyctl simulate`: what settings would do to the mail of a log. */
export function declare(yargs: Argv): Argv {
  const log = declareLog(yargs.usage('$0 simulate [OPTION…] LOG…'));
  return declareSettings(tolerateServerSettings(log), ['decision'])
    .option('assume-retry', {
      type: 'string',
      requiresArg: true,
      describe: 'when senders come back whose retries the log does not show [TIME]; default 15m',
    })
    .option('sweep', {
      type: 'string',
      requiresArg: true,
      describe: 'compare values of a setting [SETTING=VALUE,…]; several: all combinations',
    })
    .option('suggest', { type: 'boolean', describe: 'suggest whitelist entries, with the evidence' })
    .option('decisions', {
      type: 'boolean',
      describe: 'print a JSON object for each attempt instead of the report',
    })
    .option('follow', {
      type: 'boolean',
      describe: 'go on with the newest log as it grows and print decisions as they come',
    })
    .option('with-db', {
      type: 'boolean',
      describe: 'begin with what the database remembers; it is not changed',
    })
    .option('top', {
      type: 'string',
      requiresArg: true,
      describe: 'rows of the lists of senders, clients and suggestions [N]; default 10',
    });
}

/**
 * Lets the heap grow by half between two full collections, where V8 would let it grow two to four times: a quarter less memory at
 * 500,000 triplets, for a twentieth more processor time (measured).
 */
function keepHeapSmall(): void {
  setFlagsFromString('--heap-growing-percent=50');
}

/** All that the command line asks for. */
interface Request extends RehearsalOptions {
  readonly values: Values;
  readonly log: LogOptions;
  readonly follow: FollowOptions | undefined;
  /** Settings are compared, if only one with itself. */
  readonly isSwept: boolean;
  /** Rows of the lists of senders, clients and suggestions. */
  readonly top: number;
  /** A JSON object for each decision instead of the report. */
  readonly wantsEach: boolean;
}

/** Reads the command line; throws a Failure for what cannot be understood or does not go together. */
function requestOf(argv: Arguments, outside: Process): Request {
  const { values } = settingsFor(argv, outside);
  const isWithDb = argv['with-db'] === true;
  const wantsEach = argv['decisions'] === true;
  const sweeps = sweepsOf(argv);
  const log = logOptions(argv, outside);
  refuseTogether(isWithDb && values.privacy, '--with-db', '--privacy: hashes cannot be compared with a log');
  refuseTogether(wantsEach && sweeps.length > 0, '--decisions', '--sweep');
  refuseTogether(wantsEach && argv['suggest'] === true, '--decisions', '--suggest');
  const request = {
    values,
    isWithDb,
    wantsEach,
    isSwept: sweeps.length > 0,
    log,
    countFrom: log.since,
    assumedRetrySeconds: assumedRetry(argv),
    top: readOption(argv, 'top', (text) => readInteger(text, 1, 10_000)) ?? 10,
    follow: followUntilSignal(argv, outside),
    wantsSuggestions: argv['suggest'] === true,
    combinations: combinations(sweeps, givenSettings(argv), (given) => resolveGiven(given, outside)),
  };
  request.combinations.forEach(refuseCombination);
  return request;
}

/** Rehearses; status 1 when a log could not be read, though what could be is reported. */
export async function run(argv: Arguments, outside: Process): Promise<number> {
  const request = requestOf(argv, outside);
  const { values, log, follow, wantsEach } = request;
  keepHeapSmall();
  const reading = readLog(log, outside.now(), () => standardInput(follow), follow);
  // While the thread that reads begins.
  const { beginRuns, replayAll } = await import('../simulation/rehearsal.js');
  const { runs, knownUntil } = await beginRuns(values, outside, request);
  const show = showDecisions(terminalFor(values, outside), wantsEach, values.json);
  await replayAll(reading, runs, log, outside, wantsEach || follow ? show : undefined);
  tellProblems(reading.problems, 'simulate', outside);
  if (knownUntil >= (reading.counts.firstTime ?? Infinity))
    outside.stderr.write(
      'greyctl: the database knows triplets that were first seen after this log begins: what waited there may pass at once here\n',
    );
  const isNothingRead = reading.counts.lines === 0 && reading.problems.length > 0;
  if (!wantsEach && !isNothingRead) await report(reading, runs, request, outside);
  return reading.problems.length > 0 ? 1 : 0;
}

/** All decisions as JSON where they are wanted; of a log that is followed else those that come live. */
function showDecisions(terminal: Terminal, wantsEach: boolean, isJson: boolean): ShowDecision {
  return async (logged, decision, isLive) => {
    if (wantsEach || (isLive && isJson)) await terminal.json(decisionDocument(logged, decision));
    else if (isLive) await terminal.line(liveLine(logged, decision));
  };
}

function refuseTogether(areGiven: boolean, one: string, other: string): void {
  if (areGiven) throw new Failure(`${one} does not go together with ${other}`, { kind: 'usage' });
}

function sweepsOf(argv: Arguments): string[] {
  const given = argv['sweep'];
  return (Array.isArray(given) ? given : given === undefined ? [] : [given]).map(String);
}

async function report(
  reading: Reading,
  runs: readonly Run[],
  { values, log, assumedRetrySeconds, top, isSwept }: Request,
  outside: Process,
): Promise<void> {
  const terminal = terminalFor(values, outside);
  const results = runs.map(({ combination, replay }) => ({ combination, outcome: replay.outcome }));
  const [first] = results;
  if (!first) return;
  const suggestions = runs[0]?.suggester?.suggestions();
  if (values.json) {
    const swept = results.map(({ combination, outcome }) => ({
      settings: combination.label,
      ...outcomeDocument(outcome, top),
    }));
    await terminal.json({
      ...readingDocument(reading.counts, log),
      ...(isSwept ? { combinations: swept } : outcomeDocument(first.outcome, top)),
      ...(suggestions && { suggestions: suggestions.slice(0, top).map(suggestionDocument) }),
    });
    return;
  }
  await printReading(terminal, reading.counts, log);
  if (isSwept) await printComparison(terminal, results, assumedRetrySeconds);
  else await printOutcome(terminal, first, assumedRetrySeconds, top);
  if (suggestions) await printSuggestions(terminal, ownClientList(values), suggestions, top);
}
