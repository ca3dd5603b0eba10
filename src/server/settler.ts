/**
 * Group commit: what arrives while a batch is being written is settled as the next batch, one transaction for many attempts.
 *
 * When the store fails, or has not answered within `storeTimeoutMs`, the attempts waiting for it pass with the reason
 * `store unavailable`: greylisting never stops mail. For a second after a failure nothing is tried, so that no attempt waits
 * for a store that has just been seen to hang; then the next batch tries again.
 */
import type { Decision, PreparedAttempt } from '../greylist/decide.js';
import { reasonOf } from '../greylist/failure.js';
import type { Store } from '../greylist/store.js';
import type { Warn } from './log.js';

const storeTimeoutMs = 1000;
const restMs = 1000;
const maxBatch = 1000;

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
export function createSettler(store: Pick<Store, 'settle'>, warn: Warn): Settler {
  const queue: Waiting[] = [];
  let isBusy = false;
  let isResting = false;
  /** The batch being written is later than anybody waits for. */
  let isStuck = false;
  /** Attempts that passed for want of a store and were not told to it yet, and the time of the first of them. */
  const missed = { count: 0, since: 0 };

  function giveUp(batch: readonly Waiting[]): void {
    for (const { attempt, resolve } of batch) {
      if (missed.count === 0) missed.since = attempt.time;
      missed.count += 1;
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
    const { count, since } = missed;
    const note: PreparedAttempt[] = count > 0 ? [{ time: since, exemption: 'store unavailable', count }] : [];
    const timer = setTimeout(() => {
      isStuck = true;
      rest(`the database has not answered for ${storeTimeoutMs / 1000} s`);
      giveUp([...batch, ...queue.splice(0)]);
    }, storeTimeoutMs);
    try {
      const decisions = await store.settle([...note, ...batch.map(({ attempt }) => attempt)]);
      // What came too late for its clients is in the store's count all the same.
      missed.count -= count + (isStuck ? batch.length : 0);
      return isStuck ? undefined : decisions.slice(note.length);
    } catch (error) {
      if (!isStuck) {
        rest(reasonOf(error));
        giveUp(batch);
      }
      return undefined;
    } finally {
      clearTimeout(timer);
      isStuck = false;
    }
  }

  async function work(): Promise<void> {
    const batch = queue.splice(0, maxBatch);
    if (batch.length === 0) {
      isBusy = false;
      return;
    }
    if (isResting) giveUp(batch);
    const decisions = isResting ? undefined : await ask(batch);
    // The store is given the next batch before this one's answers are written.
    void work();
    if (!decisions) return;
    for (const [index, { resolve }] of batch.entries()) resolve(decisions[index] ?? unavailable);
  }

  return {
    settle: (attempt) =>
      new Promise((resolve) => {
        if (isResting || isStuck) {
          giveUp([{ attempt, resolve }]);
          return;
        }
        queue.push({ attempt, resolve });
        if (isBusy) return;
        isBusy = true;
        // All sockets that have something to read in this turn of the event loop get into one batch.
        setImmediate(() => void work());
      }),
  };
}
