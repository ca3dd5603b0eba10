import { randomUUID } from 'node:crypto';
import type { Decision, PreparedAttempt } from '../greylist/decide.js';
import type { CountsMove, DelayTally, HourlyDelay, MoreToMerge, Tally } from '../greylist/store.js';
import { attemptsOf, delayClass, newestHour, tallyHour, tallyKey } from './tally.js';

function delayKey({ hour, seconds }: HourlyDelay): string {
  return `${hour} ${seconds}`;
}

function add<T extends { readonly count: number }>(counts: Map<string, T>, key: string, one: T): void {
  counts.set(key, { ...one, count: one.count + (counts.get(key)?.count ?? 0) });
}

function keepLarger<T extends { readonly count: number }>(counts: Map<string, T>, key: string, one: T): void {
  if ((counts.get(key)?.count ?? 0) < one.count) counts.set(key, one);
}

/** What a store in memory counts by the hour. */
export class MemoryCounts {
  readonly #tallies = new Map<string, Tally>();
  readonly #delays = new Map<string, HourlyDelay>();
  /** Moves that were added, with the newest hour of each. */
  readonly #added = new Map<string, number>();
  #outgoing: CountsMove | undefined;

  count(attempt: PreparedAttempt, decision: Decision): void {
    const { verdict, reason, delaySeconds } = decision;
    const hour = tallyHour(attempt.time);
    const delays = delaySeconds === undefined ? [] : [{ hour, seconds: delayClass(delaySeconds), count: 1 }];
    this.add([{ hour, verdict, reason, count: attemptsOf(attempt) }], delays);
  }

  add(tallies: readonly Tally[], delays: readonly HourlyDelay[]): void {
    for (const tally of tallies) add(this.#tallies, tallyKey(tally.hour, tally), tally);
    for (const delay of delays) add(this.#delays, delayKey(delay), delay);
  }

  /** Adds what a move brings, unless it did before. */
  addMove({ id, tallies, delays }: CountsMove): void {
    if (this.#added.has(id)) return;
    this.#added.set(id, newestHour([...tallies, ...delays]));
    this.add(tallies, delays);
  }

  /** Takes all out, or gives again what was taken and is not moved yet. */
  take(): CountsMove | undefined {
    const [tallies, delays] = [this.tallies(0), this.hourlyDelays()];
    if (this.#outgoing || tallies.length + delays.length === 0) return this.#outgoing;
    this.#tallies.clear();
    this.#delays.clear();
    this.#outgoing = { id: randomUUID(), tallies, delays };
    return this.#outgoing;
  }

  moved(id: string): void {
    if (this.#outgoing?.id === id) this.#outgoing = undefined;
  }

  /** Of two counts the larger. */
  merge({ tallies, delays }: Pick<MoreToMerge, 'tallies' | 'delays'>): void {
    for (const tally of tallies) keepLarger(this.#tallies, tallyKey(tally.hour, tally), tally);
    for (const delay of delays) keepLarger(this.#delays, delayKey(delay), delay);
  }

  tallies(since: number): Tally[] {
    const found = [...this.#tallies.values()].filter((tally) => tally.hour >= since);
    return found.sort((a, b) => a.hour - b.hour);
  }

  hourlyDelays(): HourlyDelay[] {
    return [...this.#delays.values()].sort((a, b) => a.hour - b.hour || a.seconds - b.seconds);
  }

  delays(since: number): DelayTally[] {
    const sums = new Map<number, number>();
    for (const { hour, seconds, count } of this.#delays.values()) {
      if (hour >= since) sums.set(seconds, (sums.get(seconds) ?? 0) + count);
    }
    return Array.from(sums, ([seconds, count]) => ({ seconds, count })).sort((a, b) => a.seconds - b.seconds);
  }

  /** Removes the counts of hours before; says how many. */
  forget(before: number): number {
    let removed = 0;
    for (const [id, hour] of this.#added) if (hour < before) this.#added.delete(id);
    for (const counts of [this.#tallies, this.#delays]) {
      for (const [key, { hour }] of counts) if (hour < before && counts.delete(key)) removed += 1;
    }
    return removed;
  }
}
