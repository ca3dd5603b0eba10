/**
 * The rehearsal: attempts of a log, in time order, through the server's own `decide` under some settings. What the log shows is
 * counted as observed; what it cannot show (the retries of messages that were accepted at once) is assumed, and counted apart.
 */
import type { Attempt } from '../greylist/attempt.js';
import { decide, keyed, type Decision, type KeyedAttempt, type PreparedAttempt } from '../greylist/decide.js';
import type { Settings } from '../greylist/settings.js';
import type { LoggedAttempt } from '../maillog/attempts.js';
import type { Match } from '../whitelist/matcher.js';
import { createReplayMemory, type ReplayMemory } from './memory.js';
import { createOutcome, senderDomainOf, type Outcome } from './outcome.js';
import { createRetries } from './retries.js';
import type { Suggester } from './suggest.js';

export interface ReplayOptions {
  readonly settings: Settings;
  /** When a sender comes back of whom the log shows no retry, seconds. */
  readonly assumedRetrySeconds: number;
  readonly match: (attempt: Attempt, now: number) => Match | undefined;
  /** The registrable domain of a verified name; needed for the client key `domain`. */
  readonly domainOf: (name: string) => string | undefined;
  /**
   * What comes out is counted from the first attempt at or after this time on, epoch seconds, with all that the log tells after it;
   * those before it are only remembered.
   */
  readonly countFrom: number;
  /** Watches, where suggestions are wanted. */
  readonly suggester?: Suggester | undefined;
}

export interface Replay {
  /** What was known before; to be filled before the first attempt. */
  readonly memory: ReplayMemory;
  /** What has been counted so far. */
  readonly outcome: Outcome;
  /** True when the latest attempt was counted. */
  readonly isCounting: boolean;
  /** Decides one attempt of the log. */
  take(logged: LoggedAttempt): Decision;
  /** Lets the assumed retries after the last attempt happen, and counts what never came back. */
  finish(): void;
}

/** Starts a rehearsal under these settings with an empty memory. */
export function createReplay(options: ReplayOptions): Replay {
  const { settings, countFrom, suggester } = options;
  const retries = createRetries(options.assumedRetrySeconds);
  let outcome = createOutcome();
  let isCounting = countFrom === -Infinity;
  const memory = createReplayMemory(settings, (client, entry, label) => {
    outcome.neverReturned(client, entry, lastTime - entry.firstSeen <= settings.retryWindowSeconds);
    if (label !== undefined) suggester?.neverReturned(label);
  });
  let lastTime = 0;

  /** `isReturn`: a triplet that the rehearsal met as new has come back by its own entry. */
  function settle(attempt: KeyedAttempt, label?: string): { decision: Decision; isReturn: boolean } {
    const before = memory.recall(attempt.triplet, attempt.address, attempt.time);
    const { decision, memory: after } = decide(attempt, before);
    memory.keep(attempt.triplet, attempt.address, before, after, label);
    // Its client earned the auto-whitelist while this triplet waited: it has come back, though not by its own entry.
    if (decision.reason === 'client AWL' && before.entry && before.entry.passedAt === undefined) {
      if (memory.excuse(attempt.triplet)) outcome.returnedOtherwise();
    }
    return { decision, isReturn: decision.delaySeconds !== undefined && memory.isOwn(attempt.triplet) };
  }

  function comeBack(until: number): void {
    for (let retry = retries.due(until); retry; retry = retries.due(until)) {
      const { decision, isReturn } = settle({ ...retry.attempt, time: retry.time });
      // It came after its triplet had been forgotten, which was counted then.
      if (decision.reason === 'new') memory.excuse(retry.attempt.triplet);
      outcome.assumedDecided(decision, isReturn);
      const isOver = decision.verdict === 'pass' || !retries.again(retry);
      // Of a message from before the counting, only what becomes of its triplet counts.
      if (!isOver || retry.attempt.time < countFrom) continue;
      if (decision.verdict === 'greylist') outcome.gaveUp();
      // What the log shows deferred before it was accepted has waited longer than since then.
      else
        outcome.assumedReturn(retry.senderDomain, decision.delaySeconds ?? retry.time - retry.attempt.time);
    }
  }

  function beginCounting(): void {
    isCounting = true;
    outcome = createOutcome();
    memory.disown();
  }

  function prepare(attempt: Attempt, time: number): PreparedAttempt {
    const match = options.match(attempt, time);
    if (match) return { time, exemption: match.exemption };
    const clientDomain = settings.clientKey === 'domain' ? options.domainOf(attempt.clientName) : undefined;
    const prepared = keyed(clientDomain === undefined ? attempt : { ...attempt, clientDomain }, settings);
    return prepared.time === time ? prepared : { ...prepared, time };
  }

  return {
    memory,
    get outcome() {
      return outcome;
    },
    get isCounting() {
      return isCounting;
    },
    take: (logged) => {
      const { attempt } = logged;
      // A line that came late is taken as of now: time does not run backwards for a server either.
      lastTime = Math.max(lastTime, attempt.time);
      if (!isCounting && lastTime >= countFrom) {
        comeBack(countFrom - 1);
        beginCounting();
      }
      comeBack(lastTime);
      memory.tidy(lastTime);
      const prepared = prepare(attempt, lastTime);
      if (prepared.exemption !== undefined) {
        const { decision } = decide(prepared, {});
        outcome.decided(logged, decision, false);
        return decision;
      }
      const watcher = isCounting ? suggester : undefined;
      const { decision, isReturn } = settle(prepared, watcher?.patternOf(attempt));
      outcome.decided(logged, decision, isReturn);
      const deferredAt = memory.noteDeferral(
        prepared.triplet,
        logged.logged === 'greylisted' ? lastTime : undefined,
      );
      if (deferredAt !== undefined) retries.observe(lastTime - deferredAt, senderDomainOf(attempt.sender));
      if (decision.verdict === 'greylist' && logged.logged === 'accepted')
        retries.schedule(prepared, senderDomainOf(attempt.sender));
      watcher?.decided(logged, prepared, decision);
      return decision;
    },
    finish: () => {
      comeBack(Infinity);
      if (!isCounting) beginCounting();
      memory.finish();
    },
  };
}
