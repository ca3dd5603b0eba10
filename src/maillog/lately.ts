/**
 * The last moments of a log, for what a line may still belong to that comes a little too late. To add costs next to nothing, as
 * most logs never ask; to ask costs the same however much one moment holds.
 */
import { detached } from './fields.js';
import { createRecent } from './recent.js';

/** A policy server answers within smtpd_policy_service_timeout, 100 s; smtpd logs as soon as it has the answer. */
export const pairedWithinSeconds = 100;

/** How far lines of one moment get swapped, by loggers or where files are merged. Seconds. */
const swappedWithinSeconds = 2;

/** So many are kept before the old ones are looked for. */
const leastKept = 128;

interface Timed {
  readonly time: number;
}

export interface Lately<V extends Timed> {
  /** Remembers what is of the log's time `now`; what is older than a moment is not. */
  readonly add: (value: V, now: number) => void;
  /** All of this key, the oldest first; those of another moment than `time` are among them. Whoever uses one up takes it out. */
  readonly get: (key: string, time: number) => V[];
  readonly isEmpty: () => boolean;
}

/** True when lines of these times may have been swapped. */
export function isOneMoment(time: number, other: number): boolean {
  return Math.abs(time - other) <= swappedWithinSeconds;
}

/** True when what is of `time` is older than the moment of `other`. */
export function isBefore(time: number, other: number): boolean {
  return other - time > swappedWithinSeconds;
}

/** Makes an empty memory of values that are found by `keyOf`. */
export function createLately<V extends Timed>(keyOf: (value: V) => string): Lately<V> {
  const byKey = createRecent<V[]>(swappedWithinSeconds);
  let unsorted: V[] = [];
  let most = leastKept;

  const sort = (value: V) => {
    const key = keyOf(value);
    const values = byKey.get(key);
    if (values) values.push(value);
    else byKey.set(detached(key), [value]);
  };

  return {
    add: (value, now) => {
      if (!isOneMoment(value.time, now)) return;
      if (unsorted.length >= most) {
        unsorted = unsorted.filter(({ time }) => isOneMoment(time, now));
        most = Math.max(leastKept, 2 * unsorted.length);
      }
      unsorted.push(value);
    },
    get: (key, time) => {
      byKey.advance(time);
      for (const value of unsorted) if (isOneMoment(value.time, time)) sort(value);
      unsorted = [];
      return byKey.get(key) ?? [];
    },
    isEmpty: () => unsorted.length === 0 && byKey.isEmpty(),
  };
}
