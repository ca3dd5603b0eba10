import { reasonOf } from '../greylist/failure.js';
import type { Rules } from '../greylist/settings.js';
import type { Store } from '../greylist/store.js';
import type { Log, Warn } from './log.js';

const stepMs = 1000;
/** The first round after a start also counts who waits: until then a flood that began before is not noticed. */
const firstStepMs = 50;
/** Small enough that a batch of attempts waits for it a few milliseconds at most. */
const stepEntries = 500;
/** After all entries were looked at: how long until the next round. */
const pauseMs = 3_600_000;

/**
 * Removes forgotten entries, and counts older than `statsAgeSeconds`, in the background, a few a second. Only room is gained: the decision
 * never believes an entry that has expired. Returns a function that stops it. `now` gives epoch seconds.
 */
export function startPurger(
  store: Pick<Store, 'purge' | 'forgetTallies'>,
  rules: Rules,
  statsAgeSeconds: number,
  now: () => number,
  log: Log,
  warn: Warn,
): () => void {
  let timer: NodeJS.Timeout | undefined;
  let removed = 0;
  let isFirstRound = true;
  async function step(): Promise<void> {
    let wait = isFirstRound ? firstStepMs : stepMs;
    try {
      const purged = await store.purge(now(), rules, stepEntries);
      removed += purged.removed;
      // Where much has expired, the next step comes soon.
      if (purged.removed > stepEntries / 2) wait = Math.min(wait, stepMs / 10);
      const counts = await store.forgetTallies(now() - statsAgeSeconds, stepEntries);
      if (purged.done && counts.done) {
        isFirstRound = false;
        if (removed > 0) log('notice', `cleaned the database: ${removed} expired entries removed`);
        removed = 0;
        wait = pauseMs;
      }
    } catch (error) {
      warn('store', `cannot clean the database: ${reasonOf(error)}`, true);
    }
    if (timer) timer = setTimeout(() => void step(), wait).unref();
  }
  timer = setTimeout(() => void step(), stepMs).unref();
  return () => {
    clearTimeout(timer);
    timer = undefined;
  };
}
