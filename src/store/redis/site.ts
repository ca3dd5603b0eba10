/** What is kept once for all servers: whitelist entries, windows, counts by the hour. */
import { createHash } from 'node:crypto';
import type { Reason, Verdict } from '../../greylist/decide.js';
import { holdsListed, laterWindows, mergeListed } from '../../greylist/merge.js';
import type {
  CountsMove,
  DelayTally,
  HourlyDelay,
  ListedEntry,
  Merged,
  MoreToMerge,
  Purged,
  RecipientWindow,
  Tally,
} from '../../greylist/store.js';
import { addUp, evaluate, exchange, type Addition } from './exchange.js';
import type { Keys } from './keys.js';
import { listOf, type Link, type Reply } from './link.js';
import { fieldOf, readListed, writeListed, type ListedValue } from './values.js';

function textsIn(reply: Reply): string[] {
  return listOf(reply).map(String);
}

/** The fields and texts of a hash. */
async function hash(link: Link, key: string): Promise<Map<string, string>> {
  const texts = textsIn(await link.send(key, ['HGETALL', key]));
  const fields = new Map<string, string>();
  for (let at = 0; at + 1 < texts.length; at += 2) fields.set(texts[at] ?? '', texts[at + 1] ?? '');
  return fields;
}

/** Whitelist entries with their hits, in the order they were added. */
export async function listed(link: Link, keys: Keys): Promise<ListedEntry[]> {
  const key = keys.site('whitelist');
  const [entries, hits, lastHits] = await Promise.all([
    hash(link, key),
    hash(link, keys.site('hits')),
    hash(link, keys.site('last-hits')),
  ]);
  return Array.from(entries, ([field, text]) => readListed(key, field, text))
    .sort((a, b) => a.id - b.id)
    .map((value) => {
      const lastHit = lastHits.get(String(value.id));
      const counted = { hits: Number(hits.get(String(value.id)) ?? 0) };
      return { ...value, ...counted, ...(lastHit !== undefined && { lastHit: Number(lastHit) }) };
    });
}

/** Changes with every change of the whitelist; 0 while there never was one. */
export async function revision(link: Link, keys: Keys): Promise<number> {
  const key = keys.site('revision');
  return Number((await link.send(key, ['GET', key])) ?? 0);
}

/**
 * KEYS: the whitelist, the revision, hits, last hits. ARGV: a field, the text it was read with, its new text ('' removes it), an id, and
 * how often and when it was hit at least ('' leaves what is there).
 * Returns 1 when done, 0 when something had changed. The revision is a time: one that was lost does not come back.
 */
const changeListed = `
if (redis.call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then return 0 end
if ARGV[3] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
  redis.call('HDEL', KEYS[3], ARGV[4])
  redis.call('HDEL', KEYS[4], ARGV[4])
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
  for at = 3, 4 do
    local number, least = tonumber(redis.call('HGET', KEYS[at], ARGV[4]) or '') or 0, tonumber(ARGV[at + 2]) or 0
    if least > number then redis.call('HSET', KEYS[at], ARGV[4], ARGV[at + 2]) end
  end
end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local last = tonumber(redis.call('GET', KEYS[2]) or '0')
redis.call('SET', KEYS[2], string.format('%.0f', math.max(now, last + 1)))
return 1`;

const changeListedSha = createHash('sha1').update(changeListed).digest('hex');

/** What an entry is to be; of its hits no fewer than these. */
type ChangedEntry = Omit<ListedValue, 'id'> & Partial<Pick<ListedEntry, 'hits' | 'lastHit'>>;

