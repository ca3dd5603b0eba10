/**
 * Why nothing matched: the entries that came nearest to a subject, each with what kept it from matching. For people who look for
 * a mistake, so every entry is looked at; no index is kept.
 *
 * The nearest go first: expired, then a name that is not verified, another kind, a domain off by a label, another family, one bit.
 */
import { addressText, contains, type Address, type Network } from '../greylist/address.js';
import { compile, type Subject } from './matcher.js';
import type { Entry } from './syntax.js';

/** What kept an entry from matching, nearest first. */
const obstacles = [
  'expired',
  'name not verified',
  'other kind',
  'name above the entry',
  'sibling name',
  'other address family',
  'one bit off',
] as const;

export type Obstacle = (typeof obstacles)[number];

export interface Near {
  readonly entry: Entry;
  readonly obstacle: Obstacle;
  /** A sentence for the operator, harmless where the entry's pattern is. */
  readonly why: string;
}

type Finding = Omit<Near, 'entry'> | undefined;

/** The name an unverified client claims, in `name`; nobody else's subject has one. */
export interface NearSubject extends Subject {
  /** A reverse name that Postfix could not verify. */
  readonly claimedName?: string | undefined;
}

function matches(entry: Entry, subject: Subject, now: number): boolean {
  return compile([entry]).match(subject, now) !== undefined;
}

function expired(entry: Entry, subject: Subject, now: number): Finding {
  if (entry.expiresAt === undefined || entry.expiresAt > now) return undefined;
  if (!matches({ ...entry, expiresAt: undefined }, subject, now)) return undefined;
  return { obstacle: 'expired', why: 'it matches, but has expired' };
}

/** A client without a verified name, and an entry for a name. */
function unverified(entry: Entry, { clientName, claimedName }: NearSubject, now: number): Finding {
  if (entry.kind !== 'client' || (clientName !== undefined && clientName !== 'unknown')) return undefined;
  if (claimedName === undefined || !matches(entry, { clientName: claimedName }, now)) return undefined;
  return {
    obstacle: 'name not verified',
    why: 'it is a name, and the name of this client is not verified: its address does not lead to a name that leads back to it',
  };
}

function otherKind(entry: Entry, { sender, recipient }: Subject, now: number): Finding {
  if (entry.rule.type === 'regex' && entry.kind === 'client') return undefined;
  const texts = { sender, recipient };
  for (const [as, text] of Object.entries(texts)) {
    if (text === undefined || as === entry.kind) continue;
    const domain = text.slice(text.lastIndexOf('@') + 1);
    const asOther = entry.kind === 'client' ? { clientName: domain } : { sender: text, recipient: text };
    if (matches(entry, asOther, now))
      return { obstacle: 'other kind', why: `it is an entry for a ${entry.kind}, this is a ${as}` };
  }
  return undefined;
}

/** A client's name in an entry for a sender or recipient domain. */
function clientAsMailbox(entry: Entry, { clientName }: Subject): Finding {
  if (entry.kind === 'client' || entry.rule.type !== 'domain' || clientName === undefined) return undefined;
  const name = clientName.toLowerCase();
  const { domain } = entry.rule;
  if (name !== domain && !name.endsWith(`.${domain}`)) return undefined;
  return { obstacle: 'other kind', why: `it is an entry for a ${entry.kind}, this is a client's name` };
}

/** The texts of a subject that an entry's domain is compared with. */
function domainsOf(entry: Entry, { clientName, sender, recipient }: Subject): string | undefined {
  const text = { client: clientName, sender, recipient }[entry.kind];
  return text?.slice(text.lastIndexOf('@') + 1).toLowerCase();
}

/** `parentOf` a.b.example is b.example; undefined where only a label would be left. */
function parentOf(name: string): string | undefined {
  const parent = name.slice(name.indexOf('.') + 1);
  return name.includes('.') && parent.includes('.') ? parent : undefined;
}

function relatedDomain(entry: Entry, subject: Subject): Finding {
  const { rule } = entry;
  const name = domainsOf(entry, subject);
  if ((rule.type !== 'domain' && rule.type !== 'mailbox') || !name?.includes('.')) return undefined;
  if (rule.domain.endsWith(`.${name}`)) {
    return {
      obstacle: 'name above the entry',
      why: `it matches ${rule.domain} and names below it, not ${name} above it`,
    };
  }
  const parent = parentOf(rule.domain);
  if (rule.type !== 'domain' || parent === undefined || name === rule.domain) return undefined;
  if (name !== parent && parentOf(name) !== parent) return undefined;
  return { obstacle: 'sibling name', why: `it matches ${rule.domain}, its sibling ${name} is not below it` };
}

function differingBits(network: Network, address: Address): number {
  let bits = 0;
  for (const [index, byte] of address.bytes.entries()) {
    const kept = Math.min(8, Math.max(0, network.prefixLength - index * 8));
    let difference = (byte ^ (network.address.bytes[index] ?? 0)) & (0xff << (8 - kept)) & 0xff;
    for (; difference > 0; difference >>= 1) bits += difference & 1;
  }
  return bits;
}

function relatedNetwork(entry: Entry, { client }: Subject): Finding {
  if (entry.rule.type !== 'network' || !client || contains(entry.rule.network, client)) return undefined;
  const { network } = entry.rule;
  // A network of no more than a few bits is one bit off for everybody.
  if (
    network.address.family === client.family &&
    network.prefixLength >= 8 &&
    differingBits(network, client) === 1
  )
    return { obstacle: 'one bit off', why: `${addressText(client)} differs from it in one bit only` };
  return undefined;
}

/** An operator's own entry for the other family; files hold too many networks that have nothing to do with the client. */
function otherFamily({ origin, rule }: Entry, { client }: Subject): Finding {
  if (!('store' in origin) || rule.type !== 'network' || !client) return undefined;
  const { family } = rule.network.address;
  if (family === client.family) return undefined;
  return {
    obstacle: 'other address family',
    why: `it is an IPv${family} network, and this client comes over IPv${client.family}`,
  };
}

function finding(entry: Entry, subject: NearSubject, now: number): Finding {
  return (
    expired(entry, subject, now) ??
    unverified(entry, subject, now) ??
    otherKind(entry, subject, now) ??
    clientAsMailbox(entry, subject) ??
    relatedDomain(entry, subject) ??
    relatedNetwork(entry, subject) ??
    otherFamily(entry, subject)
  );
}

/** Up to `limit` entries that nearly match `subject`, nearest first. `now` is in epoch seconds. */
export function nearest(entries: readonly Entry[], subject: NearSubject, now: number, limit: number): Near[] {
  const found: Near[] = [];
  for (const entry of entries) {
    const near = finding(entry, subject, now);
    if (near) found.push({ entry, ...near });
  }
  return found.sort((a, b) => obstacles.indexOf(a.obstacle) - obstacles.indexOf(b.obstacle)).slice(0, limit);
}
