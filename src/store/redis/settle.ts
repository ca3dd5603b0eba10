/**
 * Settling a batch: it is decided by what guesses.ts believes to be there, or one round trip reads it, and one writes and counts. When
 * something else is there, that comes back instead, and the batch is decided anew. In a cluster nothing is guessed, each part of the batch
 * whose keys share a slot goes by itself, and counts follow when all parts are written.
 */
import { decide, type Decision, type Memory, type PreparedAttempt } from '../../greylist/decide.js';
import { Failure } from '../../greylist/failure.js';
import { attemptsOf, delayClass, tallyHour } from '../tally.js';
import { addUp, exchange, type Addition, type Write } from './exchange.js';
import type { Guesses } from './guesses.js';
import { groupsOf, tagOf, type Keys } from './keys.js';
import type { Link } from './link.js';
import { readAll, readWindows } from './reading.js';
import { readClient, readEntry, secondsToLive, writeClient, writeEntry } from './values.js';
import { WaitingTally, type WaitingCounts } from './waiting.js';

/** Each time at least one other server has got on; so many in a row do not happen. */
const mostTries = 1000;

/** An attempt, its place in the batch, and the keys it depends on; '' for those of one that depends on none. */
interface Placed {
  readonly index: number;
  readonly attempt: PreparedAttempt;
  readonly entryKey: string;
  readonly clientKey: string;
}

interface Decided {
  readonly decisions: readonly Decision[];
  readonly writes: ReadonlyMap<string, Write>;
  readonly waiting: WaitingTally;
}

