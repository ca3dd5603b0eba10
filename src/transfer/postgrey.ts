/**
 * postgrey's two databases, record by record.
 *
 *   postgrey.db          CLIENT/SENDER/RECIPIENT → FIRST,LAST[,HOST]   epoch seconds; CLIENT is a network's address, or with
 *                                                                      --lookup-by-host ADDRESS/32 or ADDRESS/128
 *   postgrey_clients.db  ADDRESS → COUNT,LAST
 *
 * With --privacy the keys are SHA-1 in hexadecimal, from which nothing comes back. A triplet has passed when LAST − FIRST is the delay or more.
 */
import { addressText, parseAddress } from '../greylist/address.js';
import { isAlive, isClientAlive } from '../greylist/decide.js';
import type { Settings } from '../greylist/settings.js';
import type { StoredClient, StoredEntry } from '../greylist/store.js';
import type { Triplet } from '../greylist/triplet.js';
import type { DumpRecord } from './dump.js';

/** Records by what became of them. */
export interface PostgreyCounts {
  waiting: number;
  passed: number;
  /** Auto-whitelist records. */
  clients: number;
  /** Not remembered any more under the settings: left out. */
  expired: number;
  /** Keys of `--privacy`: cannot be read. */
  hashed: number;
  /** Of those taken over, triplets keyed by the whole address. */
  byHost: number;
  /** No records of postgrey, or without a recipient. */
  unusable: number;
}

export interface PostgreyReader {
  /** Takes a record of postgrey.db. */
  readonly triplet: (record: DumpRecord) => void;
  /** Takes a record of postgrey_clients.db. */
  readonly client: (record: DumpRecord) => void;
  readonly entries: readonly StoredEntry[];
  readonly clients: readonly StoredClient[];
  readonly counts: Readonly<PostgreyCounts>;
}

const hash = /^[\da-f]{40}$/;

/**
 * Splits a key at its two slashes that count, of which a sender or recipient may hold more: the client ends at the first one, and the
 * sender's domain holds none. Undefined for what is no key.
 */
export function parseKey(key: string): (Triplet & { readonly isHost: boolean }) | undefined {
  const [, name = '', mask, rest = ''] = /^([\da-f.:]+)(\/32(?=\/)|\/128(?=\/))?\/(.*)$/s.exec(key) ?? [];
  const address = parseAddress(name);
  if (!address) return undefined;
  const isHost = mask === `/${name.includes(':') ? 128 : 32}`;
  const text = isHost || mask === undefined ? rest : `${mask.slice(1)}/${rest}`;
  const [, withDomain, behind] = /^(.*@[^@/]+)\/(.*)$/s.exec(text) ?? [];
  const slash = text.startsWith('/') ? 0 : text.lastIndexOf('/');
  const sender = withDomain ?? text.slice(0, Math.max(0, slash));
  const recipient = behind ?? text.slice(slash + 1);
  if (slash < 0 || recipient === '') return undefined;
  return { client: addressText(address) + (isHost ? mask : ''), sender, recipient, isHost };
}

/** The two numbers that a value begins with; later fields are left alone. */
function parseNumbers(value: string): [number, number] | undefined {
  const [, first, second] = /^(\d{1,12}),(\d{1,12})(?:,|$)/.exec(value) ?? [];
  return first === undefined ? undefined : [Number(first), Number(second)];
}

/** postgrey keeps no counts: one deferral is certain, and one pass of what has passed, which was at the end of the delay or later. */
function entryOf(triplet: Triplet, firstSeen: number, lastSeen: number, delaySeconds: number): StoredEntry {
  const times = { triplet, firstSeen, lastSeen: Math.max(firstSeen, lastSeen), deferrals: 1 };
  return lastSeen - firstSeen >= delaySeconds
    ? { ...times, passedAt: firstSeen + delaySeconds, passes: 1 }
    : { ...times, passes: 0 };
}

/** Collects what is still remembered at `now` under the settings that postgrey had. */
export function createPostgreyReader(settings: Settings, now: number): PostgreyReader {
  const entries: StoredEntry[] = [];
  const clients: StoredClient[] = [];
  const counts = { waiting: 0, passed: 0, clients: 0, expired: 0, hashed: 0, byHost: 0, unusable: 0 };
  return {
    entries,
    clients,
    counts,
    triplet: ({ key, value }) => {
      const parsed = parseKey(key);
      const times = parseNumbers(value);
      if (!parsed || !times) {
        counts[hash.test(key) ? 'hashed' : 'unusable'] += 1;
        return;
      }
      const { isHost, ...triplet } = parsed;
      const entry = entryOf(triplet, ...times, settings.delaySeconds);
      if (!isAlive(entry, now, settings)) {
        counts.expired += 1;
        return;
      }
      counts[entry.passedAt === undefined ? 'waiting' : 'passed'] += 1;
      if (isHost) counts.byHost += 1;
      entries.push(entry);
    },
    client: ({ key, value }) => {
      const address = parseAddress(key);
      const numbers = parseNumbers(value);
      if (!address || !numbers) {
        counts[hash.test(key) ? 'hashed' : 'unusable'] += 1;
        return;
      }
      const [count, lastCounted] = numbers;
      const client = { address: addressText(address), count, lastCounted };
      if (!isClientAlive(client, now, settings)) {
        counts.expired += 1;
        return;
      }
      counts.clients += 1;
      clients.push(client);
    },
  };
}
