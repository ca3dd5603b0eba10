/** The time that passes while a log that is being followed is silent. */
import type { Cursor } from './cursor.js';

/** How long, at most, a silent log keeps its readers waiting. */
const turnMilliseconds = 250;

function settled(step: Promise<void>, milliseconds: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    void step.then(resolve, reject).finally(() => {
      clearTimeout(timer);
    });
  });
}

/** Yields whenever `steps` does, and all the time while it does not. */
export async function* paced(
  steps: AsyncGenerator<void, void, undefined>,
  milliseconds = turnMilliseconds,
): AsyncGenerator<void, void, undefined> {
  const state = { isDone: false, isWaiting: false };
  const follow = async () => {
    state.isWaiting = true;
    const { done } = await steps.next();
    state.isDone = done === true;
    state.isWaiting = false;
  };
  let step = follow();
  for (;;) {
    await settled(step, milliseconds);
    if (state.isDone) return;
    yield;
    if (!state.isWaiting) step = follow();
  }
}

export interface LiveClock {
  /** The log's time: that of its last line, and what has passed since that line came. Undefined before the first line. */
  readonly timeAfter: (cursor: Cursor) => number | undefined;
}

/** Goes by the log's own time, which may not be ours: another host's, or that of an old log fed through a pipe. */
export function createLiveClock(clock: () => number): LiveClock {
  let bytes = -1;
  let cameAt = 0;
  return {
    timeAfter: (cursor) => {
      if (cursor.bytes !== bytes) {
        bytes = cursor.bytes;
        cameAt = clock();
      }
      return cursor.time === undefined ? undefined : cursor.time + Math.max(0, clock() - cameAt);
    },
  };
}
