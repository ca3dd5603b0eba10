/**
 * A shared store with a local one for the time it is away. What is settled meanwhile is settled by what the local one remembers: all are
 * strangers to it, but who comes back passes. When the shared store answers again, what the local one has learned is merged into it, by
 * the rules of `merge` for entries and added for counts, and taken out of the local one.
 */
import { reasonOf } from '../greylist/failure.js';
import { allClients, allEntries, type Store } from '../greylist/store.js';

/** How often a store that is away is asked whether it is back. */
const probeMs = 1000;
/** Entries that are merged in one step. */
const stepEntries = 500;

/** Hears of the change, with the reason, and of the return, with how many entries were merged back. */
export interface FallbackEvents {
  readonly away: (reason: string) => void;
  readonly back: (entries: number) => void;
}

async function pagesOf<T>(items: AsyncIterable<T>): Promise<T[][]> {
  const pages: T[][] = [[]];
  for await (const item of items) {
    if (pages.at(-1)?.length === stepEntries) pages.push([]);
    pages.at(-1)?.push(item);
  }
  return pages.filter((page) => page.length > 0);
}

async function moveCounts(local: Store, shared: Store): Promise<void> {
  const [tallies, delays] = [await local.tallies(0), await local.hourlyDelays()];
  const last = tallies.at(-1)?.hour;
  if (last === undefined) return;
  // Out first: what were added twice could not be told from what happened.
  while (!(await local.forgetTallies(last + 1, Number.MAX_SAFE_INTEGER)).done);
  await shared.addCounts(tallies, delays).catch(async (error: unknown) => {
    await local.addCounts(tallies, delays);
    throw error;
  });
}

/** Moves what `local` remembers but counts; resolves to how many entries. What was used again meanwhile stays for the next time. */
async function mergeBack(local: Store, shared: Store): Promise<number> {
  let moved = 0;
  for (const page of await pagesOf(allEntries(local, {}))) {
    await shared.merge(page, []);
    moved += await local.remove(page, []);
  }
  for (const page of await pagesOf(allClients(local))) {
    await shared.merge([], page);
    await local.remove([], page);
  }
  return moved;
}

/** `shared`, and `local` while that is away; resolves when it is known whether it is. Closes both. */
export async function withFallback(
  shared: Store,
  local: Store,
  { away, back }: FallbackEvents,
): Promise<Store> {
  let isAway = true;
  let isClosed = false;
  let isTold = true;
  let timer: NodeJS.Timeout | undefined;

  async function probe(): Promise<void> {
    try {
      await shared.listedRevision();
      let moved = await mergeBack(local, shared);
      isAway = false;
      // What came while that was done.
      moved += await mergeBack(local, shared);
      // Not while attempts are counted there: what comes between reading and removing would be lost.
      await moveCounts(local, shared);
      if (!isTold || moved > 0) back(moved);
    } catch (error) {
      isAway = true;
      told(error);
      later();
    }
  }

  function later(): void {
    if (!isClosed) timer = setTimeout(() => void probe(), probeMs).unref();
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
