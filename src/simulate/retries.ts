/**
 * Retries that a log does not show. A message that was accepted at once had no need to come back; where the rehearsal defers it, its
 * sender is taken to come back after the time that this sender took before in the same log, else after a given time, and again
 * after that time until it passes.
 */
import type { KeyedAttempt } from '../greylist/decide.js';
import { keyOf } from './key.js';
import { createRows } from './rows.js';

/** A deferred message that is taken to come back. */
export interface AssumedRetry {
  /** When it comes back, epoch seconds. */
  readonly time: number;
  readonly attempt: KeyedAttempt;
  readonly intervalSeconds: number;
  /** Whose sender it is, for the sums. */
  readonly senderDomain: string;
}

/** A sender gives up after this time (RFC 5321, section 4.5.4.1: at least 4–5 days). */
const giveUpSeconds = 5 * 86_400;
/** Nobody tries more often than this: what comes sooner is another mail. */
const shortestSeconds = 30;
const mostLearned = 50_000;

/** Assumed retries in the order of their times. */
export interface Retries {
  schedule(attempt: KeyedAttempt, senderDomain: string): void;
  /** The next retry that is due at `time` or before; undefined when there is none. */
  due(time: number): AssumedRetry | undefined;
  /** The same message once more, after it was deferred again; false when its sender has given up. */
  again(retry: AssumedRetry): boolean;
  /** The log shows a sender that came back after so many seconds. */
  observe(seconds: number, senderDomain: string): void;
}

function siftUp(heap: AssumedRetry[]): void {
  let child = heap.length - 1;
  while (child > 0) {
    const parent = (child - 1) >> 1;
    const [upper, lower] = [heap[parent], heap[child]];
    if (!upper || !lower || upper.time <= lower.time) return;
    heap[parent] = lower;
    heap[child] = upper;
    child = parent;
  }
}

function siftDown(heap: AssumedRetry[]): void {
  for (let parent = 0; ;) {
    let least = parent;
    for (const child of [2 * parent + 1, 2 * parent + 2]) {
      if ((heap[child]?.time ?? Infinity) < (heap[least]?.time ?? Infinity)) least = child;
    }
    const [upper, lower] = [heap[parent], heap[least]];
    if (least === parent || !upper || !lower) return;
    heap[parent] = lower;
    heap[least] = upper;
    parent = least;
  }
}

/** No retries yet; `assumedSeconds` holds for senders the log tells nothing of. */
export function createRetries(assumedSeconds: number): Retries {
  const heap: AssumedRetry[] = [];
  let learned = createRows(1);
  function learn(senderDomain: string, seconds: number): void {
    const key = keyOf(senderDomain);
    const known = learned.find(key);
    if (known >= 0) {
      // The latest retry counts half: senders change their ways.
      learned.set(known, 0, Math.round((learned.get(known, 0) + seconds) / 2));
      return;
    }
    if (learned.count >= mostLearned) learned = createRows(1);
    learned.set(learned.add(key), 0, seconds);
  }
  const push = (retry: AssumedRetry) => {
    heap.push(retry);
    siftUp(heap);
  };
  return {
    schedule: (attempt, senderDomain) => {
      const known = learned.find(keyOf(senderDomain));
      const intervalSeconds = Math.max(shortestSeconds, known < 0 ? assumedSeconds : learned.get(known, 0));
      push({ time: attempt.time + intervalSeconds, attempt, intervalSeconds, senderDomain });
    },
    due: (time) => {
      const first = heap[0];
      if (!first || first.time > time) return undefined;
      const last = heap.pop();
      if (last && last !== first) {
        heap[0] = last;
        siftDown(heap);
      }
      return first;
    },
    again: (retry) => {
      const time = retry.time + retry.intervalSeconds;
      if (time - retry.attempt.time > giveUpSeconds) return false;
      push({ ...retry, time });
      return true;
    },
    observe: (seconds, senderDomain) => {
      if (seconds >= shortestSeconds && seconds <= giveUpSeconds) learn(senderDomain, seconds);
    },
  };
}
