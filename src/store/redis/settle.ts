/**
 * Settling a batch: one round trip reads all it may depend on, one writes and counts. When another server was there in between, what
 * it left comes back instead, and the batch is decided anew. In a cluster each part of the batch whose keys share a slot goes by itself,
 * and counts follow when all parts are written.
 */
import {
  decide,
  type Decision,
  type KeyedAttempt,
  type Memory,
  type PreparedAttempt,
} from '../../greylist/decide.js';
import { Failure } from '../../greylist/failure.js';
import { attemptsOf, delayClass, tallyHour } from '../tally.js';
import { addUp, exchange, type Addition, type Write } from './exchange.js';
import { groupsOf, slotOf, tagOf, type Keys } from './keys.js';
import { listOf, type Link } from './link.js';
import { readClient, readEntry, secondsToLive, writeClient, writeEntry } from './values.js';
import { WaitingTally, type WaitingCounts } from './waiting.js';

/** Each time at least one other server has got on; so many in a row do not happen. */
const mostTries = 1000;

/** An attempt and its place in the batch. */
interface Placed {
  readonly index: number;
  readonly attempt: PreparedAttempt;
}

interface Decided {
  readonly decisions: readonly Decision[];
  readonly writes: ReadonlyMap<string, Write>;
  readonly waiting: WaitingTally;
}

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

async function readWindows(
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

/** Decides in order, each attempt seeing what the earlier ones left. */
function decideAll(
  batch: readonly Placed[],
  counts: WaitingCounts,
  values: ReadonlyMap<string, string>,
  windows: ReadonlyMap<string, number>,
): Decided {
  const { keys } = counts;
  const waiting = new WaitingTally(counts);
  const writes = new Map<string, Write>();
  const current = (key: string) => writes.get(key)?.value ?? values.get(key) ?? '';
  const decisions = batch.map(({ attempt }) => {
    if (attempt.exemption !== undefined) return decide(attempt, {}).decision;
    const { triplet, address, time, rules } = attempt;
    const [entryKey, clientKey] = [keys.entry(triplet), keys.client(address)];
    const [entryText, clientText] = [current(entryKey), current(clientKey)];
    const before: Memory = {
      entry: entryText ? readEntry(entryKey, entryText) : undefined,
      client: clientText ? readClient(clientKey, clientText) : undefined,
      openUntil: windows.get(triplet.recipient),
      waiting: waiting.of(triplet.client),
    };
    const { decision, memory } = decide(attempt, before);
    if (memory.entry && memory.entry !== before.entry) {
      waiting.change(triplet.client, before.entry, memory.entry);
      const { passedAt, firstSeen, lastSeen } = memory.entry;
      const end =
        passedAt === undefined ? firstSeen + rules.retryWindowSeconds : lastSeen + rules.maxAgeSeconds;
      writes.set(entryKey, { value: writeEntry(memory.entry), seconds: secondsToLive(end, time) });
    }
    if (memory.client && memory.client !== before.client) {
      const seconds = secondsToLive(memory.client.lastCounted + rules.maxAgeSeconds, time);
      writes.set(clientKey, { value: writeClient(memory.client), seconds });
    }
    return decision;
  });
  return { decisions, writes, waiting };
}

/** What is counted of these decisions: attempts and delays by hour, and hits of whitelist entries. */
function additionsOf(batch: readonly Placed[], decisions: readonly Decision[], keys: Keys): Addition[] {
  const counts = new Map<string, Map<string, number>>();
  const additions: Addition[] = [];
  const add = (key: string, field: string, amount: number) => {
    const fields = counts.get(key) ?? new Map<string, number>();
    counts.set(key, fields.set(field, (fields.get(field) ?? 0) + amount));
  };
  const hours = new Set<number>();
  for (const [index, { attempt }] of batch.entries()) {
    const decision = decisions[index];
    if (!decision) continue;
    const hour = tallyHour(attempt.time);
    hours.add(hour);
    add(keys.hour(hour), `${decision.verdict} ${decision.reason}`, attemptsOf(attempt));
    if (decision.delaySeconds !== undefined)
      add(keys.hour(hour), `delay ${delayClass(decision.delaySeconds)}`, 1);
    if (attempt.exemption === undefined || attempt.listedId === undefined) continue;
    add(keys.site('hits'), String(attempt.listedId), 1);
    const args = [String(attempt.listedId), String(attempt.time)];
    additions.push({ command: 'HSET', key: keys.site('last-hits'), args });
  }
  for (const [key, fields] of counts) {
    for (const [field, amount] of fields)
      additions.push({ command: 'HINCRBY', key, args: [field, String(amount)] });
  }
  for (const hour of hours)
    additions.push({ command: 'ZADD', key: keys.site('hours'), args: [String(hour), String(hour)] });
  return additions;
}

/** The keys of entries and auto-whitelist records that a batch depends on. */
function keysOf(batch: readonly Placed[], keys: Keys): string[] {
  const found = new Set<string>();
  for (const { attempt } of batch) {
    if (attempt.exemption === undefined)
      found.add(keys.entry(attempt.triplet)).add(keys.client(attempt.address));
  }
  return [...found];
}

/**
 * Writes what does not lie in the slot of the part that changed it, each key by itself and before the rest: then a client may be counted
 * for a pass that another server gave, never twice. Resolves to what is there now where another server was there first.
 */
async function writeElsewhere(
  link: Link,
  values: ReadonlyMap<string, string>,
  writes: ReadonlyMap<string, Write>,
  isHere: (key: string) => boolean,
): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const [key, write] of writes) {
    if (isHere(key)) continue;
    const expected = new Map([[key, values.get(key) ?? '']]);
    const now = await exchange(link, { expected, writes: new Map([[key, write]]), additions: [] });
    found.set(key, now?.get(key) ?? write.value ?? '');
    if (now) break;
  }
  return found;
}

