/** The values of entries, auto-whitelist records and whitelist entries, as keys.ts describes them. */
import type { AwlRecord, Entry } from '../../greylist/decide.js';
import { Failure } from '../../greylist/failure.js';
import type { ListedEntry, ListKind } from '../../greylist/store.js';

/** Servers' clocks differ: Redis forgets so much later than the rules do. */
const slackSeconds = 3600;

/** How long Redis is to keep what the rules forget at `end`. What is over already stays a while, for who looks. */
export function secondsToLive(end: number, now: number): number {
  return Math.max(0, end - now) + slackSeconds;
}

/** A value that greyctl did not write. */
function foreign(key: string): Failure {
  return new Failure(`the key ${key} of the database holds what greyctl did not write`, {
    hint: `redis-cli type '${key}', and remove it`,
  });
}

/** The text of an entry. */
export function writeEntry(entry: Entry): string {
  const { firstSeen, lastSeen, deferrals, passedAt, passes, releasedAt } = entry;
  const released = releasedAt === undefined ? '' : ` ${releasedAt}`;
  return `${firstSeen} ${lastSeen} ${deferrals} ${passes} ${passedAt ?? '-'}${released}`;
}

/** The entry in a text; throws a Failure that names the key. */
export function readEntry(key: string, text: string): Entry {
  const [, first, last, deferrals, passes, passed, released] =
    /^(\d+) (\d+) (\d+) (\d+) (\d+|-)(?: (\d+))?$/.exec(text) ?? [];
  if (passed === undefined) throw foreign(key);
  return {
    firstSeen: Number(first),
    lastSeen: Number(last),
    deferrals: Number(deferrals),
    ...(passed !== '-' && { passedAt: Number(passed) }),
    passes: Number(passes),
    ...(released !== undefined && { releasedAt: Number(released) }),
  };
}

/** The text of an auto-whitelist record. */
export function writeClient({ count, lastCounted }: AwlRecord): string {
  return `${count} ${lastCounted}`;
}

/** The record in a text; throws a Failure that names the key. */
export function readClient(key: string, text: string): AwlRecord {
  const [, count, last] = /^(\d+) (\d+)$/.exec(text) ?? [];
  if (last === undefined) throw foreign(key);
  return { count: Number(count), lastCounted: Number(last) };
}

/** A whitelist entry without its hits, which are counted apart. */
export type ListedValue = Omit<ListedEntry, 'hits' | 'lastHit'>;

/** The field of a whitelist entry. */
export function fieldOf({ kind, pattern }: Pick<ListedValue, 'kind' | 'pattern'>): string {
  return `${kind} ${pattern}`;
}

/** The text of a whitelist entry. */
export function writeListed({ id, comment, addedAt, expiresAt }: ListedValue): string {
  return JSON.stringify({
    id,
    comment,
    added_at: addedAt,
    ...(expiresAt !== undefined && { expires_at: expiresAt }),
  });
}

function isListKind(text: string): text is ListKind {
  return text === 'client' || text === 'recipient' || text === 'sender';
}

/** The whitelist entry in a field and its text; throws a Failure that names the key. */
export function readListed(key: string, field: string, text: string): ListedValue {
  const [kind = ''] = field.split(' ', 1);
  try {
    const { id, comment, added_at, expires_at } = JSON.parse(text) as Record<string, unknown>;
    if (
      !isListKind(kind) ||
      typeof id !== 'number' ||
      typeof comment !== 'string' ||
      typeof added_at !== 'number'
    )
      throw foreign(key);
    const pattern = field.slice(kind.length + 1);
    const expires = typeof expires_at === 'number' ? { expiresAt: expires_at } : {};
    return { id, kind, pattern, comment, addedAt: added_at, ...expires };
  } catch {
    throw foreign(key);
  }
}
