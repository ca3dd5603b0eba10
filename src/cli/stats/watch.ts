import { setTimeout } from 'node:timers/promises';

/** Calls `step` every `intervalMs` until SIGINT or SIGTERM; a step that is under way is finished first. */
export async function everySoOften(intervalMs: number, step: () => Promise<void>): Promise<void> {
  const stop = new AbortController();
  const end = () => {
    stop.abort();
  };
  process.once('SIGINT', end).once('SIGTERM', end);
  try {
    while (!stop.signal.aborted) {
      await step();
      await setTimeout(intervalMs, undefined, { signal: stop.signal }).catch(() => undefined);
    }
  } finally {
    process.off('SIGINT', end).off('SIGTERM', end);
  }
}
