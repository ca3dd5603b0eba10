import type { Store } from '../../greylist/store.js';
import { counted } from '../../output/format.js';
import type { SqliteStore } from '../../store/sqlite/client.js';

/** What of a damaged file could not be read. */
export interface Losses {
  entries: number;
  readonly others: string[];
}

/** The store of a damaged file for whoever lists all of it: what cannot be read is left out and noted in `lost`. */
export function salvaging(store: SqliteStore, lost: Losses): Store {
  const orNothing =
    <T>(read: () => Promise<T[]>, name: string) =>
    (): Promise<T[]> =>
      read().catch(() => {
        lost.others.push(name);
        return [];
      });
  return {
    ...store,
    entries: async (_filter, limit, from) => {
      const page = await store.salvageEntries(limit, from);
      lost.entries += page.lost;
      return page;
    },
    clients: async (limit, from) => {
      const page = await store.salvageClients(limit, from);
      if (!page.isComplete) lost.others.push('some AWL records');
      return page;
    },
    windows: orNothing(() => store.windows(), 'windows'),
    listed: orNothing(() => store.listed(), 'whitelist entries'),
    tallies: orNothing(() => store.tallies(0), 'counts of attempts'),
    hourlyDelays: orNothing(() => store.hourlyDelays(), 'counts of delays'),
  };
}

/** What is missing, in words; empty when nothing is. */
export function lossText({ entries, others }: Losses): string {
  return [...(entries > 0 ? [`up to ${counted(entries, 'entry', 'entries')}`] : []), ...others].join(', ');
}
