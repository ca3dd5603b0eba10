/**
 * Attempts into time order. An accepted recipient is told by a delivery, later than its time; so attempts are held
 * until nothing older can come, at most for a window of the log's time, and at most so many. What comes later still
 * is given out at once, out of order, and counted by the caller.
 */
import type { ToldAttempt } from './attempts.js';

/** An attempt that waits for its turn. */
export interface Held {
  value: ToldAttempt;
  readonly time: number;
  /** Which of two attempts of the same second came first in the log. */
  readonly line: number;
}

export interface TimeOrder {
  /** Holds an attempt; `line` is the number of the line that tells its time. */
  readonly add: (value: ToldAttempt, line: number) => Held;
  /** Gives out, in order, what is older than `time`, and the oldest while more than the most are held. */
  readonly release: (time: number, out: (value: ToldAttempt, late: boolean) => void) => void;
}

function precedes(a: Held, b: Held): boolean {
  return a.time === b.time ? a.line < b.line : a.time < b.time;
}

/** Makes an empty buffer for `mostHeld` attempts. */
export function createTimeOrder(mostHeld: number): TimeOrder {
  // In order from `first` on; what is before has been given out. Attempts come nearly in order: mostly at the end.
  let queue: (Held | undefined)[] = [];
  let first = 0;
  let given = -Infinity;

  const placeFor = (held: Held): number => {
    let low = first;
    let high = queue.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const other = queue[middle];
      if (other && precedes(held, other)) high = middle;
      else low = middle + 1;
    }
    return low;
  };

  return {
    add: (value, line) => {
      const held: Held = { value, time: value.attempt.time, line };
      const last = queue.at(-1);
      if (last && precedes(held, last)) queue.splice(placeFor(held), 0, held);
      else queue.push(held);
      return held;
    },
    release: (time, out) => {
      for (let next = queue[first]; next; next = queue[first]) {
        if (next.time >= time && queue.length - first <= mostHeld) break;
        queue[first] = undefined;
        first += 1;
        out(next.value, next.time < given);
        given = Math.max(given, next.time);
      }
      if (first > 1024 && first * 2 > queue.length) {
        queue = queue.slice(first);
        first = 0;
      }
    },
  };
}
