/**
 * Group commit: what arrives while a batch is being written is settled as the next batch, one transaction for many attempts. Under load
 * a second batch is sent before the first is answered, so that the store's thread and this one work side by side.
 *
 * When the store fails, or has not answered within the store timeout, the attempts waiting for it pass with the reason
 * `store unavailable`: greylisting never stops mail. For a second after a failure nothing is tried, so that no attempt waits
 * for a store that has just been seen to hang; then the next batch tries again.
 */
import type { Decision, PreparedAttempt } from '../greylist/decide.js';
import { reasonOf } from '../greylist/failure.js';
import type { Store } from '../greylist/store.js';
import type { Warn } from './log.js';

const restMs = 1000;
const maxBatch = 1000;
/** So many are worth a transaction of their own while another is under way; larger ones let this thread or the store's wait. */
const goodBatch = 20;
const maxUnderWay = 2;

const unavailable: Decision = { verdict: 'pass', reason: 'store unavailable', waitSeconds: 0 };

interface Waiting {
  readonly attempt: PreparedAttempt;
  readonly resolve: (decision: Decision) => void;
}

export interface Settler {
  /** Never rejects. */
  settle(attempt: PreparedAttempt): Promise<Decision>;
}

/** Gathers attempts for `store`; `warn` hears of its failures. */
export function createSettler(store: Pick<Store, 'settle'>, warn: Warn, storeTimeoutMs = 1000): Settler {
  const queue: Waiting[] = [];
  /** Batches that were sent and not answered, and those of them that are later than anybody waits for. */
  let underWay = 0;
  let late = 0;
  let isResting = false;
  let isScheduled = false;
  /** Attempts that passed for want of a store and were not told to it yet, and the time of the first of them. */
  let missed = { count: 0, since: 0 };

  function miss(count: number, since: number): void {
    missed = {
      count: missed.count + count,
      since: missed.count === 0 ? since : Math.min(since, missed.since),
    };
  }

  function giveUp(batch: readonly Waiting[]): void {
    for (const { attempt, resolve } of batch) {
      miss(1, attempt.time);
      resolve(unavailable);
    }
  }

  function rest(why: string): void {
    warn('store', `greylisting is suspended, mail passes: ${why}`);
    isResting = true;
    setTimeout(() => {
      isResting = false;
    }, restMs).unref();
  }

  /** What the store says to a batch; undefined when its attempts were given up. */
  async function ask(batch: readonly Waiting[]): Promise<Decision[] | undefined> {
    const note = missed;
    missed = { count: 0, since: 0 };
    const notes: PreparedAttempt[] =
      note.count > 0 ? [{ time: note.since, exemption: 'store unavailable', count: note.count }] : [];
    const state = { isLate: false };
    const timer = setTimeout(() => {
      state.isLate = true;
      late += 1;
      rest(`the database has not answered for ${storeTimeoutMs / 1000} s`);
      giveUp([...batch, ...queue.splice(0)]);
    }, storeTimeoutMs);
    try {
      const decisions = await store.settle([...notes, ...batch.map(({ attempt }) => attempt)]);
      if (notes.length > 0)
        warn('store again', `the database is back: ${note.count} attempts passed meanwhile`);
      // What came too late for its clients is in the store's count all the same.
      if (state.isLate) missed = { ...missed, count: missed.count - batch.length };
      return state.isLate ? undefined : decisions.slice(notes.length);
    } catch (error) {
      if (note.count > 0) miss(note.count, note.since);
      if (state.isLate) return undefined;
      rest(reasonOf(error));
      giveUp(batch);
      return undefined;
    } finally {
      clearTimeout(timer);
      if (state.isLate) late -= 1;
    }
  }

  async function send(): Promise<void> {
    const batch = queue.splice(0, maxBatch);
    if (isResting) {
      giveUp(batch);
      return;
    }
    underWay += 1;
    const decisions = await ask(batch);
    underWay -= 1;
    // The store is given the next batch before this one's answers are written.
    if (queue.length > 0 && (underWay === 0 || queue.length >= goodBatch)) void send();
    if (!decisions) return;
    for (const [index, { resolve }] of batch.entries()) resolve(decisions[index] ?? unavailable);
  }

  /** All sockets that have something to read in this turn of the event loop get into one batch. */
  function sendSoon(): void {
    if (isScheduled) return;
    isScheduled = true;
    setImmediate(() => {
      isScheduled = false;
      if (queue.length > 0 && underWay === 0) void send();
    });
  }

  return {
    settle: (attempt) =>
      new Promise((resolve) => {
        if (isResting || late > 0) {
          giveUp([{ attempt, resolve }]);
          return;
        }
        queue.push({ attempt, resolve });
        if (queue.length >= goodBatch && underWay < maxUnderWay) void send();
        else if (underWay === 0) sendSoon();
      }),
  };
}