interface Part {
  readonly batch: readonly Placed[];
  /** Of a cluster; undefined where all keys are in one place. */
  readonly tag?: string;
}

/** Decides and writes one part; counts with it what is to be counted, unless that is kept elsewhere. */
async function settlePart(
  link: Link,
  counts: WaitingCounts,
  { batch, tag }: Part,
  read: ReadonlyMap<string, string>,
  windows: ReadonlyMap<string, number>,
): Promise<Pick<Decided, 'decisions' | 'waiting'>> {
  const { keys } = counts;
  const isHere = (key: string) => tag === undefined || key.includes(`{${tag}}`);
  const values = new Map(keysOf(batch, keys).map((key) => [key, read.get(key) ?? '']));
  for (let tries = 0; tries < mostTries; tries += 1) {
    const { decisions, writes, waiting } = decideAll(batch, counts, values, windows);
    const elsewhere = await writeElsewhere(link, values, writes, isHere);
    const isLate = [...elsewhere].some(([key, value]) => writes.get(key)?.value !== value);
    for (const [key, value] of elsewhere) values.set(key, value);
    if (isLate) continue;
    const expected = new Map([...values].filter(([key]) => isHere(key)));
    const now = await exchange(link, {
      expected,
      writes: new Map([...writes].filter(([key]) => isHere(key))),
      additions:
        tag === undefined
          ? [...additionsOf(batch, decisions, keys), ...waiting.additions(latest(batch))]
          : [],
    });
    if (!now) {
      if (tag === undefined) waiting.done();
      return { decisions, waiting };
    }
    for (const [key, value] of now) values.set(key, value);
  }
  throw new Failure('other servers were always faster');
}

/** The time of a batch. */
function latest(batch: readonly Placed[]): number {
  return batch.reduce((time, { attempt }) => Math.max(time, attempt.time), 0);
}

/** Decides and remembers all attempts. Where it rejects, nothing was written; of a cluster some parts may be. */
export async function settle(
  link: Link,
  counts: WaitingCounts,
  attempts: readonly PreparedAttempt[],
): Promise<Decision[]> {
  const { keys } = counts;
  const batch = attempts.map((attempt, index) => ({ index, attempt }));
  const recipients = new Set<string>();
  for (const attempt of attempts)
    if (attempt.exemption === undefined) recipients.add(attempt.triplet.recipient);
  const [read, windows] = await Promise.all([
    readAll(link, keysOf(batch, keys)),
    readWindows(link, keys, [...recipients]),
    recipients.size > 0 && counts.refresh(link, latest(batch)),
  ]);
  if (!link.isCluster) return [...(await settlePart(link, counts, { batch }, read, windows)).decisions];

  const exempt = batch.filter(({ attempt }) => attempt.exemption !== undefined);
  const keyed = batch.filter(({ attempt }) => attempt.exemption === undefined);
  const tags = groupsOf(keyed, ({ attempt }) =>
    attempt.exemption === undefined ? tagOf(attempt.triplet.client) : '',
  );
  const decisions: Decision[] = [];
  const tallies: WaitingTally[] = [];
  for (const { index, attempt } of exempt) decisions[index] = decide(attempt, {}).decision;
  await Promise.all(
    Array.from(tags, async ([tag, part]) => {
      const settled = await settlePart(link, counts, { batch: part, tag }, read, windows);
      tallies.push(settled.waiting);
      for (const [at, { index }] of part.entries()) {
        const decision = settled.decisions[at];
        if (decision) decisions[index] = decision;
      }
    }),
  );
  const counted = tallies.flatMap((tally) => tally.additions(latest(batch)));
  await addUp(link, [...additionsOf(batch, decisions, keys), ...counted]);
  for (const tally of tallies) tally.done();
  return decisions;
}
