/**
 * The store on Redis or Valkey, shared by any number of servers. What an answer is worth there: it is in Redis's memory when it is
 * given, and as safe as that Redis is (appendonly, replicas); what a failover loses is asked for again by the next retry.
 */
import { Failure } from '../../greylist/failure.js';
import type { Rules } from '../../greylist/settings.js';
import { sumOfMerged } from '../../greylist/merge.js';
import type { ListedEntry, Merged, Store, StoredEntry } from '../../greylist/store.js';
import * as changing from './changing.js';
import { keepConnected, type Connection } from './connection.js';
import { problemsOf } from './checking.js';
import { Guesses } from './guesses.js';
import { addUp } from './exchange.js';
import { createKeys, layoutVersion, type Keys } from './keys.js';
import type { Link, RedisAddress } from './link.js';
import * as listing from './listing.js';
import { scanStep } from './scanning.js';
import { recall } from './reading.js';
import { settle } from './settle.js';
import { newSeed, readSeed, WaitingCounts } from './waiting.js';
import * as site from './site.js';
import { fieldOf } from './values.js';

export interface RedisOptions {
  readonly address: RedisAddress;
  /** How messages call the database; without a password. */
  readonly location: string;
  /** PEM; the system's authorities where it is not given. */
  readonly tlsAuthority?: string | undefined;
  /** No call takes longer; of the listing, purging and merging ones no step of it. */
  readonly timeoutMs: number;
  /** Say how long Redis is to keep what is taken over from elsewhere. */
  readonly rules: Rules;
  /** Epoch seconds. */
  readonly now: () => number;
  /** Resolve also while Redis is away: calls are rejected until it is there. */
  readonly mayBeAway?: boolean;
  /** Tells databases of addresses and of hashes with different keys apart; not looked at unless given. */
  readonly privacy?: string | undefined;
}

/** Entries and records that are merged in one step. */
const mergeStep = 500;

/** The marks of a database, each set by whoever comes first: what it is must stay what it was. */
async function checkMark(link: Link, key: string, mark: string): Promise<string> {
  const found = await link.send(key, ['GET', key]);
  if (found !== null) return String(found);
  if ((await link.send(key, ['SET', key, mark, 'NX'])) !== null) return mark;
  return String(await link.send(key, ['GET', key]));
}

/** Refuses a database of a newer greyctl, or one with keyed hashes of another key; resolves to what its counts are spread by. */
async function inspect(link: Link, keys: Keys, { location, privacy }: RedisOptions): Promise<string> {
  const layout = await checkMark(link, keys.site('schema'), String(layoutVersion));
  if (layout !== String(layoutVersion))
    throw new Failure(
      `cannot use the database ${location}: its layout is version ${layout}, this greyctl knows ${layoutVersion}`,
      { hint: 'upgrade greyctl, or give another prefix: ?prefix=NAME' },
    );
  const seed = await checkMark(link, keys.site('seed'), newSeed());
  if (privacy === undefined || (await checkMark(link, keys.site('privacy'), privacy)) === privacy)
    return seed;
  throw new Failure(
    `cannot use the database ${location}: it was begun with another --privacy, or with another key`,
    {
      hint: 'give all servers the same setting and the same key file',
    },
  );
}

function* inSteps<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < items.length; at += mergeStep) yield items.slice(at, at + mergeStep);
}

/** A store on a server, with what is asked of the server as a whole. */
export interface RedisStore extends Store {
  /** Looks at every value, and at how the server is set. */
  check(): Promise<{ readonly problems: readonly string[] }>;
}

