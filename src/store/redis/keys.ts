/**
 * The layout of keys, with PREFIX `greyctl` unless the location says otherwise:
 *
 *     PREFIX:{TAG}:entry:CLIENT|SENDER|RECIPIENT   text  FIRST_SEEN LAST_SEEN DEFERRALS PASSES PASSED_AT|- [RELEASED_AT]
 *     PREFIX:{TAG}:awl:ADDRESS                     text  COUNT LAST_COUNTED
 *     PREFIX:{site}:schema                         text  version of this layout
 *     PREFIX:{site}:windows                        hash  RECIPIENT → until when all its mail passes
 *     PREFIX:{site}:whitelist                      hash  KIND PATTERN → JSON
 *     PREFIX:{site}:revision                       text  changes with every change of the whitelist
 *     PREFIX:{site}:ids                            text  the last id given to a whitelist entry
 *     PREFIX:{site}:privacy                        text  what addresses are kept as: themselves, or hashes of which key
 *     PREFIX:{site}:hits, :last-hits               hash  id of a whitelist entry → how often, when
 *     PREFIX:{site}:hour:TIME                      hash  VERDICT REASON → attempts; delay SECONDS → first passes
 *     PREFIX:{site}:hours                          zset  the hours there are
 *     PREFIX:{site}:moved:ID                       text  counts that were moved here from another store, and are not added again
 *     PREFIX:{site}:waiting:TIME                   text  how many wait that were first seen from then on, as waiting.ts counts them
 *     PREFIX:{site}:seed                           text  what those counts are spread by
 *
 * All times are epoch seconds. What stands in braces decides where in a cluster a key is kept, and TAG is the same for a network and its
 * addresses: the first two numbers of an IPv4 address (`192.0`), the first two groups of an IPv6 one (`2001:db8`), of anything else (a
 * domain, a keyed hash) the first six characters. So what one attempt reads and writes lies in one slot, but for clients whose key is a
 * domain, a keyed hash, or a network wider than that. In names, `%`, `|`, spaces and control characters are written %XX.
 */
import type { Triplet } from '../../greylist/triplet.js';

/** What this program writes and reads. */
export const layoutVersion = 1;

// eslint-disable-next-line no-control-regex
const reserved = /[%|\u0000-\u0020\u007f]/g;

function escaped(text: string): string {
  return text.replace(
    reserved,
    (char) => `%${char.charCodeAt(0).toString(16).padStart(2, '0').toUpperCase()}`,
  );
}

function unescaped(text: string): string {
  return text.replace(/%([0-9A-F]{2})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
}

/** In a pattern of SCAN these mean something. */
function literally(text: string): string {
  return text.replace(/[\\*?[\]^-]/g, '\\$&');
}

/** What decides in which part of a cluster the keys of a client lie. */
export function tagOf(client: string): string {
  const [address] = /^(?:\d{1,3}\.\d{1,3}(?=\.)|[\da-f]{1,4}:[\da-f]{1,4}(?=:))/.exec(client) ?? [];
  return address ?? (client.slice(0, 6).replace(/[^\w.-]/g, '_') || '_');
}

/** What keys that lie in one slot have in common. */
export function slotOf(key: string): string {
  return key.slice(0, key.indexOf('}'));
}

/** Items that have something in common, by that. */
export function groupsOf<T>(items: readonly T[], common: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(common(item));
    if (group) group.push(item);
    else groups.set(common(item), [item]);
  }
  return groups;
}

/** Which part of the layout is meant by a name. */
export type SiteName =
  | 'schema'
  | 'windows'
  | 'whitelist'
  | 'ids'
  | 'revision'
  | 'hits'
  | 'last-hits'
  | 'hours'
  | 'privacy'
  | 'seed';

export interface Keys {
  entry(triplet: Triplet): string;
  client(address: string): string;
  site(name: SiteName): string;
  hour(time: number): string;
  moved(id: string): string;
  waiting(time: number): string;
  /** The triplet of an entry's key. */
  tripletOf(key: string): Triplet;
  /** The address of an auto-whitelist record's key; undefined for an entry's. */
  addressOf(key: string): string | undefined;
  /** SCAN's pattern for the entries of these clients, senders and recipients; of all where none are given. */
  entryPattern(parts: Partial<Triplet>): string;
  readonly clientPattern: string;
  /** Entries and auto-whitelist records. */
  readonly anyPattern: string;
}

/** Makes the keys that begin with `prefix`. */
export function createKeys(prefix: string): Keys {
  const start = literally(prefix);
  return {
    entry: ({ client, sender, recipient }) =>
      `${prefix}:{${tagOf(client)}}:entry:${escaped(client)}|${escaped(sender)}|${escaped(recipient)}`,
    client: (address) => `${prefix}:{${tagOf(address)}}:awl:${escaped(address)}`,
    site: (name) => `${prefix}:{site}:${name}`,
    hour: (time) => `${prefix}:{site}:hour:${time}`,
    moved: (id) => `${prefix}:{site}:moved:${id}`,
    waiting: (time) => `${prefix}:{site}:waiting:${time}`,
    tripletOf: (key) => {
      const [client = '', sender = '', recipient = ''] = key.slice(key.indexOf('}:entry:') + 8).split('|');
      return { client: unescaped(client), sender: unescaped(sender), recipient: unescaped(recipient) };
    },
    addressOf: (key) => {
      const found = key.indexOf('}:awl:');
      return found < 0 || key.indexOf('}') < found ? undefined : unescaped(key.slice(found + 6));
    },
    entryPattern: ({ client, sender, recipient }) => {
      const parts = [client, sender, recipient].map((part) =>
        part === undefined ? '*' : literally(escaped(part)),
      );
      return `${start}:{${client === undefined ? '*' : literally(tagOf(client))}}:entry:${parts.join('|')}`;
    },
    clientPattern: `${start}:{*}:awl:*`,
    anyPattern: `${start}:{*}:[ea][nw][tl]*`,
  };
}
