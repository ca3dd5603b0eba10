import { timestamp } from '../../output/format.js';
import type { Decision } from '../../greylist/decide.js';
import type { LoggedAttempt } from '../../maillog/attempts.js';
import type { ReadingCounts } from '../../maillog/counts.js';
import { addressText } from '../../greylist/address.js';
import type { Durations } from '../../simulate/durations.js';
import type { Outcome } from '../../simulate/outcome.js';
import type { Suggestion } from '../../simulate/suggest.js';
import type { LogOptions } from './options.js';

/** One attempt and what was decided, as a line of `--decisions`. */
export function decisionDocument({ attempt, logged }: LoggedAttempt, decision: Decision) {
  return {
    time: timestamp(attempt.time),
    client_address: addressText(attempt.client),
    client_name: attempt.clientName,
    sender: attempt.sender,
    recipient: attempt.recipient,
    logged,
    verdict: decision.verdict,
    reason: decision.reason,
    wait_seconds: decision.waitSeconds,
    delay_seconds: decision.delaySeconds ?? null,
  };
}

function delays(durations: Durations) {
  return {
    p50: durations.quantile(0.5) ?? null,
    p95: durations.quantile(0.95) ?? null,
    max: durations.quantile(1) ?? null,
  };
}

/** What was read, and which attempts of it are counted. */
export function readingDocument(
  counts: ReadingCounts,
  { since, until }: Pick<LogOptions, 'since' | 'until'>,
) {
  const time = (stamp: number | undefined) =>
    stamp === undefined || !Number.isFinite(stamp) ? null : timestamp(Math.floor(stamp));
  return {
    lines: counts.lines,
    bytes: counts.bytes,
    skipped_lines: counts.skippedLines,
    period: { from: time(counts.firstTime), to: time(counts.lastTime) },
    counted: { from: time(since), to: time(until) },
    other_refusals: Object.fromEntries(Array.from(counts.refusals, ([name, { count }]) => [name, count])),
    not_attempts: {
      authenticated: counts.authenticated,
      local: counts.local,
      reinjected: counts.reinjected,
      internal: counts.internal,
      discarded: counts.discarded,
    },
    incomplete: {
      without_client: counts.withoutClient + counts.unaddressed,
      without_recipient: counts.incomplete + counts.unnamedDeferrals,
      late: counts.lateAttempts,
      lost_lines: counts.lostLines,
    },
  };
}

/** What came out under one combination of settings. */
export function outcomeDocument(outcome: Outcome, top: number) {
  return {
    attempts: outcome.attempts,
    logged: outcome.logged,
    verdicts: outcome.verdicts,
    reasons: Object.fromEntries(Array.from(outcome.reasons, ([reason, { attempts }]) => [reason, attempts])),
    agreement: outcome.agreement,
    triplets: outcome.triplets,
    triplets_passed: outcome.tripletsPassed,
    triplets_passed_by_awl: outcome.tripletsByAwl,
    triplets_never_returned: outcome.tripletsNeverReturned,
    triplets_undecided: outcome.tripletsUndecided,
    delay_seconds: delays(outcome.observedDelays),
    assumed: {
      triplets_passed: outcome.tripletsAssumed,
      messages: outcome.assumedDelays.count,
      given_up: outcome.givenUp,
      awl_clients: outcome.awlClientsAssumed,
      delay_seconds: delays(outcome.assumedDelays),
    },
    awl_clients: outcome.awlClients,
    waiting_by_sender_domain: outcome.senders.largest('seconds', top).map(({ name, sums }) => ({
      domain: name,
      messages: sums.messages,
      observed_seconds: sums.observedSeconds,
      assumed_seconds: sums.assumedSeconds,
    })),
    never_returned_by_network: outcome.networks
      .largest('triplets', top)
      .map(({ name, sums }) => ({ network: name, ...sums })),
  };
}

/** A suggested whitelist entry. */
export function suggestionDocument(suggestion: Suggestion) {
  return {
    kind: 'client',
    pattern: suggestion.pattern,
    why: suggestion.why,
    messages: suggestion.messages,
    waited_seconds: suggestion.waitedSeconds,
    networks: suggestion.networks,
    also_lets_in: suggestion.alsoLetsIn,
  };
}
