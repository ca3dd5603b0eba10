/**
 * Tells that two lines are one event: a policy server's line and what smtpd or a delivery says of the same recipient.
 * The policy server's line comes first, unless loggers swap lines of the same moment, or files are merged, where all lines of one
 * second of one file come before those of the other.
 */
import type { Logged } from './attempts.js';
import { detached } from './fields.js';
import { createLatecomers, type Unclaimed } from './late.js';
import { createLately, isBefore, isOneMoment, pairedWithinSeconds } from './lately.js';
import type { Held } from './order.js';
import { createRecent, type Recent } from './recent.js';

interface PolicyRecord {
  readonly logged: Logged;
  readonly client: string;
  readonly recipient: string;
  readonly time: number;
  readonly opens: boolean;
  used: boolean;
}

/** An event that was told without a policy server's line. */
interface Other {
  readonly client: string;
  readonly recipient: string;
  readonly held: Held;
  readonly time: number;
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
  told: (client: string, recipient: string, held: Held) => void;
  /** True when the policy server lately passed a recipient of this client that no message has laid claim to. */
  claim: (client: string, time: number) => boolean;
  /** A message begins that claimed nothing: its line may still come behind it. */
  unclaimed: (message: Unclaimed) => void;
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
    lists.set(detached(key), [record]);
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
  const others = createLately<Other>(({ held, client, recipient }) =>
    keyOf(held.value.logged, client, recipient),
  );
  const latecomers = createLatecomers();
  let now = -Infinity;
  // Mostly the next line is its counterpart: a record is put away when another one comes.
  let latest: PolicyRecord | undefined;

  const findOther = (logged: Logged, client: string, recipient: string, time: number): Held | undefined => {
    if (others.isEmpty()) return undefined;
    const list = others.get(keyOf(logged, client, recipient), time);
    while (list[0] && isBefore(list[0].time, time)) list.shift();
    return list[0] && isOneMoment(list[0].time, time) ? list.shift()?.held : undefined;
  };

  const keep = ({ logged, client, recipient, time, opens }: PolicyRecord) => {
    // The keys hold copies of what would keep a block of the log in memory.
    const record = { logged, client: '', recipient: '', time, opens, used: false };
    remember(policies, keyOf(logged, client, recipient), record);
    if (opens && logged === 'accepted') remember(passes, client, record);
  };
  const useLatest = (
    logged: Logged,
    client: string,
    recipient: string | undefined,
    time: number,
  ): boolean => {
    if (latest?.client !== client || latest.logged !== logged || isSpent(latest, time)) return false;
    if (recipient === undefined ? !latest.opens : latest.recipient !== recipient) return false;
    latest.used = true;
    return true;
  };

  return {
    policy: (logged, client, recipient, time, opens) => {
      const held = findOther(logged, client, recipient, time);
      if (held) return held;
      if (latest && !latest.used) keep(latest);
      const isLate = opens && logged === 'accepted' && latecomers.pass(client, recipient, time);
      latest = { logged, client, recipient, time, opens: opens && !isLate, used: false };
      return undefined;
    },
    isTold: (logged, client, recipient, time) =>
      useLatest(logged, client, recipient, time) ||
      (latest !== undefined && useUp(policies.get(keyOf(logged, client, recipient)), time, 'shift')),
    told: (client, recipient, held) => {
      others.add({ client, recipient, held, time: held.time }, now);
    },
    claim: (client, time) =>
      useLatest('accepted', client, undefined, time) ||
      (latest !== undefined && useUp(passes.get(client), time, 'pop')),
    unclaimed: (message) => {
      latecomers.begun(message, now);
    },
    advance: (time) => {
      now = time;
      policies.advance(now);
      passes.advance(now);
    },
  };
}
