/**
 * A shared store with a local one for the time it is away. What is settled meanwhile is settled by what the local one remembers: all are
 * strangers to it, but who comes back passes. When the shared store answers again, what the local one has learned is merged into it, by
 * the rules of `merge` for entries and added for counts, and taken out of the local one. Whenever the process is killed, and whichever
 * answer is lost, that is done again: merging twice changes nothing, and counts go as moves, which the shared store adds once.
 */
import { reasonOf } from '../greylist/failure.js';
import { allClients, allEntries, type CountsSource, type Store } from '../greylist/store.js';

/** How often a store that is away is asked whether it is back. */
const probeMs = 1000;
/** Entries that are merged in one step. */
const stepEntries = 500;
/** Counts that are moved in one step. */
const stepCounts = 1000;

/** Hears of the change, with the reason, and of the return, with how many entries were merged back. */
export interface FallbackEvents {
  readonly away: (reason: string) => void;
  readonly back: (entries: number) => void;
}

async function* inSteps<T>(items: AsyncIterable<T>): AsyncGenerator<T[]> {
  let step: T[] = [];
  for await (const item of items) {
    step.push(item);
    if (step.length < stepEntries) continue;
    yield step;
    step = [];
  }
  if (step.length > 0) yield step;
}

/** A move whose addition failed, or whose answer was lost, is the first of the next time. */
async function moveCounts(local: CountsSource, shared: Store, isOver: () => boolean): Promise<void> {
  for (let move; !isOver() && (move = await local.takeCounts(stepCounts));) {
    await shared.addCounts(move);
    await local.countsMoved(move.id);
  }
}

/** Merges what `local` remembers but counts; it remembers it still. */
async function copyEntries(local: Store, shared: Store): Promise<void> {
  for await (const step of inSteps(allEntries(local, {}))) await shared.merge(step, []);
  for await (const step of inSteps(allClients(local))) await shared.merge([], step);
}

/**
 * The same, and takes it out until `isOver`; resolves to how many entries. What was used again meanwhile stays for the next time.
 */
async function moveEntries(local: Store, shared: Store, isOver: () => boolean): Promise<number> {
  let moved = 0;
  for await (const step of inSteps(allEntries(local, {}))) {
    await shared.merge(step, []);
    if (isOver()) return moved;
    moved += await local.remove(step, []);
  }
  for await (const step of inSteps(allClients(local))) {
    await shared.merge([], step);
    if (isOver()) return moved;
    await local.remove([], step);
  }
  return moved;
}

/** `shared`, and `local` while that is away; resolves when it is known whether it is. Closes both. */
export async function withFallback(
  shared: Store,
  local: Store & CountsSource,
  { away, back }: FallbackEvents,
): Promise<Store> {
  let isAway = true;
  let isClosed = false;
  let isTold = true;
  let isProbing = false;
  let timer: NodeJS.Timeout | undefined;

  /** Ends early where a request has failed meanwhile. */
  async function probe(): Promise<void> {
    isProbing = true;
    try {
      await shared.listedRevision();
      // While the local store decides it must know all it knew: who has passed stays passed.
      await copyEntries(local, shared);
      isAway = false;
      const moved = await moveEntries(local, shared, isLost);
      await moveCounts(local, shared, isLost);
      if (!isLost() && (!isTold || moved > 0)) back(moved);
    } catch (error) {
      isAway = true;
      told(error);
    }
    isProbing = false;
    if (isAway) later();
  }

  function isLost(): boolean {
    return isAway;
  }

  /** There is one probe at a time: the one under way sees to the next. */
  function later(): void {
    if (!isClosed && !isProbing) timer = setTimeout(() => void probe(), probeMs).unref();
  }

  function told(error: unknown): void {
    isTold = false;
    away(reasonOf(error));
  }

  /** Of many requests that fail together the first. */
  function leave(error: unknown): void {
    if (isAway) return;
    isAway = true;
    told(error);
    later();
  }

  // What the last process could not merge any more is merged first.
  await probe();
  return {
    ...shared,
    settle: async (attempts) => {
      if (!isAway) {
        try {
          return await shared.settle(attempts);
        } catch (error) {
          leave(error);
        }
      }
      return local.settle(attempts);
    },
    close: async () => {
      isClosed = true;
      clearTimeout(timer);
      await Promise.all([shared.close(), local.close()]);
    },
  };
}
