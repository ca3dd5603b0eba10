import { existsSync, statSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import type { Argv } from 'yargs';
import type { Values } from '../../config/options.js';
import { settingsOf } from '../../config/resolve.js';
import { readInteger } from '../../config/value.js';
import type { Attempt } from '../../greylist/attempt.js';
import type { Decision } from '../../greylist/decide.js';
import { Failure, reasonOf } from '../../greylist/failure.js';
import { printable } from '../../greylist/printable.js';
import { allClients, allEntries, type Store } from '../../greylist/store.js';
import type { LoggedAttempt } from '../../maillog/attempts.js';
import type { Reading } from '../../maillog/read.js';
import { registrableDomain } from '../../names/domain.js';
import { createProgress } from '../../output/progress.js';
import type { Terminal } from '../../output/terminal.js';
import { createReplay, type Replay } from '../../simulate/replay.js';
import { createSuggester, type Suggester } from '../../simulate/suggest.js';
import { MemoryStore } from '../../store/memory.js';
import type { Match, Whitelist } from '../../whitelist/matcher.js';
import { declareSettings, givenSettings, readOption, tolerateServerSettings } from '../arguments.js';
import {
  databaseLocation,
  refuseProblems,
  resolveGiven,
  settingsFor,
  terminalFor,
  withExistingStore,
  withStore,
  type Arguments,
  type Process,
} from '../context.js';
import { loadLists } from '../lists.js';
import {
  decisionDocument,
  outcomeDocument,
  readingDocument,
  suggestionDocument,
} from '../simulation/document.js';
import { followUntilSignal, liveLine, standardInput } from '../simulation/live.js';
import { assumedRetry, declareLog, logOptions, type LogOptions } from '../simulation/options.js';
import { readLog } from '../simulation/reading.js';
import { printComparison, printOutcome, printReading, printSuggestions } from '../simulation/report.js';
import { combinations, type Combination } from '../simulation/sweep.js';

/** A rehearsal under one combination of settings. */
interface Run {
  readonly combination: Combination;
  readonly replay: Replay;
}

/** Calls `use` with the database where there is one that can be read; the rehearsal does without it otherwise, and says so. */
async function withReadableStore<T>(
  values: Values,
  outside: Process,
  isWanted: boolean,
  use: (store: Store) => Promise<T>,
): Promise<T> {
  if (isWanted) return withExistingStore(values, outside, use);
  if (existsSync(databaseLocation(values, outside))) {
    try {
      return await withStore(values, outside, use);
    } catch (error) {
      outside.stderr.write(`greyctl: without the whitelist of the database: ${printable(reasonOf(error))}\n`);
    }
  }
  return use(new MemoryStore());
}

/** What several rehearsals ask of the same attempt is looked up once. */
function remembered(lists: Whitelist): (attempt: Attempt, now: number) => Match | undefined {
  let last: Attempt | undefined;
  let match: Match | undefined;
  return (attempt, now) => {
    if (attempt !== last) match = lists.match(attempt, now);
    last = attempt;
    return match;
  };
}

async function preload(runs: readonly Run[], store: Store): Promise<void> {
  for await (const { triplet, ...entry } of allEntries(store, {}))
    for (const { replay } of runs) replay.memory.preload(triplet, entry);
  for await (const { address, ...client } of allClients(store))
    for (const { replay } of runs) replay.memory.preloadClient(address, client);
}

/** 0 for what cannot be read, which is told when it is tried. */
function sizeOf(name: string): number {
  try {
    return statSync(name).size;
  } catch {
    return 0;
  }
}

function totalBytes(names: readonly string[]): number {
  return names.reduce((sum, name) => sum + (name === '-' ? NaN : sizeOf(name)), 0);
}

/** What is done with each decision; `isLive`: its attempt was logged after reading began. */
type ShowDecision = (logged: LoggedAttempt, decision: Decision, isLive: boolean) => Promise<void>;

/** Runs all attempts that were read through all rehearsals. */
async function replayAll(
  reading: Reading,
  runs: readonly Run[],
  log: LogOptions,
  outside: Process,
  show: ShowDecision | undefined,
): Promise<void> {
  const progress = createProgress(outside.stderr, totalBytes(log.names), () => performance.now());
  let isAnnounced = false;
  for await (const batch of reading.batches) {
    for (const logged of batch) {
      if (logged.attempt.time < log.since || logged.attempt.time >= log.until) continue;
      for (const { replay } of runs) {
        const decision = replay.take(logged);
        if (show) await show(logged, decision, reading.isLive());
      }
    }
    if (!reading.isLive()) progress.show(reading.counts.bytes);
    else if (!isAnnounced) {
      progress.clear();
      outside.stderr.write('greyctl: all that was there has been read; following the log\n');
      isAnnounced = true;
    }
  }
  if (!isAnnounced) progress.clear();
  for (const { replay } of runs) replay.finish();
}

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
      describe: 'rows of the lists of senders and clients [N]; default 10',
    });
}

