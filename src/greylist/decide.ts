/**
 * The decision. Pure: the server, the rehearsal, `explain` and the tests call this one function with what is
 * known, and store what it returns.
 *
 * Life of an entry:
 *   - it passes when now − first_seen ≥ delay; an early retry does not reset first_seen;
 *   - not passed yet, it is forgotten when now − first_seen > retry window;
 *   - passed, it stays passed while used at least once in max age, whatever the delay is set to later;
 *   - a first_seen in the future (the clock was set back) counts as now;
 *   - where too many wait already a new triplet is not remembered: it passes, or is deferred when its client is the reason;
 *   - released by the operator, or met by an open window of its recipient, it passes before the delay is over.
 */
import { addressText } from './address.js';
import type { Attempt } from './attempt.js';
import { awlCountIntervalSeconds, type Rules, type Settings } from './settings.js';
import { tripletOf, type Triplet } from './triplet.js';

export type Verdict = 'pass' | 'greylist';

/** Why an attempt passes without a look at its triplet. */
export type Exemption =
  | 'client whitelist'
  | 'recipient whitelist'
  | 'sender whitelist'
  | 'authenticated'
  | 'no recipient'
  | 'unusable request'
  | 'store unavailable';

/** The closed list of reasons; postgrey's words where it has one. */
export type Reason =
  | Exemption
  | 'client AWL'
  | 'triplet found'
  | 'released'
  | 'new'
  | 'early-retry'
  | 'too many from client'
  | 'too many waiting';

/** What is remembered of a triplet. Times are epoch seconds. */
export interface Entry {
  readonly firstSeen: number;
  readonly lastSeen: number;
  /** Attempts that were deferred. */
  readonly deferrals: number;
  /** When it passed for the first time; undefined while it waits. */
  readonly passedAt?: number | undefined;
  /** Attempts that passed. */
  readonly passes: number;
  /** When the operator released it, so that its next attempt passes. */
  readonly releasedAt?: number | undefined;
}

/** What the auto-whitelist (AWL) knows of one client address. */
export interface AwlRecord {
  /** First passes of different triplets, at most one counted an hour; once on the list, an hour with mail counts one. */
  readonly count: number;
  /** When it was last counted, epoch seconds. */
  readonly lastCounted: number;
}

/** What is known before the decision, and what is to be known after it. */
export interface Memory {
  readonly entry?: Entry | undefined;
  readonly client?: AwlRecord | undefined;
  /** Until then, epoch seconds, all mail to the recipient passes. */
  readonly openUntil?: number | undefined;
  /** How many triplets wait, of all clients and of this attempt's client key, where the store counts them. */
  readonly waiting?: { readonly all: number; readonly ofClient: number } | undefined;
}

/** An attempt that passes whatever is remembered. */
export interface ExemptAttempt {
  readonly time: number;
  readonly exemption: Exemption;
  /** How many attempts this stands for; 1 unless given. */
  readonly count?: number | undefined;
  /** The id of the stored whitelist entry that matched, so that its hits are counted. */
  readonly listedId?: number | undefined;
}

/** An attempt with its key and the rules that apply to it. */
export interface KeyedAttempt {
  readonly time: number;
  readonly exemption?: undefined;
  readonly triplet: Triplet;
  /** The client's whole address: the auto-whitelist's key. */
  readonly address: string;
  readonly rules: Rules;
}

export type PreparedAttempt = ExemptAttempt | KeyedAttempt;

export interface Decision {
  readonly verdict: Verdict;
  readonly reason: Reason;
  /** Seconds until a retry passes; 0 for a pass. */
  readonly waitSeconds: number;
  /** On a triplet's first pass after it was deferred: how long it had waited. */
  readonly delaySeconds?: number | undefined;
  /** This attempt put its client on the auto-whitelist. */
  readonly joinedAwl?: boolean | undefined;
}

export interface Decided {
  readonly decision: Decision;
  /** What has to be written; a part that did not change is the same object that came in. */
  readonly memory: Memory;
}

/** Makes the key of an attempt and gives it the rules that apply. */
export function keyed(attempt: Attempt, settings: Settings): KeyedAttempt {
  return {
    time: attempt.time,
    triplet: tripletOf(attempt, settings),
    address: addressText(attempt.client),
    rules: settings,
  };
}

/** True when an entry is still to be believed at `now`. */
export function isAlive(entry: Entry, now: number, rules: Rules): boolean {
  return entry.passedAt === undefined
    ? now - entry.firstSeen <= rules.retryWindowSeconds
    : now - entry.lastSeen <= rules.maxAgeSeconds;
}

