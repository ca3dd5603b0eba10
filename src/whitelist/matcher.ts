/**
 * Compiled whitelists: what a look-up costs depends on the attempt and on the number of regular expressions, not on the
 * number of other entries. Names are looked up suffix by suffix, addresses prefix length by prefix length (those that
 * occur), mailboxes by key; only regular expressions are tried one by one.
 *
 * Order, which decides what is reported when several entries match: client, recipient, sender; among clients names, then
 * addresses, then expressions; among mailboxes user@domain, user@, domain, expressions. The longer name or prefix goes
 * first, then the entry that was given first.
 */
import type { RE2JS } from 're2js';
import { addressText, type Address } from '../greylist/address.js';
import type { Attempt } from '../greylist/attempt.js';
import type { ListKind } from '../greylist/store.js';
import { requiredLiteral } from './literal.js';
import type { Entry } from './syntax.js';

/** What of an attempt whitelists look at; what is left out matches nothing. */
export type Subject = Partial<Pick<Attempt, 'client' | 'clientName' | 'sender' | 'recipient'>>;

/** An entry that matched, and the reason it gives. */
export interface Match {
  readonly exemption: `${ListKind} whitelist`;
  readonly entry: Entry;
}

/** Lists that can be asked; never changes. `now` is in epoch seconds and only tells which entries have expired. */
export interface Whitelist {
  /** The first entry that matches. */
  match(subject: Subject, now: number): Match | undefined;
  /** Every entry that matches; the first is the one that `match` tells. */
  all(subject: Subject, now: number): Match[];
}

type EntryMap = Map<string, Entry[]>;

/** Entries by text; no key is longer than `longest`, so that longer texts need no look-up. */
interface Texts {
  readonly entries: EntryMap;
  longest: number;
}

/** Networks of one family: entries by the bits of their prefix, and the lengths that occur, longest first. */
interface Networks {
  readonly entries: EntryMap;
  lengths: number[];
}

interface Regex {
  readonly entry: Entry;
  readonly regex: RE2JS;
  /** What every match of ASCII text holds, in lower case. */
  readonly literal: string;
}

/** The entries of one kind; clients have networks, mailboxes have users and mailboxes, both have the rest. */
interface Index {
  readonly domains: Texts;
  readonly users: Texts;
  readonly mailboxes: EntryMap;
  readonly networks: { readonly 4: Networks; readonly 6: Networks };
  readonly regexes: Regex[];
}

const octetBits = Array.from({ length: 256 }, (_, octet) => octet.toString(2).padStart(8, '0'));

function bitsOf(address: Address): string {
  let bits = '';
  for (const octet of address.bytes) bits += octetBits[octet] ?? '';
  return bits;
}

function put(map: EntryMap, key: string, entry: Entry): void {
  const there = map.get(key);
  if (there) there.push(entry);
  else map.set(key, [entry]);
}

function putText(texts: Texts, key: string, entry: Entry): void {
  put(texts.entries, key, entry);
  texts.longest = Math.max(texts.longest, key.length);
}

function addTo(index: Index, entry: Entry): void {
  const { rule } = entry;
  switch (rule.type) {
    case 'domain':
      putText(index.domains, rule.domain, entry);
      break;
    case 'user':
      putText(index.users, rule.user, entry);
      break;
    case 'mailbox':
      put(index.mailboxes, `${rule.user}@${rule.domain}`, entry);
      index.users.longest = Math.max(index.users.longest, rule.user.length);
      break;
    case 'network': {
      const { address, prefixLength } = rule.network;
      put(index.networks[address.family].entries, bitsOf(address).slice(0, prefixLength), entry);
      break;
    }
    case 'regex':
      index.regexes.push({ entry, regex: rule.regex, literal: requiredLiteral(rule.regex.pattern()) });
      break;
  }
}

function networkLengths(networks: Networks): number[] {
  const lengths = new Set<number>();
  for (const bits of networks.entries.keys()) lengths.add(bits.length);
  return [...lengths].sort((one, other) => other - one);
}

function indexOf(entries: readonly Entry[], kind: ListKind): Index {
  const index: Index = {
    domains: { entries: new Map(), longest: 0 },
    users: { entries: new Map(), longest: 0 },
    mailboxes: new Map(),
    networks: { 4: { entries: new Map(), lengths: [] }, 6: { entries: new Map(), lengths: [] } },
    regexes: [],
  };
  for (const entry of entries) if (entry.kind === kind) addTo(index, entry);
  for (const networks of [index.networks[4], index.networks[6]]) networks.lengths = networkLengths(networks);
  return index;
}

function addAll(hits: Entry[], found: readonly Entry[] | undefined): void {
  if (found) hits.push(...found);
}

