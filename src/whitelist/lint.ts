/**
 * What is wrong with a collection of entries, or merely superfluous. Each entry is looked up by what would cover it, never compared
 * with all others: 100,000 entries take about a second.
 */
import type { ListedEntry } from '../greylist/store.js';
import { bitsOf } from './matcher.js';
import type { Entry, Rule } from './syntax.js';

export type Check =
  'duplicate' | 'inside another' | 'expired' | 'unused' | 'never matches' | 'two octets' | 'too broad';

export interface Finding {
  readonly check: Check;
  readonly entry: Entry;
  /** The entry that is the same, or covers this one. */
  readonly other?: Entry;
  readonly why: string;
}

export interface LintOptions {
  /** Epoch seconds. */
  readonly now: number;
  /** Stored entries without a hit for longer than this are told. */
  readonly unusedSeconds?: number | undefined;
  readonly listed: readonly ListedEntry[];
  readonly isPublicSuffix: (name: string) => boolean;
}

/** The longest prefixes that are too broad: what one organisation may own is smaller. */
const broadPrefix = { 4: 8, 6: 18 } as const;

function keyOf(entry: Entry): string {
  return `${entry.kind} ${ruleKey(entry.rule, entry.pattern)}`;
}

function ruleKey(rule: Rule, pattern: string): string {
  switch (rule.type) {
    case 'domain':
      return `domain ${rule.domain}`;
    case 'user':
      return `user ${rule.user}`;
    case 'mailbox':
      return `mailbox ${rule.user}@${rule.domain}`;
    case 'network':
      return networkKey(rule.network.address.family, bitsOf(rule.network.address), rule.network.prefixLength);
    case 'regex':
      return `regex ${pattern}`;
  }
}

function networkKey(family: number, bits: string, prefixLength: number): string {
  return `network ${family} ${bits.slice(0, prefixLength)}`;
}

/** The keys of the rules that match whatever `rule` matches, without its own. */
function* coveringKeys({ rule }: Entry): Generator<string> {
  if (rule.type === 'mailbox') {
    yield `user ${rule.user}`;
    yield `domain ${rule.domain}`;
  }
  if (rule.type === 'mailbox' || rule.type === 'domain') {
    for (let dot = rule.domain.indexOf('.'); dot >= 0; dot = rule.domain.indexOf('.', dot + 1))
      yield `domain ${rule.domain.slice(dot + 1)}`;
  }
  if (rule.type === 'network') {
    const { address, prefixLength } = rule.network;
    const bits = bitsOf(address);
    for (let length = prefixLength - 1; length >= 0; length -= 1)
      yield networkKey(address.family, bits, length);
  }
}

function lastsAsLong(outer: Entry, inner: Entry): boolean {
  return (
    outer.expiresAt === undefined || (inner.expiresAt !== undefined && inner.expiresAt <= outer.expiresAt)
  );
}

function neverMatching({ kind, rule }: Entry): string | undefined {
  if (kind !== 'client' || rule.type !== 'domain') return undefined;
  if (rule.domain === 'unknown')
    return 'unknown stands for a client without a verified name, who has none to match';
  if (!rule.domain.includes('.')) return 'a name without a dot is no name of the DNS and cannot be verified';
  if (/\.(?:local|invalid)$/.test(rule.domain))
    return 'names below .local and .invalid are not in the DNS and cannot be verified';
  return undefined;
}

function tooBroad({ rule }: Entry, isPublicSuffix: LintOptions['isPublicSuffix']): string | undefined {
  if (rule.type === 'domain' && isPublicSuffix(rule.domain))
    return `${rule.domain} is a public suffix: it stands for strangers`;
  if (rule.type !== 'network') return undefined;
  const { address, prefixLength } = rule.network;
  return prefixLength <= broadPrefix[address.family]
    ? `a /${prefixLength} is more than one organisation owns`
    : undefined;
}

function* ofEntry(entry: Entry, options: LintOptions): Generator<Finding> {
  const broad = tooBroad(entry, options.isPublicSuffix);
  if (broad !== undefined) yield { check: 'too broad', entry, why: broad };
  const never = broad === undefined ? neverMatching(entry) : undefined;
  if (never !== undefined) yield { check: 'never matches', entry, why: never };
  if (entry.kind === 'client' && /^\d+\.\d+$/.test(entry.pattern))
    yield {
      check: 'two octets',
      entry,
      why: `it stands for ${entry.pattern}.0.0/16; written so it cannot be mistaken`,
    };
  if (entry.expiresAt !== undefined && entry.expiresAt <= options.now)
    yield { check: 'expired', entry, why: 'it has expired and can be removed' };
}

function* amongOthers(entries: readonly Entry[], now: number): Generator<Finding> {
  const alive = entries.filter(({ expiresAt }) => expiresAt === undefined || expiresAt > now);
  const first = new Map<string, Entry>();
  for (const entry of alive) if (!first.has(keyOf(entry))) first.set(keyOf(entry), entry);
  for (const entry of alive) {
    const same = first.get(keyOf(entry));
    if (same && same !== entry) yield { check: 'duplicate', entry, other: same, why: 'the same as' };
    if (same !== entry) continue;
    for (const key of coveringKeys(entry)) {
      const outer = first.get(`${entry.kind} ${key}`);
      if (!outer || !lastsAsLong(outer, entry)) continue;
      yield { check: 'inside another', entry, other: outer, why: 'inside' };
      break;
    }
  }
}

function* unused(entries: readonly Entry[], { listed, now, unusedSeconds }: LintOptions): Generator<Finding> {
  if (unusedSeconds === undefined) return;
  const idle = new Map(
    listed
      .filter(({ addedAt, lastHit }) => (lastHit ?? addedAt) < now - unusedSeconds)
      .map((one) => [one.id, one]),
  );
  for (const entry of entries) {
    const one = 'store' in entry.origin ? idle.get(entry.origin.store) : undefined;
    if (one)
      yield {
        check: 'unused',
        entry,
        why: one.lastHit === undefined ? 'it never had a hit' : 'it had no hit for long',
      };
  }
}

/** Everything found, check by check for each entry. */
export function lint(entries: readonly Entry[], options: LintOptions): Finding[] {
  const found: Finding[] = [];
  for (const entry of entries) for (const finding of ofEntry(entry, options)) found.push(finding);
  for (const finding of amongOthers(entries, options.now)) found.push(finding);
  for (const finding of unused(entries, options)) found.push(finding);
  return found;
}
