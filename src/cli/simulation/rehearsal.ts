/** Rehearsals of the same log under one or several combinations of settings, from their beginning to their end. */
import { statSync } from 'node:fs';
import { settingsOf } from '../../config/resolve.js';
import type { Values } from '../../config/options.js';
import type { Attempt } from '../../greylist/attempt.js';
import type { Decision } from '../../greylist/decide.js';
import { reasonOf } from '../../greylist/failure.js';
import { printable } from '../../greylist/printable.js';
import { allClients, allEntries, type Store } from '../../greylist/store.js';
import type { LoggedAttempt } from '../../maillog/attempts.js';
import type { Reading } from '../../maillog/read.js';
import { createProgress } from '../../output/progress.js';
import { createReplay, type Replay } from '../../simulate/replay.js';
import { createSuggester, type Suggester } from '../../simulate/suggest.js';
import { MemoryStore } from '../../store/memory.js';
import type { Match, Whitelist } from '../../whitelist/matcher.js';
import { hasDatabase, withExistingStore, withStore, type Process } from '../context.js';
import { loadLists } from '../lists.js';
import type { LogOptions } from './options.js';
import type { Combination } from './sweep.js';

/** A rehearsal under one combination of settings. */
export interface Run {
  readonly combination: Combination;
  readonly replay: Replay;
  /** Only with the first: one reading of the log is evidence once. */
  readonly suggester: Suggester | undefined;
}

/** The rehearsals, and when the latest triplet was first seen that they know from the database, epoch seconds. */
export interface Beginning {
  readonly runs: Run[];
  readonly knownUntil: number;
}

export interface RehearsalOptions {
  readonly combinations: readonly Combination[];
  /** When senders come back of whom the log shows no retry. */
  readonly assumedRetrySeconds: number;
  /** Epoch seconds: what is earlier is only remembered. */
  readonly countFrom: number;
  /** Begin with what the database remembers. */
  readonly isWithDb: boolean;
  readonly wantsSuggestions: boolean;
}

/** Calls `use` with the database where there is one that can be read; the rehearsal does without it otherwise, and says so. */
async function withReadableStore<T>(
  values: Values,
  outside: Process,
  isWanted: boolean,
  use: (store: Store) => Promise<T>,
): Promise<T> {
  if (isWanted) return withExistingStore(values, outside, use);
  if (hasDatabase(values, outside)) {
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

/** Puts the database into all memories; resolves to the latest first_seen in it. */
async function preload(runs: readonly Run[], store: Store): Promise<number> {
  let newest = -Infinity;
  for await (const { triplet, ...entry } of allEntries(store, {})) {
    newest = Math.max(newest, entry.firstSeen);
    for (const { replay } of runs) replay.memory.preload(triplet, entry);
  }
  for await (const { address, ...client } of allClients(store))
    for (const { replay } of runs) replay.memory.preloadClient(address, client);
  return newest;
}

/** Tells domains where anybody asks for one: the list of public suffixes is large, and Node takes longer to look through it than to run it. */
async function domainOfFor(options: RehearsalOptions): Promise<(name: string) => string | undefined> {
  const isAsked = ({ resolved }: Combination) => resolved.values['client-key'] === 'domain';
  if (!options.wantsSuggestions && !options.combinations.some(isAsked)) return () => undefined;
  return (await import('../../names/domain.js')).registrableDomain;
}

/** Begins a rehearsal under each combination, with all whitelists. */
export async function beginRuns(
  values: Values,
  outside: Process,
  options: RehearsalOptions,
): Promise<Beginning> {
  const { combinations, assumedRetrySeconds, countFrom, isWithDb, wantsSuggestions } = options;
  const slowSeconds = Math.max(3600, 4 * values.delay);
  const domainOf = await domainOfFor(options);
  return withReadableStore(values, outside, isWithDb, async (store) => {
    const match = remembered(await loadLists(values, store, outside.stderr));
    const runs = combinations.map((combination, index): Run => {
      const isWatched = wantsSuggestions && index === 0;
      const suggester = isWatched ? createSuggester(domainOf, slowSeconds) : undefined;
      const replay = createReplay({
        settings: settingsOf(combination.resolved.values),
        assumedRetrySeconds,
        countFrom,
        match,
        domainOf,
        suggester,
      });
      return { combination, replay, suggester };
    });
    return { runs, knownUntil: isWithDb ? await preload(runs, store) : -Infinity };
  });
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
export type ShowDecision = (logged: LoggedAttempt, decision: Decision, isLive: boolean) => Promise<void>;

function followed(reading: Reading): string {
  const name = reading.following() ?? '-';
  return name === '-' ? 'standard input' : printable(name);
}

/** Runs all attempts that are read through all rehearsals, to their ends. */
export async function replayAll(
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
      if (logged.attempt.time >= log.until) continue;
      for (const { replay } of runs) {
        const decision = replay.take(logged);
        if (show && replay.isCounting) await show(logged, decision, reading.isLive());
      }
    }
    if (!reading.isLive()) progress.show(reading.counts.bytes);
    else if (!isAnnounced) {
      progress.clear();
      outside.stderr.write(`greyctl: all that was there has been read; following ${followed(reading)}\n`);
      isAnnounced = true;
    }
  }
  if (!isAnnounced) progress.clear();
  for (const { replay } of runs) replay.finish();
}
