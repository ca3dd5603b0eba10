/**
 * Attempts into time order. An accepted recipient is told by a delivery, later than its time; so attempts are held
 * until nothing older can come, at most for a window of the log's time, and at most so many. What comes later still
 * is given out at once, out of order, and counted by the caller.
 */
import type { LoggedAttempt } from './attempts.js';

/** An attempt that waits for its turn. */
export interface Held {
  value: LoggedAttempt;
  readonly time: number;
  /** Which of two attempts of the same second came first in the log. */
  readonly line: number;
  readonly arrival: number;
}

export interface TimeOrder {
  /** Holds an attempt; `line` is the number of the line that tells its time. */
  add: (value: LoggedAttempt, line: number) => Held;
  /** Gives out, in order, what is older than `time`, and the oldest while more than `mostHeld` are held. */
  release: (time: number, out: (value: LoggedAttempt, late: boolean) => void) => void;
}

function precedes(a: Held, b: Held): boolean {
  if (a.time !== b.time) return a.time < b.time;
  return a.line === b.line ? a.arrival < b.arrival : a.line < b.line;
}

function siftUp(heap: Held[], item: Held): void {
  let index = heap.length;
  heap.push(item);
  while (index > 0) {
    const parent = (index - 1) >> 1;
    const above = heap[parent];
    if (!above || precedes(above, item)) break;
    heap[index] = above;
    index = parent;
  }
  heap[index] = item;
}

/** Takes the first item off a heap that is not empty. */
function takeFirst(heap: Held[]): Held | undefined {
  const first = heap[0];
  const last = heap.pop();
  if (!last || heap.length === 0) return first;
  let index = 0;
  for (;;) {
    let child = 2 * index + 1;
    let below = heap[child];
    if (!below) break;
    const right = heap[child + 1];
    if (right && precedes(right, below)) {
      child += 1;
      below = right;
    }
    if (precedes(last, below)) break;
    heap[index] = below;
    index = child;
  }
  heap[index] = last;
  return first;
}

/** Makes an empty buffer. */
export function createTimeOrder(mostHeld: number): TimeOrder {
  const heap: Held[] = [];
  let arrivals = 0;
  let given = -Infinity;

  return {
    add: (value, line) => {
      arrivals += 1;
      const held: Held = { value, time: value.attempt.time, line, arrival: arrivals };
      siftUp(heap, held);
      return held;
    },
    release: (time, out) => {
      for (let next = heap[0]; next && (next.time < time || heap.length > mostHeld); next = heap[0]) {
        takeFirst(heap);
        out(next.value, next.time < given);
        given = Math.max(given, next.time);
      }
    },
  };
}