/** Makes of a whitelist entry what `after` says: undefined is none. Resolves to what was there before. */
export async function changeEntry(
  link: Link,
  keys: Keys,
  entry: Pick<ListedValue, 'kind' | 'pattern'>,
  after: (before: ListedValue | undefined) => ChangedEntry | undefined,
): Promise<ListedValue | undefined> {
  const key = keys.site('whitelist');
  const field = fieldOf(entry);
  for (;;) {
    const found = await link.send(key, ['HGET', key, field]);
    const text = typeof found === 'string' ? found : '';
    const before = text === '' ? undefined : readListed(key, field, text);
    const wanted = after(before);
    if (!wanted && !before) return undefined;
    const id = before?.id ?? Number(await link.send(key, ['INCR', keys.site('ids')]));
    const written = wanted ? writeListed({ ...wanted, id }) : '';
    const names = ['whitelist', 'revision', 'hits', 'last-hits'] as const;
    const places = names.map((name) => keys.site(name));
    const hits = [wanted?.hits ?? '', wanted?.lastHit ?? ''].map(String);
    const args = [field, text, written, String(id), ...hits];
    if ((await evaluate(link, changeListed, changeListedSha, places, args)) === 1) return before;
  }
}

/** The windows there are, by recipient. */
export async function windows(link: Link, keys: Keys): Promise<RecipientWindow[]> {
  const found = await hash(link, keys.site('windows'));
  return Array.from(found, ([recipient, until]) => ({ recipient, until: Number(until) })).sort((a, b) =>
    Buffer.compare(Buffer.from(a.recipient), Buffer.from(b.recipient)),
  );
}

/** Opens a window, or moves the end of the one there is. */
export async function openWindow(link: Link, keys: Keys, recipient: string, until: number): Promise<void> {
  await link.send(keys.site('windows'), ['HSET', keys.site('windows'), recipient, String(until)]);
}

/** Resolves to false when there was none. */
export async function closeWindow(link: Link, keys: Keys, recipient: string): Promise<boolean> {
  return (await link.send(keys.site('windows'), ['HDEL', keys.site('windows'), recipient])) === 1;
}

/** Takes away the windows that were over at `now`; resolves to how many. */
export async function closeWindowsBefore(link: Link, keys: Keys, now: number): Promise<number> {
  let closed = 0;
  for (const { recipient, until } of await windows(link, keys)) {
    if (until <= now && (await closeWindow(link, keys, recipient))) closed += 1;
  }
  return closed;
}

/** Merges whitelist entries, of which those were known before that `known` tells. */
export async function mergeEntries(
  link: Link,
  keys: Keys,
  others: MoreToMerge['listed'],
  known: ReadonlyMap<string, ListedEntry>,
): Promise<Merged> {
  const merged = { added: 0, changed: 0 };
  for (const other of others) {
    const ours = known.get(fieldOf(other));
    if (ours && holdsListed(ours, other)) continue;
    const before = await changeEntry(link, keys, other, (found) =>
      found ? mergeListed({ ...found, hits: 0 }, other) : other,
    );
    merged[before ? 'changed' : 'added'] += 1;
  }
  return merged;
}

/** Merges windows: of two the later end. */
export async function mergeWindows(link: Link, keys: Keys, others: MoreToMerge['windows']): Promise<Merged> {
  const open = new Map((await windows(link, keys)).map(({ recipient, until }) => [recipient, until]));
  const { later, merged } = laterWindows(open, others);
  const additions = later.map(({ recipient, until }): Addition => {
    const args = [recipient, String(until)];
    return { command: 'LARGER', key: keys.site('windows'), args };
  });
  await addUp(link, additions);
  return merged;
}

/** What was counted in an hour, by field. */
interface Hour {
  readonly hour: number;
  readonly counts: ReadonlyMap<string, string>;
}

async function hoursSince(link: Link, keys: Keys, since: number): Promise<Hour[]> {
  const key = keys.site('hours');
  const found = textsIn(await link.send(key, ['ZRANGEBYSCORE', key, String(since), '+inf'])).map(Number);
  return Promise.all(found.map(async (hour) => ({ hour, counts: await hash(link, keys.hour(hour)) })));
}