/**
 * Lets the heap grow by half between two full collections, where V8 would let it grow two to four times: a quarter less memory at
 * 500,000 triplets, for a twentieth more processor time (measured).
 */
function keepHeapSmall(): void {
  setFlagsFromString('--heap-growing-percent=50');
}

/** Rehearses; status 1 when a log could not be read, though what could be is reported. */
export async function run(argv: Arguments, outside: Process): Promise<number> {
  const { values } = settingsFor(argv, outside);
  const log = logOptions(argv, outside);
  const assumedSeconds = assumedRetry(argv);
  const top = readOption(argv, 'top', (text) => readInteger(text, 1, 10_000)) ?? 10;
  const sweeps = sweepsOf(argv);
  const follow = followUntilSignal(argv, outside);
  const suggester: Suggester | undefined =
    argv['suggest'] === true
      ? createSuggester(registrableDomain, Math.max(3600, 4 * values.delay))
      : undefined;
  const isWithDb = argv['with-db'] === true;
  const wantsEach = argv['decisions'] === true;
  refuseTogether(isWithDb && values.privacy, '--with-db', '--privacy: hashes cannot be compared with a log');
  refuseTogether(wantsEach && sweeps.length > 0, '--decisions', '--sweep');
  const combos = combinations(sweeps, givenSettings(argv), (given) => resolveGiven(given, outside));
  for (const { resolved } of combos) refuseProblems(resolved);
  keepHeapSmall();
  const reading = readLog(log, outside.now(), () => standardInput(follow), follow);
  const runs = await withReadableStore(values, outside, isWithDb, async (store) => {
    const match = remembered(await loadLists(values, store, outside.stderr));
    const started = combos.map((combination, index): Run => {
      const options = {
        settings: settingsOf(combination.resolved.values),
        assumedRetrySeconds: assumedSeconds,
        match,
        domainOf: registrableDomain,
        // One reading of the log is evidence once.
        suggester: index === 0 ? suggester : undefined,
      };
      return { combination, replay: createReplay(options) };
    });
    if (isWithDb) await preload(started, store);
    return started;
  });
  const terminal = terminalFor(values, outside);
  const show = showDecisions(terminal, wantsEach, values.json);
  await replayAll(reading, runs, log, outside, wantsEach || follow ? show : undefined);
  for (const { source, message } of reading.problems)
    outside.stderr.write(`greyctl: ${printable(source)}: ${printable(message)}\n`);
  if (!wantsEach) await report(reading, runs, values, { assumedSeconds, top, suggester }, outside);
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

interface ReportOptions {
  readonly assumedSeconds: number;
  readonly top: number;
  readonly suggester: Suggester | undefined;
}

async function report(
  reading: Reading,
  runs: readonly Run[],
  values: Values,
  options: ReportOptions,
  outside: Process,
): Promise<void> {
  const { assumedSeconds, top, suggester } = options;
  const terminal = terminalFor(values, outside);
  const results = runs.map(({ combination, replay }) => ({ combination, outcome: replay.outcome }));
  const [first] = results;
  if (!first) return;
  const suggestions = suggester?.suggestions(top);
  if (values.json) {
    const swept = results.map(({ combination, outcome }) => ({
      settings: combination.label,
      ...outcomeDocument(outcome, top),
    }));
    await terminal.json({
      ...readingDocument(reading.counts),
      ...(results.length === 1 ? outcomeDocument(first.outcome, top) : { combinations: swept }),
      ...(suggestions && { suggestions: suggestions.map(suggestionDocument) }),
    });
    return;
  }
  await printReading(terminal, reading.counts);
  if (results.length > 1) await printComparison(terminal, results);
  else await printOutcome(terminal, first, assumedSeconds, top);
  if (suggestions) await printSuggestions(terminal, suggestions);
}
