/** Entries and records as the commands want them: page by page, in an order, counted, grouped. */
import type {
  EntryFilter,
  EntryOrder,
  Page,
  StoredClient,
  StoredEntry,
  StoreInfo,
  Waiting,
  WaitingQuery,
} from '../../greylist/store.js';
import { comparison, matches, waitingCounter } from '../listing.js';
import type { Connection } from './connection.js';
import { layoutVersion, type Keys } from './keys.js';
import { readAll } from './reading.js';
import { scan, scanStep } from './scanning.js';
import { listed } from './site.js';
import { readClient, readEntry } from './values.js';

function storedEntry(keys: Keys, [key, text]: readonly [string, string]): StoredEntry {
  return { triplet: keys.tripletOf(key), ...readEntry(key, text) };
}

/** A page of entries; a whole triplet is looked up, not searched for. */
export async function entries(
  connection: Connection,
  keys: Keys,
  filter: EntryFilter,
  limit: number,
  from?: string,
): Promise<Page<StoredEntry>> {
  const { client, sender, recipient } = filter;
  const pick = (texts: Iterable<readonly [string, string]>) =>
    Array.from(texts, (text) => storedEntry(keys, text)).filter((entry) => matches(entry, filter));
  if (client !== undefined && sender !== undefined && recipient !== undefined) {
    const key = keys.entry({ client, sender, recipient });
    const found = await connection.use((link) => readAll(link, [key]));
    return { found: pick([...found].filter(([, text]) => text !== '')) };
  }
  const pattern = keys.entryPattern({
    ...(client !== undefined && { client }),
    ...(sender !== undefined && { sender }),
    ...(recipient !== undefined && { recipient }),
  });
  const { found, next } = await connection.use((link) => scanStep(link, pattern, from, limit));
  return { found: pick(found), next };
}

/** A page of auto-whitelist records. */
export async function clients(
  connection: Connection,
  keys: Keys,
  limit: number,
  from?: string,
): Promise<Page<StoredClient>> {
  const { found, next } = await connection.use((link) => scanStep(link, keys.clientPattern, from, limit));
  return {
    found: found.map(([key, text]) => ({ address: keys.addressOf(key) ?? '', ...readClient(key, text) })),
    next,
  };
}

/** All that `filter` lets through in an order, each once. */
export async function inOrder(
  connection: Connection,
  keys: Keys,
  filter: EntryFilter,
  order: EntryOrder,
): Promise<StoredEntry[]> {
  const seen = new Map<string, StoredEntry>();
  for await (const texts of scan(connection, keys.entryPattern({}))) {
    for (const text of texts) {
      const entry = storedEntry(keys, text);
      if (matches(entry, filter)) seen.set(text[0], entry);
    }
  }
  return [...seen.values()].sort(comparison(order));
}

/** Who waits. */
export async function waiting(connection: Connection, keys: Keys, query: WaitingQuery): Promise<Waiting> {
  const counter = waitingCounter(query);
  for await (const texts of scan(connection, keys.entryPattern({}))) {
    for (const text of texts) counter.add(storedEntry(keys, text));
  }
  return counter.result();
}

/** So many keys are asked for the memory they take. */
const measuredKeys = 100;

async function averageBytes(connection: Connection, names: readonly string[]): Promise<number> {
  if (names.length === 0) return 0;
  const sizes = await connection.use((link) =>
    Promise.all(names.map(async (key) => Number((await link.send(key, ['MEMORY', 'USAGE', key])) ?? 0))),
  );
  return sizes.reduce((sum, bytes) => sum + bytes, 0) / sizes.length;
}

/** How much there is, and since when; the size is that of some, times their number. */
export async function information(connection: Connection, keys: Keys): Promise<StoreInfo> {
  const sum = { waiting: 0, passed: 0, clients: 0 };
  let [oldest, newest] = [Infinity, -Infinity];
  const sample: string[] = [];
  for await (const texts of scan(connection, keys.anyPattern)) {
    for (const [key, text] of texts) {
      if (sample.length < measuredKeys) sample.push(key);
      if (keys.addressOf(key) !== undefined) {
        sum.clients += 1;
        continue;
      }
      const { passedAt, firstSeen, lastSeen } = readEntry(key, text);
      sum[passedAt === undefined ? 'waiting' : 'passed'] += 1;
      oldest = Math.min(oldest, firstSeen);
      newest = Math.max(newest, lastSeen);
    }
  }
  const known = await connection.use((link) => listed(link, keys));
  const all = sum.waiting + sum.passed + sum.clients;
  return {
    engine: 'redis',
    schemaVersion: layoutVersion,
    sizeBytes: Math.round((await averageBytes(connection, sample)) * all),
    ...sum,
    listed: known.length,
    ...(sum.waiting + sum.passed > 0 && { oldestFirstSeen: oldest, newestLastSeen: newest }),
  };
}