function storeOn(
  connection: Connection,
  counts: () => WaitingCounts,
  { rules, now }: RedisOptions,
): RedisStore {
  const { keys } = counts();
  const use = <T>(work: (link: Link) => Promise<T>) => connection.use(work);
  const guesses = new Guesses();
  let purgeFrom: string | undefined;
  let sorted: readonly StoredEntry[] = [];

  return {
    settle: (attempts) => use((link) => settle(link, counts(), guesses, attempts)),
    recall: (triplet, address) => use((link) => recall(link, keys, { triplet, address })),
    entries: (filter, limit, from) => listing.entries(connection, keys, filter, limit, from),
    sorted: async (filter, order, limit, from) => {
      if (from === 0) sorted = await listing.inOrder(connection, keys, filter, order);
      return sorted.slice(from, from + limit);
    },
    remove: (entries, clients) => use((link) => changing.remove(link, counts(), entries, clients, now())),
    release: (triplets, time) => use((link) => changing.release(link, counts(), triplets, time)),
    windows: () => use((link) => site.windows(link, keys)),
    openWindow: (recipient, until) => use((link) => site.openWindow(link, keys, recipient, until)),
    closeWindow: (recipient) => use((link) => site.closeWindow(link, keys, recipient)),
    forgetClient: async (address) =>
      (await use((link) => changing.remove(link, counts(), [], [{ address }], now()))) > 0,
    clients: (limit, from) => listing.clients(connection, keys, limit, from),
    merge: async (entries, clients, more) => {
      const steps: Merged[] = [];
      for (const step of inSteps(entries))
        steps.push(await use((link) => changing.merge(link, counts(), step, [], rules, now())));
      for (const step of inSteps(clients))
        steps.push(await use((link) => changing.merge(link, counts(), [], step, rules, now())));
      if (!more) return sumOfMerged(steps);
      const listed = await use((link) => site.listed(link, keys));
      const known = new Map(listed.map((entry) => [fieldOf(entry), entry]));
      for (const step of inSteps(more.listed))
        steps.push(await use((link) => site.mergeEntries(link, keys, step, known)));
      for (const step of inSteps(more.windows))
        steps.push(await use((link) => site.mergeWindows(link, keys, step)));
      for (const step of inSteps(site.countAdditions(keys, more, 'LARGER')))
        await use((link) => addUp(link, step));
      return sumOfMerged(steps);
    },
    purge: (time, current, limit) =>
      use(async (link) => {
        let removed = purgeFrom === undefined ? await site.closeWindowsBefore(link, keys, time) : 0;
        const { found, next } = await scanStep(link, keys.anyPattern, purgeFrom, limit);
        removed += await changing.removeForgotten(link, counts(), found, time, current);
        purgeFrom = next;
        return { removed, done: next === undefined };
      }),
    tallies: (since) => use((link) => site.tallies(link, keys, since)),
    delays: (since) => use((link) => site.delays(link, keys, since)),
    hourlyDelays: () => use((link) => site.hourlyDelays(link, keys)),
    addCounts: (move) => use((link) => site.addCounts(link, keys, move)),
    waiting: (query) => listing.waiting(connection, keys, query),
    forgetTallies: (before, limit) => use((link) => site.forgetTallies(link, keys, before, limit)),
    listed: () => use((link) => site.listed(link, keys)),
    listedRevision: () => use((link) => site.revision(link, keys)),
    addListed: async (entry) => {
      const after = (): Omit<ListedEntry, 'id' | 'hits' | 'lastHit'> => entry;
      return (await use((link) => site.changeEntry(link, keys, entry, after))) === undefined;
    },
    removeListed: async (kind, pattern) =>
      (await use((link) => site.changeEntry(link, keys, { kind, pattern }, () => undefined))) !== undefined,
    info: () => listing.information(connection, keys),
    check: async () => ({ problems: await problemsOf(connection, keys) }),
    close: () => {
      connection.close();
      return Promise.resolve();
    },
  };
}

/** Opens the database; rejects with a Failure. */
export async function openRedis(options: RedisOptions): Promise<RedisStore> {
  const { address, location, tlsAuthority, timeoutMs } = options;
  const keys = createKeys(address.prefix);
  const countsBy = (seed: string) =>
    new WaitingCounts(keys, options.rules.retryWindowSeconds, readSeed(seed));
  let counts = countsBy(newSeed());
  const connection = keepConnected({
    ...{ address, location, tlsAuthority, timeoutMs, connectMs: timeoutMs },
    inspect: async (link) => {
      counts = countsBy(await inspect(link, keys, options));
    },
  });
  try {
    await connection.ready();
  } catch (error) {
    if (!options.mayBeAway) {
      connection.close();
      throw error;
    }
  }
  return storeOn(connection, () => counts, options);
}
