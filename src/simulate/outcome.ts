import type { Decision, Entry, Reason, Verdict } from '../greylist/decide.js';
import type { Logged, LoggedAttempt } from '../maillog/attempts.js';
import { createDurations, type Durations } from './durations.js';
import { createTop, type Top } from './top.js';

/** How often the rehearsal and the log agree: by what the log says, then by what the rehearsal says. */
export type Agreement = Readonly<Record<Logged, Record<Verdict, number>>>;

/** What came out of a rehearsal. */
export interface Outcome {
  attempts: number;
  readonly logged: Record<Logged, number>;
  readonly verdicts: Record<Verdict, number>;
  /** How many attempts each reason decided, and how: the same way always, under one combination of settings. */
  readonly reasons: Map<Reason, { readonly verdict: Verdict; attempts: number }>;
  readonly agreement: Agreement;
  /** Triplets met as new; one that was forgotten and came again counts again. */
  triplets: number;
  /** Of them, those the log shows coming back after the delay. */
  tripletsPassed: number;
  /** Those taken to have come back. */
  tripletsAssumed: number;
  /** Those that came back and passed because their client had earned the auto-whitelist meanwhile. */
  tripletsByAwl: number;
  /** Those that were deferred and never seen again after the delay. */
  tripletsNeverReturned: number;
  /** Of these, the ones that still had time to come back when the log ended. */
  tripletsUndecided: number;
  /** Clients that earned the auto-whitelist. */
  awlClients: number;
  /** Of them, those that earned it by an assumed retry. */
  awlClientsAssumed: number;
  /** Assumed retries that were still deferred after days. */
  givenUp: number;
  /** How long triplets waited that the log shows coming back, seconds. */
  readonly observedDelays: Durations;
  /** How long messages waited whose return is assumed, seconds. */
  readonly assumedDelays: Durations;
  /** Waiting by sender domain: messages and seconds. */
  readonly senders: Top<'seconds' | 'messages' | 'observedSeconds' | 'assumedSeconds'>;
  /** Triplets that never came back, by client network. */
  readonly networks: Top<'triplets' | 'attempts'>;

  /** `isReturn`: a triplet that was met as new has come back. */
  decided(logged: LoggedAttempt, decision: Decision, isReturn: boolean): void;
  /** An assumed retry was decided; `isReturn`: a triplet that was met as new is taken to have come back. */
  assumedDecided(decision: Decision, isReturn: boolean): void;
  /** A message whose return is assumed has passed. */
  assumedReturn(senderDomain: string, waitedSeconds: number): void;
  neverReturned(client: string, entry: Entry, isUndecided: boolean): void;
  /** A triplet came back and passed by the auto-whitelist. */
  returnedOtherwise(): void;
  gaveUp(): void;
}

/** The part of a sender's address by which senders are summed up; `<>` for the null sender. */
export function senderDomainOf(sender: string): string {
  return sender === '' ? '<>' : sender.slice(sender.lastIndexOf('@') + 1).toLowerCase();
}

/** Nothing has come out yet. */
export function createOutcome(): Outcome {
  const outcome: Outcome = {
    attempts: 0,
    logged: { accepted: 0, greylisted: 0 },
    verdicts: { pass: 0, greylist: 0 },
    reasons: new Map(),
    agreement: { accepted: { pass: 0, greylist: 0 }, greylisted: { pass: 0, greylist: 0 } },
    ...{
      triplets: 0,
      tripletsPassed: 0,
      tripletsAssumed: 0,
      tripletsByAwl: 0,
      tripletsNeverReturned: 0,
      tripletsUndecided: 0,
    },
    ...{ awlClients: 0, awlClientsAssumed: 0, givenUp: 0 },
    observedDelays: createDurations(),
    assumedDelays: createDurations(),
    senders: createTop('seconds', 'messages', 'observedSeconds', 'assumedSeconds'),
    networks: createTop('triplets', 'attempts'),
    decided: ({ attempt, logged }, decision, isReturn) => {
      const { verdict, reason, delaySeconds } = decision;
      outcome.attempts += 1;
      outcome.logged[logged] += 1;
      outcome.verdicts[verdict] += 1;
      outcome.agreement[logged][verdict] += 1;
      const known = outcome.reasons.get(reason);
      if (known) known.attempts += 1;
      else outcome.reasons.set(reason, { verdict, attempts: 1 });
      if (reason === 'new') outcome.triplets += 1;
      if (decision.joinedAwl) outcome.awlClients += 1;
      if (delaySeconds === undefined) return;
      outcome.tripletsPassed += isReturn ? 1 : 0;
      outcome.observedDelays.add(delaySeconds);
      outcome.senders.add(senderDomainOf(attempt.sender), {
        ...{ messages: 1, observedSeconds: delaySeconds, assumedSeconds: 0, seconds: delaySeconds },
      });
    },
    assumedDecided: ({ joinedAwl }, isReturn) => {
      if (isReturn) outcome.tripletsAssumed += 1;
      if (!joinedAwl) return;
      outcome.awlClients += 1;
      outcome.awlClientsAssumed += 1;
    },
    assumedReturn: (senderDomain, waitedSeconds) => {
      outcome.assumedDelays.add(waitedSeconds);
      outcome.senders.add(senderDomain, {
        ...{ messages: 1, observedSeconds: 0, assumedSeconds: waitedSeconds, seconds: waitedSeconds },
      });
    },
    neverReturned: (client, entry, isUndecided) => {
      outcome.tripletsNeverReturned += 1;
      outcome.tripletsUndecided += isUndecided ? 1 : 0;
      outcome.networks.add(client, { triplets: 1, attempts: entry.deferrals });
    },
    returnedOtherwise: () => {
      outcome.tripletsByAwl += 1;
    },
    gaveUp: () => {
      outcome.givenUp += 1;
    },
  };
  return outcome;
}
