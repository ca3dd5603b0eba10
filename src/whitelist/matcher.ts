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
import { addressText, type Address, type Network } from '../greylist/address.js';
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

/** Entries by text; no key is longer than `longest`, so that longer texts need no look-up; nor do those without a mark. */
interface Texts {
  readonly entries: EntryMap;
  readonly marks: Uint8Array;
  longest: number;
}

/**
 * Networks of one family: entries by the bits of their prefix, and the lengths that occur, longest first. Every address in one of
 * them has a mark at its first two bytes.
 */
interface Networks {
  readonly entries: EntryMap;
  readonly marks: Uint8Array;
  lengths: number[];
}

interface Regex {
  readonly entry: Entry;
  readonly regex: RE2JS;
  /** What every match of ASCII text holds, in lower case. */
  readonly literal: string;
  /** False when no address can hold the literal. */
  readonly mayMatchAddress: boolean;
}

/** The entries of one kind; clients have networks, mailboxes have users and mailboxes, both have the rest. */
interface Index {
  readonly domains: Texts;
  readonly users: Texts;
  readonly mailboxes: EntryMap;
  readonly networks: { readonly 4: Networks; readonly 6: Networks };
  readonly regexes: Regex[];
  /** One test that tells, for most texts, that none of the expressions matches; undefined where there is none. */
  mayMatch: RegExp | undefined;
  /** Some expression may match an address. */
  regexesOfAddress: boolean;
  readonly isEmpty: boolean;
}

const octetBits = Array.from({ length: 256 }, (_, octet) => octet.toString(2).padStart(8, '0'));

/** The bits of an address, a character each. */
export function bitsOf(address: Address): string {
  let bits = '';
  for (const octet of address.bytes) bits += octetBits[octet] ?? '';
  return bits;
}

function put(map: EntryMap, key: string, entry: Entry): void {
  const there = map.get(key);
  if (there) there.push(entry);
  else map.set(key, [entry]);
}

const markCount = 8192;

/** Where the text from `start` on has its mark: by its length and its first two characters, much cheaper than a look-up. */
function markOf(text: string, start: number): number {
  const code = text.charCodeAt(start) * 31 + text.charCodeAt(start + 1);
  return (code * 31 + text.length - start) & (markCount - 1);
}

function noTexts(): Texts {
  return { entries: new Map(), marks: new Uint8Array(markCount), longest: 0 };
}

function putText(texts: Texts, key: string, entry: Entry): void {
  put(texts.entries, key, entry);
  texts.marks[markOf(key, 0)] = 1;
  texts.longest = Math.max(texts.longest, key.length);
}

function preparedRegex(entry: Entry, regex: RE2JS): Regex {
  const literal = requiredLiteral(regex.pattern());
  return { entry, regex, literal, mayMatchAddress: /^[0-9a-f.:]*$/.test(literal) };
}

/** More of them make an expression too large. */
const mostCombined = 1000;

/** A test that says yes to every text in lower case that one of these may match; undefined when there is none. */
function combinedTest(regexes: readonly Regex[]): RegExp | undefined {
  const literals = regexes.map(({ literal }) => literal.replace(/[^0-9a-z]/g, '\\$&'));
  if (regexes.length > mostCombined || literals.includes('')) return undefined;
  // Literals only: no text takes long. Beyond ASCII nothing is known of literals.
  return new RegExp(['[^\\0-\\x7f]', ...literals].join('|'));
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
    case 'network':
      putNetwork(index.networks[rule.network.address.family], rule.network, entry);
      break;
    case 'regex':
      index.regexes.push(preparedRegex(entry, rule.regex));
      break;
  }
}

function noNetworks(): Networks {
  return { entries: new Map(), marks: new Uint8Array(65_536), lengths: [] };
}

