/**
 * The one script: compares what was read with what is there now, and only when nothing has changed meanwhile writes and counts, all in
 * one step that nothing else can come between. So decisions are made here, by the one function that makes them, and no two servers
 * ever overwrite each other's. All its keys lie in one slot where there is a cluster.
 */
import { createHash } from 'node:crypto';
import { ErrorReply } from 'redis';
import { listOf, type Link, type Reply } from './link.js';

/**
 * KEYS: n that were read, then others. ARGV: n, the n values that were read ('' for none); the number of a key that must not be there, 0
 * for none; m, and m times the number of a key, its new value ('' removes it), its seconds to live ('' leaves them); then to the end
 * command, number of a key, how many arguments, and these. The command LARGER is made here: of a hash, fields and the numbers they are to
 * be, unless they are larger.
 * Returns nothing when done; else the n values that are there, or none of them where it is the key that must not be.
 */
const script = `
local n = tonumber(ARGV[1])
local found, same = {}, true
for i = 1, n do
  local value = redis.pcall('GET', KEYS[i])
  if type(value) == 'table' then return redis.error_reply('WRONGTYPE ' .. KEYS[i]) end
  found[i] = value or ''
  if found[i] ~= ARGV[i + 1] then same = false end
end
local absent = KEYS[tonumber(ARGV[n + 2])]
if absent and redis.call('EXISTS', absent) == 1 then return {} end
if not same then return found end
local kinds = {BITFIELD = 'string', HINCRBY = 'hash', LARGER = 'hash', ZADD = 'zset'}
local checked = {}
local i = n + 4 + 3 * tonumber(ARGV[n + 3])
while i <= #ARGV do
  local key = KEYS[tonumber(ARGV[i + 1])]
  if not checked[key] then
    local kind = redis.call('TYPE', key).ok
    if kind ~= 'none' and kind ~= kinds[ARGV[i]] then return redis.error_reply('WRONGTYPE ' .. key) end
    checked[key] = true
  end
  i = i + 3 + tonumber(ARGV[i + 2])
end
local at = n + 3
for _ = 1, tonumber(ARGV[at]) do
  local key, value, seconds = KEYS[tonumber(ARGV[at + 1])], ARGV[at + 2], ARGV[at + 3]
  if value == '' then redis.call('DEL', key)
  elseif seconds == '' then redis.call('SET', key, value, 'KEEPTTL')
  else redis.call('SET', key, value, 'EX', seconds) end
  at = at + 3
end
i = at + 1
while i <= #ARGV do
  local key, last = KEYS[tonumber(ARGV[i + 1])], i + 2 + tonumber(ARGV[i + 2])
  if ARGV[i] == 'LARGER' then
    for f = i + 3, last, 2 do
      local number = tonumber(redis.call('HGET', key, ARGV[f]) or '') or 0
      if tonumber(ARGV[f + 1]) > number then redis.call('HSET', key, ARGV[f], ARGV[f + 1]) end
    end
  else
    redis.call(ARGV[i], key, unpack(ARGV, i + 3, last))
  end
  i = last + 1
end
return false`;

const sha = createHash('sha1').update(script).digest('hex');

/** A new value: undefined removes the key. Without seconds to live those it has stay. */
export interface Write {
  readonly value: string | undefined;
  readonly seconds?: number | undefined;
}

/** A command that adds to a key other than those that were read, with its arguments. EXPIRE follows another; LARGER is the script's own. */
export interface Addition {
  readonly command: 'BITFIELD' | 'EXPIRE' | 'HINCRBY' | 'LARGER' | 'ZADD';
  readonly key: string;
  readonly args: readonly string[];
}

/** What a script is to do. */
export interface Exchange {
  /** What was read, by key; '' for none. */
  readonly expected: ReadonlyMap<string, string>;
  readonly writes: ReadonlyMap<string, Write>;
  readonly additions: readonly Addition[];
  /** A key that must not be there, whatever is in it. */
  readonly absent?: string | undefined;
}

/** Runs a script that the server may not know yet. */
export async function evaluate(
  link: Link,
  text: string,
  digest: string,
  keys: readonly string[],
  args: readonly string[],
): Promise<Reply> {
  const rest = [String(keys.length), ...keys, ...args];
  const [first = ''] = keys;
  try {
    return await link.send(first, ['EVALSHA', digest, ...rest]);
  } catch (error) {
    if (!(error instanceof ErrorReply && error.message.startsWith('NOSCRIPT'))) throw error;
    return link.send(first, ['EVAL', text, ...rest]);
  }
}

/**
 * Resolves to undefined when all was done; to what is there now, by key, when something had changed and nothing was done; to nothing by any
 * key when nothing was done because of the key that must not be there.
 */
export async function exchange(
  link: Link,
  { expected, writes, additions, absent }: Exchange,
): Promise<Map<string, string> | undefined> {
  const read = [...expected.keys()];
  const numbers = new Map(read.map((key, index) => [key, String(index + 1)]));
  const keys = [...read];
  const others = [...(absent === undefined ? [] : [absent]), ...additions.map(({ key }) => key)];
  for (const key of others) if (!numbers.has(key)) numbers.set(key, String(keys.push(key)));
  const number = (key: string) => numbers.get(key) ?? '';
  const all = [String(read.length), ...expected.values()];
  all.push(absent === undefined ? '0' : number(absent), String(writes.size));
  for (const [key, { value, seconds }] of writes) all.push(number(key), value ?? '', String(seconds ?? ''));
  for (const { command, key, args } of additions)
    all.push(command, number(key), String(args.length), ...args);
  const reply = await evaluate(link, script, sha, keys, all);
  if (reply === null) return undefined;
  const now = listOf(reply);
  return new Map(now.map((value, index) => [read[index] ?? '', String(value)]));
}

/** Adds without having read anything. */
export async function addUp(link: Link, additions: readonly Addition[]): Promise<void> {
  if (additions.length > 0) await exchange(link, { expected: new Map(), writes: new Map(), additions });
}