/** Counts of the hours since then, oldest first. */
export async function tallies(link: Link, keys: Keys, since: number): Promise<Tally[]> {
  const hours = await hoursSince(link, keys, since);
  return hours.flatMap(({ hour, counts }) =>
    [...counts].flatMap(([field, count]): Tally[] => {
      const [, verdict, reason] = /^(pass|greylist) (.+)$/.exec(field) ?? [];
      // Fields of this form are only written from a decision.
      return reason === undefined
        ? []
        : [{ hour, verdict: verdict as Verdict, reason: reason as Reason, count: Number(count) }];
    }),
  );
}

/** How long triplets had waited, by the hour in which they passed. */
export async function hourlyDelays(link: Link, keys: Keys, since = 0): Promise<HourlyDelay[]> {
  const hours = await hoursSince(link, keys, since);
  return hours.flatMap(({ hour, counts }) =>
    [...counts].flatMap(([field, count]) => {
      const [, seconds] = /^delay (\d+)$/.exec(field) ?? [];
      return seconds === undefined ? [] : [{ hour, seconds: Number(seconds), count: Number(count) }];
    }),
  );
}

/** The same of some hours together, shortest first. */
export async function delays(link: Link, keys: Keys, since: number): Promise<DelayTally[]> {
  const sums = new Map<number, number>();
  for (const { seconds, count } of await hourlyDelays(link, keys, since))
    sums.set(seconds, (sums.get(seconds) ?? 0) + count);
  return Array.from(sums, ([seconds, count]) => ({ seconds, count })).sort((a, b) => a.seconds - b.seconds);
}

/** What adds these counts to what is there, or with LARGER leaves the larger. An hour is listed before it is counted: then it is found. */
export function countAdditions(
  keys: Keys,
  { tallies, delays }: Pick<MoreToMerge, 'tallies' | 'delays'>,
  command: 'HINCRBY' | 'LARGER',
): Addition[] {
  const counts = [
    ...tallies.map(({ hour, verdict, reason, count }) => ({ hour, field: `${verdict} ${reason}`, count })),
    ...delays.map(({ hour, seconds, count }) => ({ hour, field: `delay ${seconds}`, count })),
  ];
  const additions = counts.map(({ hour, field, count }): Addition => ({
    command,
    key: keys.hour(hour),
    args: [field, String(count)],
  }));
  const hours = [...new Set(counts.map(({ hour }) => String(hour)))].map((hour): Addition => ({
    command: 'ZADD',
    key: keys.site('hours'),
    args: [hour, hour],
  }));
  return [...hours, ...additions];
}

/** Who has not heard for so long that a move has arrived has been forgotten: a host that was away, with a move of its fallback. */
const movedSeconds = 366 * 24 * 3600;

/** Adds what a move brings to the counts, in the step that remembers it; does nothing when that was done before. */
export async function addCounts(link: Link, keys: Keys, move: CountsMove): Promise<void> {
  const key = keys.moved(move.id);
  await exchange(link, {
    expected: new Map([[key, '']]),
    writes: new Map([[key, { value: '1', seconds: movedSeconds }]]),
    additions: countAdditions(keys, move, 'HINCRBY'),
  });
}

/** Removes the oldest hours before `before`, whole, until about `limit` counts are gone. */
export async function forgetTallies(link: Link, keys: Keys, before: number, limit: number): Promise<Purged> {
  const key = keys.site('hours');
  let removed = 0;
  while (removed < limit) {
    const [hour] = textsIn(
      await link.send(key, ['ZRANGEBYSCORE', key, '-inf', `(${before}`, 'LIMIT', '0', '1']),
    );
    if (hour === undefined) return { removed, done: true };
    const counts = keys.hour(Number(hour));
    removed += Number(await link.send(counts, ['HLEN', counts]));
    await link.send(counts, ['DEL', counts]);
    await link.send(key, ['ZREM', key, hour]);
  }
  return { removed, done: false };
}