/** Adds the entries for `text` from `start` on, and from behind every later dot on. */
function addDomainHits(hits: Entry[], domains: Texts, text: string, start: number): void {
  let from = start;
  do {
    if (text.length - from <= domains.longest) addAll(hits, domains.entries.get(text.slice(from)));
    from = text.indexOf('.', from) + 1;
  } while (from > 0);
}

const beyondAscii = /[^\0-\x7f]/;

/** A text for expressions; in lower case where it is ASCII: beyond, letters have other cases (the Kelvin sign is a k). */
interface Searched {
  readonly text: string;
  readonly folded: string | undefined;
}

function searched(text: string): Searched {
  return { text, folded: beyondAscii.test(text) ? undefined : text.toLowerCase() };
}

/** Longer than any real address or name; what is longer is a stranger's try to keep the server busy. */
const longestForRegex = 1024;

/** Adds the entries of the expressions that match one of the texts. */
function addRegexHits(hits: Entry[], regexes: readonly Regex[], texts: readonly Searched[]): void {
  for (const { entry, regex, literal } of regexes) {
    const matches = ({ text, folded }: Searched) =>
      text.length <= longestForRegex &&
      (folded === undefined || folded.includes(literal)) &&
      regex.test(text);
    if (texts.some(matches)) hits.push(entry);
  }
}

/** The ways to read a local part as user, or as user+extension with an extension that is not empty. */
function usersOf(localPart: string, longest: number): string[] {
  const users = localPart.length <= longest ? [localPart] : [];
  for (let plus = Math.min(localPart.length - 2, longest); plus >= 0; plus -= 1) {
    if (localPart[plus] === '+') users.push(localPart.slice(0, plus));
  }
  return users;
}

function clientHits(index: Index, { client, clientName }: Subject): Entry[] {
  const hits: Entry[] = [];
  const name = clientName?.toLowerCase();
  if (name !== undefined) addDomainHits(hits, index.domains, name, 0);
  const networks = client && index.networks[client.family];
  if (networks && networks.lengths.length > 0) {
    const bits = bitsOf(client);
    for (const length of networks.lengths) addAll(hits, networks.entries.get(bits.slice(0, length)));
  }
  if (index.regexes.length === 0) return hits;
  const texts = client ? [searched(addressText(client))] : [];
  if (clientName !== undefined) texts.unshift(searched(clientName));
  addRegexHits(hits, index.regexes, texts);
  return hits;
}

function mailboxHits(index: Index, address: string | undefined): Entry[] {
  const hits: Entry[] = [];
  if (address === undefined) return hits;
  const text = address.toLowerCase();
  const at = text.indexOf('@');
  if (at >= 0 && index.users.longest > 0) {
    const users = usersOf(text.slice(0, at), index.users.longest);
    const domain = text.slice(at);
    for (const user of users) addAll(hits, index.mailboxes.get(user + domain));
    for (const user of users) addAll(hits, index.users.entries.get(user));
  }
  // postgrey's rule is "behind an @ or a dot": without an @, the whole text is not a domain, but what follows a dot is.
  const start = (at >= 0 ? text.lastIndexOf('@') : text.indexOf('.')) + 1;
  if (start > 0) addDomainHits(hits, index.domains, text, start);
  if (index.regexes.length > 0) addRegexHits(hits, index.regexes, [searched(address)]);
  return hits;
}

/** Makes whitelists that can be asked out of entries of any kind. */
export function compile(entries: readonly Entry[]): Whitelist {
  const clients = indexOf(entries, 'client');
  const recipients = indexOf(entries, 'recipient');
  const senders = indexOf(entries, 'sender');

  function* matches(subject: Subject, now: number): Generator<Match> {
    const isAlive = (entry: Entry) => entry.expiresAt === undefined || entry.expiresAt > now;
    const client = clientHits(clients, subject).filter(isAlive);
    for (const entry of client) yield { exemption: 'client whitelist', entry };
    const recipient = mailboxHits(recipients, subject.recipient).filter(isAlive);
    for (const entry of recipient) yield { exemption: 'recipient whitelist', entry };
    const sender = mailboxHits(senders, subject.sender).filter(isAlive);
    for (const entry of sender) yield { exemption: 'sender whitelist', entry };
  }

  return {
    match(subject, now) {
      for (const match of matches(subject, now)) return match;
      return undefined;
    },
    all: (subject, now) => [...matches(subject, now)],
  };
}

/** Two whitelists as one: `first` is asked first. */
export function inOrder(first: Whitelist, second: Whitelist): Whitelist {
  return {
    match: (subject, now) => first.match(subject, now) ?? second.match(subject, now),
    all: (subject, now) => [...first.all(subject, now), ...second.all(subject, now)],
  };
}
