/** Reading what decisions depend on. */
import type { KeyedAttempt, Memory } from '../../greylist/decide.js';
import { groupsOf, slotOf, type Keys } from './keys.js';
import { listOf, type Link } from './link.js';
import { readClient, readEntry } from './values.js';

/** Reads texts by key; '' where there is none. */
export async function readAll(link: Link, keys: readonly string[]): Promise<Map<string, string>> {
  const parts = link.isCluster ? [...groupsOf(keys, slotOf).values()] : [keys];
  const read = new Map<string, string>();
  await Promise.all(
    parts.map(async (part) => {
      const [first] = part;
      const values = first === undefined ? [] : listOf(await link.send(first, ['MGET', ...part]));
      for (const [index, key] of part.entries()) read.set(key, String(values[index] ?? ''));
    }),
  );
  return read;
}

/** Until when windows are open, of those of these recipients that are. */
export async function readWindows(
  link: Link,
  keys: Keys,
  recipients: readonly string[],
): Promise<Map<string, number>> {
  const key = keys.site('windows');
  const values = recipients.length === 0 ? [] : listOf(await link.send(key, ['HMGET', key, ...recipients]));
  const open = new Map<string, number>();
  for (const [index, recipient] of recipients.entries()) {
    const until = values[index];
    if (typeof until === 'string') open.set(recipient, Number(until));
  }
  return open;
}

/** Reads what an attempt depends on. */
export async function recall(
  link: Link,
  keys: Keys,
  attempt: Pick<KeyedAttempt, 'triplet' | 'address'>,
): Promise<Memory> {
  const [entryKey, clientKey] = [keys.entry(attempt.triplet), keys.client(attempt.address)];
  const { recipient } = attempt.triplet;
  const [read, windows] = await Promise.all([
    readAll(link, [entryKey, clientKey]),
    readWindows(link, keys, [recipient]),
  ]);
  const [entry, client] = [read.get(entryKey), read.get(clientKey)];
  const openUntil = windows.get(recipient);
  return {
    entry: entry ? readEntry(entryKey, entry) : undefined,
    client: client ? readClient(clientKey, client) : undefined,
    ...(openUntil !== undefined && { openUntil }),
  };
}
