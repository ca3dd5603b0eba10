/** What merging would change, told without changing anything. */
import { mergeClients, mergeEntries, sameClient, sameEntry } from '../greylist/merge.js';
import type { Merged, Store, StoredClient, StoredEntry } from '../greylist/store.js';

/** Questions that are under way at once: a shared store answers them together. */
const mostAsked = 500;

const nobody = { client: '', sender: '', recipient: '' };

type Fate = keyof Merged | undefined;

function fateOf<T>(before: T | undefined, merged: (before: T) => T, same: (a: T, b: T) => boolean): Fate {
  if (before === undefined) return 'added';
  return same(before, merged(before)) ? undefined : 'changed';
}

/** What `store.merge` with the same would resolve to; each triplet and each address once. */
export async function foreseeMerge(
  store: Pick<Store, 'recall'>,
  entries: readonly StoredEntry[],
  clients: readonly StoredClient[],
): Promise<Merged> {
  const merged = { added: 0, changed: 0 };
  const questions = [
    ...entries.map(({ triplet, ...other }) => async (): Promise<Fate> => {
      const { entry } = await store.recall(triplet, '');
      return fateOf(entry, (before) => mergeEntries(before, other), sameEntry);
    }),
    ...clients.map(({ address, ...other }) => async (): Promise<Fate> => {
      const { client } = await store.recall(nobody, address);
      return fateOf(client, (before) => mergeClients(before, other), sameClient);
    }),
  ];
  for (let at = 0; at < questions.length; at += mostAsked) {
    const fates = await Promise.all(questions.slice(at, at + mostAsked).map((ask) => ask()));
    for (const fate of fates) if (fate) merged[fate] += 1;
  }
  return merged;
}