function firstTwoBytes({ bytes }: Address): number {
  return ((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0);
}

function putNetwork({ entries, marks }: Networks, { address, prefixLength }: Network, entry: Entry): void {
  put(entries, bitsOf(address).slice(0, prefixLength), entry);
  const first = firstTwoBytes(address);
  marks.fill(1, first, first + 2 ** Math.max(0, 16 - prefixLength));
}

function networkLengths(networks: Networks): number[] {
  const lengths = new Set<number>();
  for (const bits of networks.entries.keys()) lengths.add(bits.length);
  return [...lengths].sort((one, other) => other - one);
}

function indexOf(allEntries: readonly Entry[], kind: ListKind): Index {
  const entries = allEntries.filter((entry) => entry.kind === kind);
  const index: Index = {
    domains: noTexts(),
    users: noTexts(),
    mailboxes: new Map(),
    networks: { 4: noNetworks(), 6: noNetworks() },
    regexes: [],
    mayMatch: undefined,
    regexesOfAddress: false,
    isEmpty: entries.length === 0,
  };
  for (const entry of entries) addTo(index, entry);
  for (const networks of [index.networks[4], index.networks[6]]) networks.lengths = networkLengths(networks);
  index.mayMatch = combinedTest(index.regexes);
  index.regexesOfAddress = index.regexes.some(({ mayMatchAddress }) => mayMatchAddress);
  return index;
}

function addAll(hits: Entry[], found: readonly Entry[] | undefined): void {
  if (found) hits.push(...found);
}

/** Adds the entries for `text` from `start` on, and from behind every later dot on. */
function addDomainHits(hits: Entry[], domains: Texts, text: string, start: number): void {
  if (domains.longest === 0) return;
  let from = start;
  do {
    if (text.length - from <= domains.longest && domains.marks[markOf(text, from)] === 1)
      addAll(hits, domains.entries.get(text.slice(from)));
    from = text.indexOf('.', from) + 1;
  } while (from > 0);
}

const beyondAscii = /[^\0-\x7f]/;

/** Longer than any real address or name; what is longer is a stranger's try to keep the server busy. */
const longestForRegex = 1024;

/** True when the expression matches; `folded` is the text in lower case. */
function matchesText({ regex, literal }: Regex, text: string, folded: string): boolean {
  if (text.length > longestForRegex) return false;
  // Beyond ASCII, letters have other cases than these: the Kelvin sign is a k.
  if (!folded.includes(literal) && !beyondAscii.test(text)) return false;
  return regex.test(text);
}

/** The ways to read a local part as user, or as user+extension with an extension that is not empty. */
function usersOf(localPart: string, longest: number): string[] {
  const users = localPart.length <= longest ? [localPart] : [];
  let plus = Math.min(localPart.length - 2, longest) + 1;
  while (plus > 0) {
    plus = localPart.lastIndexOf('+', plus - 1);
    if (plus >= 0) users.push(localPart.slice(0, plus));
  }
  return users;
}

function clientHits(index: Index, { client, clientName }: Subject): Entry[] {
  const hits: Entry[] = [];
  if (index.isEmpty) return hits;
  const name = clientName?.toLowerCase();
  if (name !== undefined) addDomainHits(hits, index.domains, name, 0);
  const networks = client && index.networks[client.family];
  if (client && networks?.marks[firstTwoBytes(client)] === 1) {
    const bits = bitsOf(client);
    for (const length of networks.lengths) addAll(hits, networks.entries.get(bits.slice(0, length)));
  }
  const address = client && index.regexesOfAddress ? addressText(client) : undefined;
  const mayBeNamed = name !== undefined && (index.mayMatch?.test(name) ?? true);
  if (!mayBeNamed && address === undefined) return hits;
  for (const regex of index.regexes) {
    const isNamed = mayBeNamed && matchesText(regex, clientName ?? name, name);
    const isHit = isNamed || (address !== undefined && regex.mayMatchAddress && regex.regex.test(address));
    if (isHit) hits.push(regex.entry);
  }
  return hits;
}

function mailboxHits(index: Index, address: string | undefined): Entry[] {
  const hits: Entry[] = [];
  if (address === undefined || index.isEmpty) return hits;
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
  if (index.mayMatch?.test(text) === false) return hits;
  for (const regex of index.regexes) if (matchesText(regex, address, text)) hits.push(regex.entry);
  return hits;
}

/** Makes whitelists that can be asked out of entries of any kind. */
export function compile(entries: readonly Entry[]): Whitelist {
  const clients = indexOf(entries, 'client');
  const recipients = indexOf(entries, 'recipient');
  const senders = indexOf(entries, 'sender');

  const kinds: readonly (readonly [Match['exemption'], (subject: Subject) => Entry[]])[] = [
    ['client whitelist', (subject) => clientHits(clients, subject)],
    ['recipient whitelist', (subject) => mailboxHits(recipients, subject.recipient)],
    ['sender whitelist', (subject) => mailboxHits(senders, subject.sender)],
  ];
  const isAlive = (entry: Entry, now: number) => entry.expiresAt === undefined || entry.expiresAt > now;

  return {
    match(subject, now) {
      for (const [exemption, hits] of kinds)
        for (const entry of hits(subject)) if (isAlive(entry, now)) return { exemption, entry };
      return undefined;
    },
    all: (subject, now) =>
      kinds.flatMap(([exemption, hits]) =>
        hits(subject).flatMap((entry) => (isAlive(entry, now) ? [{ exemption, entry }] : [])),
      ),
  };
}

/** Two whitelists as one: `first` is asked first. */
export function inOrder(first: Whitelist, second: Whitelist): Whitelist {
  return {
    match: (subject, now) => first.match(subject, now) ?? second.match(subject, now),
    all: (subject, now) => [...first.all(subject, now), ...second.all(subject, now)],
  };
}
