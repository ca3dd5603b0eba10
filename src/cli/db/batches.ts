import { setTimeout as pause } from 'node:timers/promises';

/** Small enough that a server waits for one a few milliseconds at most. */
const batchSize = 500;
/** A server that waits for the lock looks again at least this often at first. */
const pauseMilliseconds = 10;

/** Hands over the items in small batches, with a pause after each in which a server gets its turn; resolves to the sum of what came back. */
export async function inBatches<T>(
  items: AsyncIterable<T>,
  write: (batch: readonly T[]) => Promise<number>,
): Promise<number> {
  let batch: T[] = [];
  let sum = 0;
  for await (const item of items) {
    if (batch.push(item) < batchSize) continue;
    sum += await write(batch);
    batch = [];
    await pause(pauseMilliseconds);
  }
  return batch.length > 0 ? sum + (await write(batch)) : sum;
}

/** How many there are. */
export async function countOf(items: AsyncIterable<unknown>): Promise<number> {
  let count = 0;
  for await (const item of items) count += item === undefined ? 0 : 1;
  return count;
}

/** What a step came to. */
export interface Step {
  readonly isDone: boolean;
  /** Only what writes keeps a server waiting. */
  readonly hasWritten: boolean;
}

/** Calls `step` until it is done, with a pause after each that has written. */
export async function untilDone(step: () => Promise<Step>): Promise<void> {
  for (;;) {
    const { isDone, hasWritten } = await step();
    if (isDone) return;
    if (hasWritten) await pause(pauseMilliseconds);
  }
}
