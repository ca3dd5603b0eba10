/**
 * Tells that two lines are one event: a policy server's line and what smtpd or a delivery says of the same recipient.
 * The policy server's line comes first, unless loggers or merged files swap lines of the same moment.
 */
import type { Logged } from './attempts.js';
import type { Held } from './order.js';
import { createRecent, type Recent } from './recent.js';

/** A policy server answers within smtpd_policy_service_timeout, 100 s; smtpd logs as soon as it has the answer. */
const pairedWithinSeconds = 100;
/** How far lines of one moment get swapped. */
const swappedWithinSeconds = 2;
/** Events of one key that may wait for their line at a time. */
const mostSwapped = 16;

interface PolicyRecord {
  readonly time: number;
  used: boolean;
}

export interface Pairing {
  /**
   * A policy server's line: what was told before of the same event, or undefined. `opens`: a message that has no queue id
   * yet may begin with it.
   */
  policy: (
    logged: Logged,
    client: string,
    recipient: string,
    time: number,
    opens: boolean,
  ) => Held | undefined;
  /** True when a policy server's line has told this event already. */
  isTold: (logged: Logged, client: string, recipient: string, time: number) => boolean;
  /** An event told without a policy server's line, which may still come. */
  told: (logged: Logged, client: string, recipient: string, held: Held) => void;
  /** True when the policy server lately passed a recipient of this client that no message has laid claim to. */
  claim: (client: string, time: number) => boolean;
  advance: (now: number) => void;
}

function keyOf(logged: Logged, client: string, recipient: string): string {
  return `${logged} ${client} ${recipient.toLowerCase()}`;
}

function isSpent(record: PolicyRecord, time: number): boolean {
  return record.used || time - record.time > pairedWithinSeconds;
}

function remember(lists: Recent<PolicyRecord[]>, key: string, record: PolicyRecord): void {
  const list = lists.get(key);
  if (!list) {
    lists.set(key, [record]);
    return;
  }
  for (let first = list[0]; first && isSpent(first, record.time); first = list[0]) list.shift();
  list.push(record);
}

/** Uses up the first (or last) record that is not spent. */
function useUp(list: PolicyRecord[] | undefined, time: number, end: 'shift' | 'pop'): boolean {
  for (let record = list?.[end](); record; record = list?.[end]()) {
    if (isSpent(record, time)) continue;
    record.used = true;
    return true;
  }
  return false;
}

/** Makes a memory of the last minutes. */
export function createPairing(): Pairing {
  const policies = createRecent<PolicyRecord[]>(pairedWithinSeconds);
  const passes = createRecent<PolicyRecord[]>(pairedWithinSeconds);
  const others = createRecent<Held[]>(swappedWithinSeconds);

  return {
    policy: (logged, client, recipient, time, opens) => {
      const key = keyOf(logged, client, recipient);
      const held = others.get(key)?.shift();
      if (held && Math.abs(time - held.time) <= swappedWithinSeconds) return held;
      const record = { time, used: false };
      remember(policies, key, record);
      if (opens && logged === 'accepted') remember(passes, client, record);
      return undefined;
    },
    isTold: (logged, client, recipient, time) =>
      useUp(policies.get(keyOf(logged, client, recipient)), time, 'shift'),
    told: (logged, client, recipient, held) => {
      const key = keyOf(logged, client, recipient);
      const list = others.get(key);
      if (!list) others.set(key, [held]);
      else if (list.push(held) > mostSwapped) list.shift();
    },
    claim: (client, time) => useUp(passes.get(client), time, 'pop'),
    advance: (now) => {
      policies.advance(now);
      passes.advance(now);
      others.advance(now);
    },
  };
}