/** True when an auto-whitelist record is still to be believed at `now`. */
export function isClientAlive(client: AwlRecord, now: number, rules: Rules): boolean {
  return now - client.lastCounted <= rules.maxAgeSeconds;
}

/** An entry as it is when the operator releases it; the same object where nothing waits or it was released before. */
export function released(entry: Entry, now: number): Entry {
  const isWaiting = entry.passedAt === undefined && entry.releasedAt === undefined;
  return isWaiting ? { ...entry, releasedAt: now } : entry;
}

/** A time that is far ahead is of a clock that was set back; one just ahead, of another server's clock. */
function mayCount(client: AwlRecord | undefined, now: number): boolean {
  return !client || Math.abs(now - client.lastCounted) >= awlCountIntervalSeconds;
}

function counted(client: AwlRecord | undefined, now: number): AwlRecord {
  return { count: (client?.count ?? 0) + 1, lastCounted: now };
}

function passed(reason: Reason, more: Partial<Decision> = {}): Decision {
  return { verdict: 'pass', reason, waitSeconds: 0, ...more };
}

/** Decides one attempt. `memory` is what the store holds of its triplet and client, expired or not. */
export function decide(attempt: PreparedAttempt, memory: Memory): Decided {
  if (attempt.exemption) return { decision: passed(attempt.exemption), memory };
  const { time: now, rules } = attempt;

  const client = memory.client && isClientAlive(memory.client, now, rules) ? memory.client : undefined;
  if (rules.awlClients > 0 && client && client.count >= rules.awlClients) {
    return {
      decision: passed('client AWL'),
      memory: mayCount(client, now) ? { ...memory, client: counted(client, now) } : memory,
    };
  }

  const entry = memory.entry && isAlive(memory.entry, now, rules) ? memory.entry : undefined;
  return decideTriplet(now, rules, { ...memory, entry, client }, memory);
}

/** What becomes of a triplet that cannot be remembered; undefined while there is room for it. */
export function crowded(rules: Rules, { waiting }: Pick<Memory, 'waiting'>): Decision | undefined {
  if (!waiting) return undefined;
  if (waiting.ofClient >= rules.maxWaitingPerClient)
    return { verdict: 'greylist', reason: 'too many from client', waitSeconds: rules.delaySeconds };
  return waiting.all >= rules.maxWaiting ? passed('too many waiting') : undefined;
}

/** `known` is what of `memory` is still to be believed. */
function decideTriplet(now: number, rules: Rules, known: Memory, memory: Memory): Decided {
  const { entry, client } = known;
  const firstSeen = Math.min(entry?.firstSeen ?? now, now);
  const waited = now - firstSeen;
  const deferrals = entry?.deferrals ?? 0;

  const isDue = entry?.passedAt !== undefined || waited >= rules.delaySeconds;
  const isReleased = !isDue && (entry?.releasedAt !== undefined || (known.openUntil ?? 0) > now);
  if (!isDue && !isReleased) {
    const crowd = entry ? undefined : crowded(rules, memory);
    if (crowd) return { decision: crowd, memory };
    return {
      decision: {
        verdict: 'greylist',
        reason: entry ? 'early-retry' : 'new',
        waitSeconds: rules.delaySeconds - waited,
      },
      memory: { ...memory, entry: { firstSeen, lastSeen: now, deferrals: deferrals + 1, passes: 0 } },
    };
  }

  const after: Entry = {
    firstSeen,
    lastSeen: now,
    deferrals,
    passedAt: entry?.passedAt ?? now,
    passes: (entry?.passes ?? 0) + 1,
    ...(entry?.releasedAt !== undefined && { releasedAt: entry.releasedAt }),
  };
  const reason: Reason = isReleased ? 'released' : entry ? 'triplet found' : 'new';
  // Nothing is proved by a triplet that never had to come back (delay 0).
  if (entry?.passedAt !== undefined || deferrals === 0) {
    return { decision: passed(reason), memory: { ...memory, entry: after } };
  }
  // Nor by one that was let through before the delay was over.
  if (isReleased || rules.awlClients === 0 || !mayCount(client, now)) {
    return { decision: passed(reason, { delaySeconds: waited }), memory: { ...memory, entry: after } };
  }
  const record = counted(client, now);
  const joinedAwl = record.count === rules.awlClients;
  return {
    decision: passed(reason, { delaySeconds: waited, ...(joinedAwl && { joinedAwl }) }),
    memory: { ...memory, entry: after, client: record },
  };
}