/** Decides in order, each attempt seeing what the earlier ones left. */
function decideAll(
  batch: readonly Placed[],
  counts: WaitingCounts,
  values: ReadonlyMap<string, string>,
  windows: ReadonlyMap<string, number>,
): Decided {
  const waiting = new WaitingTally(counts);
  const writes = new Map<string, Write>();
  const current = (key: string) => writes.get(key)?.value ?? values.get(key) ?? '';
  const decisions = batch.map(({ attempt, entryKey, clientKey }) => {
    if (attempt.exemption !== undefined) return decide(attempt, {}).decision;
    const { triplet, time, rules } = attempt;
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
    additions.push({ command: 'LARGER', key: keys.site('last-hits'), args });
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
function keysOf(batch: readonly Placed[]): string[] {
  const found = new Set<string>();
  for (const { attempt, entryKey, clientKey } of batch)
    if (attempt.exemption === undefined) found.add(entryKey).add(clientKey);
  return [...found];
}

/**
 * Writes what does not lie in the slot of the part that changed it, each key by itself and before the rest: then a client may be counted
 * for a pass that another server gave, but not twice, as one that was just counted is not. Resolves to what is there now where another
 * server was there first.
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

/** A part that is written; after one try when it was decided by what is there. */
interface Settled extends Decided {
  readonly tries: number;
}

interface Part {
  readonly batch: readonly Placed[];
  /** What is read, or guessed, by key. */
  readonly values: Map<string, string>;
  /** Until when they are open, of the recipients whose windows are. Undefined where they were not read: then there are none at all. */
  readonly windows: ReadonlyMap<string, number> | undefined;
  /** Of a cluster; undefined where all keys are in one place. */
  readonly tag?: string;
}

/** Decides and writes one part; counts with it what is to be counted, unless that is kept elsewhere. */
async function settlePart(
  link: Link,
  counts: WaitingCounts,
  { batch, values, windows: known, tag }: Part,
): Promise<Settled> {
  const { keys } = counts;
  const isHere = (key: string) => tag === undefined || key.includes(`{${tag}}`);
  const here = <T>(all: ReadonlyMap<string, T>) =>
    tag === undefined ? all : new Map([...all].filter(([key]) => isHere(key)));
  let windows = known;
  for (let tries = 1; tries <= mostTries; tries += 1) {
    const { decisions, writes, waiting } = decideAll(batch, counts, values, windows ?? new Map());
    const elsewhere = await writeElsewhere(link, values, writes, isHere);
    const isLate = [...elsewhere].some(([key, value]) => writes.get(key)?.value !== value);
    for (const [key, value] of elsewhere) values.set(key, value);
    if (isLate) continue;
    const now = await exchange(link, {
      expected: here(values),
      writes: here(writes),
      additions:
        tag === undefined
          ? [...additionsOf(batch, decisions, keys), ...waiting.additions(latest(batch))]
          : [],
      absent: windows ? undefined : keys.site('windows'),
    });
    if (!now) {
      if (tag === undefined) waiting.done();
      return { decisions, writes, waiting, tries };
    }
    if (now.size === 0) windows = await readWindows(link, keys, recipientsOf(batch));
    for (const [key, value] of now) values.set(key, value);
  }
  throw new Failure('other servers were always faster');
}

function recipientsOf(batch: readonly Placed[]): string[] {
  const found = new Set<string>();
  for (const { attempt } of batch) if (attempt.exemption === undefined) found.add(attempt.triplet.recipient);
  return [...found];
}

/** The time of a batch. */
function latest(batch: readonly Placed[]): number {
  return batch.reduce((time, { attempt }) => Math.max(time, attempt.time), 0);
}

/** Decides and remembers all attempts. Where it rejects, nothing was written; of a cluster some parts may be. */
export async function settle(
  link: Link,
  counts: WaitingCounts,
  guesses: Guesses,
  attempts: readonly PreparedAttempt[],
): Promise<Decision[]> {
  const { keys } = counts;
  const batch = attempts.map((attempt, index): Placed => {
    if (attempt.exemption !== undefined) return { index, attempt, entryKey: '', clientKey: '' };
    const [entryKey, clientKey] = [keys.entry(attempt.triplet), keys.client(attempt.address)];
    return { index, attempt, entryKey, clientKey };
  });
  const all = keysOf(batch);
  const isGuess = !link.isCluster && all.length > 0 && guesses.isTime();
  const [values, windows] = await Promise.all([
    isGuess ? guesses.ofAll(all) : readAll(link, all),
    isGuess ? undefined : readWindows(link, keys, recipientsOf(batch)),
    all.length > 0 && counts.refresh(link, latest(batch)),
  ]);
  if (link.isCluster) return settleParts(link, counts, batch, values, windows);
  const { decisions, writes, tries } = await settlePart(link, counts, { batch, values, windows });
  if (isGuess) guesses.was(tries === 1);
  for (const [key, before] of values) {
    const after = writes.get(key)?.value ?? before;
    // A triplet that is new most often never comes back.
    if (after && (before || keys.addressOf(key) !== undefined)) guesses.see(key, after);
  }
  return [...decisions];
}

/** In a cluster. */
async function settleParts(
  link: Link,
  counts: WaitingCounts,
  batch: readonly Placed[],
  values: ReadonlyMap<string, string>,
  windows: ReadonlyMap<string, number> = new Map(),
): Promise<Decision[]> {
  const tags = groupsOf(
    batch.filter(({ attempt }) => attempt.exemption === undefined),
    ({ attempt }) => (attempt.exemption === undefined ? tagOf(attempt.triplet.client) : ''),
  );
  const decisions: Decision[] = [];
  const tallies: WaitingTally[] = [];
  for (const { index, attempt } of batch)
    if (attempt.exemption !== undefined) decisions[index] = decide(attempt, {}).decision;
  await Promise.all(
    Array.from(tags, async ([tag, part]) => {
      const own = new Map(keysOf(part).map((key) => [key, values.get(key) ?? '']));
      const settled = await settlePart(link, counts, { batch: part, values: own, windows, tag });
      tallies.push(settled.waiting);
      for (const [at, { index }] of part.entries()) {
        const decision = settled.decisions[at];
        if (decision) decisions[index] = decision;
      }
    }),
  );
  const counted = tallies.flatMap((tally) => tally.additions(latest(batch)));
  await addUp(link, [...additionsOf(batch, decisions, counts.keys), ...counted]);
  for (const tally of tallies) tally.done();
  return decisions;
}
