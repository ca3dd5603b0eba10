/** Writing that the commands do beside the servers': removing, releasing, and taking over what is known from elsewhere. */
import { isAlive, isClientAlive, released, type AwlRecord, type Entry } from '../../greylist/decide.js';
import { mergeClients, mergeEntries } from '../../greylist/merge.js';
import type { Rules } from '../../greylist/settings.js';
import type { ClientRemoval, EntryRemoval, Merged, StoredClient, StoredEntry } from '../../greylist/store.js';
import type { Triplet } from '../../greylist/triplet.js';
import { addUp, exchange, type Write } from './exchange.js';
import { groupsOf, slotOf } from './keys.js';
import type { Link } from './link.js';
import { readAll } from './reading.js';
import { readClient, readEntry, secondsToLive, writeClient, writeEntry } from './values.js';
import { WaitingTally, type WaitingCounts } from './waiting.js';

/** What a text is to become; the same text when it is to stay. */
type Change = (text: string) => Write;

/** What these writes do to the counts of who waits. */
function tallyOf(
  counts: WaitingCounts,
  values: ReadonlyMap<string, string>,
  writes: ReadonlyMap<string, Write>,
): WaitingTally {
  const tally = new WaitingTally(counts);
  for (const [key, { value }] of writes) {
    if (counts.keys.addressOf(key) !== undefined) continue;
    const before = values.get(key);
    const entryIn = (text: string | undefined) => (text ? readEntry(key, text) : undefined);
    tally.change(counts.keys.tripletOf(key).client, entryIn(before), entryIn(value));
  }
  return tally;
}

/**
 * Changes texts by key, each as it is at the moment it is written; resolves to what was there before of those that changed. In a cluster
 * slot by slot, and then counts; else in one step.
 */
export async function change(
  link: Link,
  counts: WaitingCounts,
  changes: ReadonlyMap<string, Change>,
  now: number,
): Promise<Map<string, string>> {
  const changed = new Map<string, string>();
  const parts = link.isCluster ? [...groupsOf([...changes.keys()], slotOf).values()] : [[...changes.keys()]];
  await Promise.all(
    parts.map(async (part) => {
      let values = await readAll(link, part);
      for (;;) {
        const writes = new Map<string, Write>();
        for (const [key, text] of values) {
          const write = changes.get(key)?.(text);
          if (write && (write.value ?? '') !== text) writes.set(key, write);
        }
        if (writes.size === 0) return;
        const tally = tallyOf(counts, values, writes);
        const additions = tally.additions(now);
        const found = await exchange(link, {
          expected: values,
          writes,
          additions: link.isCluster ? [] : additions,
        });
        if (!found) {
          if (link.isCluster) await addUp(link, additions);
          tally.done();
          for (const key of writes.keys()) changed.set(key, values.get(key) ?? '');
          return;
        }
        values = found;
      }
    }),
  );
  return changed;
}

/** Removes what is there and was not used since; resolves to how many. */
export async function remove(
  link: Link,
  counts: WaitingCounts,
  entries: readonly EntryRemoval[],
  clients: readonly ClientRemoval[],
  now: number,
): Promise<number> {
  const { keys } = counts;
  const changes = new Map<string, Change>();
  for (const { triplet, lastSeen } of entries) {
    const key = keys.entry(triplet);
    const isSame = (text: string) => lastSeen === undefined || readEntry(key, text).lastSeen === lastSeen;
    changes.set(key, (text) => ({ value: text !== '' && isSame(text) ? undefined : text }));
  }
  for (const { address, lastCounted } of clients) {
    const key = keys.client(address);
    const isSame = (text: string) =>
      lastCounted === undefined || readClient(key, text).lastCounted === lastCounted;
    changes.set(key, (text) => ({ value: text !== '' && isSame(text) ? undefined : text }));
  }
  return (await change(link, counts, changes, now)).size;
}

/** Marks those that wait and are not marked yet; resolves to how many. */
export async function release(
  link: Link,
  counts: WaitingCounts,
  triplets: readonly Triplet[],
  now: number,
): Promise<number> {
  const { keys } = counts;
  const changes = new Map<string, Change>();
  for (const triplet of triplets) {
    const key = keys.entry(triplet);
    changes.set(key, (text) => {
      if (text === '') return { value: text };
      const entry = readEntry(key, text);
      const after = released(entry, now);
      return { value: after === entry ? text : writeEntry(after) };
    });
  }
  return (await change(link, counts, changes, now)).size;
}

/** Takes over entries and records; what `rules` forget tells Redis how long to keep them. */
export async function merge(
  link: Link,
  counts: WaitingCounts,
  entries: readonly StoredEntry[],
  clients: readonly StoredClient[],
  rules: Rules,
  now: number,
): Promise<Merged> {
  const { keys } = counts;
  const changes = new Map<string, Change>();
  const also = (key: string, one: Change) => {
    const before = changes.get(key);
    changes.set(key, before ? (text) => one(before(text).value ?? '') : one);
  };
  for (const { triplet, ...other } of entries) {
    const key = keys.entry(triplet);
    also(key, (text) => {
      const entry: Entry = text === '' ? other : mergeEntries(readEntry(key, text), other);
      const end =
        entry.passedAt === undefined
          ? entry.firstSeen + rules.retryWindowSeconds
          : entry.lastSeen + rules.maxAgeSeconds;
      return { value: writeEntry(entry), seconds: secondsToLive(end, now) };
    });
  }
  for (const { address, ...other } of clients) {
    const key = keys.client(address);
    also(key, (text) => {
      const client: AwlRecord = text === '' ? other : mergeClients(readClient(key, text), other);
      return {
        value: writeClient(client),
        seconds: secondsToLive(client.lastCounted + rules.maxAgeSeconds, now),
      };
    });
  }
  const changed = await change(link, counts, changes, now);
  const added = [...changed.values()].filter((text) => text === '').length;
  return { added, changed: changed.size - added };
}

/** Removes those of these texts that `rules` have forgotten at `now`, unless they were used since they were read; resolves to how many. */
export async function removeForgotten(
  link: Link,
  counts: WaitingCounts,
  texts: readonly (readonly [key: string, text: string])[],
  now: number,
  rules: Rules,
): Promise<number> {
  const { keys } = counts;
  const isForgotten = ([key, text]: readonly [string, string]) =>
    keys.addressOf(key) === undefined
      ? !isAlive(readEntry(key, text), now, rules)
      : !isClientAlive(readClient(key, text), now, rules);
  const changes = new Map<string, Change>();
  for (const [key, before] of texts.filter(isForgotten))
    changes.set(key, (text) => ({ value: text === before ? undefined : text }));
  return (await change(link, counts, changes, now)).size;
}
