/**
 * Which senders a log recommends for the whitelist: pools, whose retries came from other networks, and those who took long to
 * come back; each with what it would have saved, and what else an entry would let in.
 */
import { networkAddress, addressText } from '../greylist/address.js';
import type { Decision, KeyedAttempt } from '../greylist/decide.js';
import { foldSender } from '../greylist/triplet.js';
import type { Attempt } from '../greylist/attempt.js';
import type { LoggedAttempt } from '../maillog/attempts.js';
import { createTop } from './top.js';

/** A whitelist entry and the evidence for it. */
export interface Suggestion {
  /** As `whitelist add` takes it: a verified domain, or a network. */
  readonly pattern: string;
  readonly why: 'pool' | 'slow';
  readonly messages: number;
  /** Seconds that these messages waited. */
  readonly waitedSeconds: number;
  /** The most networks that one message was tried from. */
  readonly networks: number;
  /** Triplets of the same clients that never came back. */
  readonly alsoLetsIn: number;
}

export interface Suggester {
  decided(logged: LoggedAttempt, attempt: KeyedAttempt, decision: Decision): void;
  /** The entry that would let this client in. */
  patternOf(attempt: Attempt): string;
  /** A triplet never came back whose client this entry would have let in. */
  neverReturned(pattern: string): void;
  /** The most useful first. */
  suggestions(): Suggestion[];
}

/** One sender and recipient under way. */
interface Pursuit {
  readonly since: number;
  readonly networks: Set<string>;
  /** Who tried, by the entry that would have let them in. */
  readonly tries: Map<string, Tries>;
}

interface Tries {
  /** When the first was made: from then on an entry saves. */
  readonly since: number;
  /** Client keys. */
  readonly clients: Set<string>;
}

const mostPursuits = 200_000;
const mostNetworks = 64;
/** Twice what a Top keeps. */
const mostWidths = 200_000;
/** A sender gives up after this time (RFC 5321, section 4.5.4.1); what comes later is another mail. */
const longestPursuitSeconds = 5 * 86_400;

/** A client's network in the width that greylisting takes for one site (/24, /64). */
function networkOf({ client }: Attempt): string {
  const width = client.family === 4 ? 24 : 64;
  return `${addressText(networkAddress(client, width))}/${width}`;
}

/** Watches a rehearsal. Whoever took longer than `slowSeconds` is slow. */
export function createSuggester(
  domainOf: (name: string) => string | undefined,
  slowSeconds: number,
): Suggester {
  const pursuits = new Map<string, Pursuit>();
  const pools = createTop('seconds', 'messages');
  const slow = createTop('seconds', 'messages');
  /** The most networks that one message of a pool was tried from; of as many pools as matter, at most twice. */
  const widest = new Map<string, number>();
  /** By entry: what never came back of its clients, less what came back from elsewhere. */
  const lost = createTop('triplets');

  function makeRoom(): void {
    let excess = pursuits.size - mostPursuits;
    for (const key of pursuits.keys()) {
      if (excess <= 0) return;
      pursuits.delete(key);
      excess -= 1;
    }
  }

  function noteWidth(pattern: string, networks: number): void {
    widest.set(pattern, Math.max(widest.get(pattern) ?? 0, networks));
    if (widest.size <= mostWidths) return;
    for (const name of widest.keys()) if (!pools.has(name)) widest.delete(name);
  }

  function underWay(key: string, now: number): Pursuit | undefined {
    const pursuit = pursuits.get(key);
    return pursuit && now - pursuit.since <= longestPursuitSeconds ? pursuit : undefined;
  }

  function patternOf(attempt: Attempt): string {
    return domainOf(attempt.clientName) ?? networkOf(attempt);
  }

  function note({ networks, tries }: Pursuit, attempt: Attempt, client: string, time: number): void {
    if (networks.size < mostNetworks) networks.add(networkOf(attempt));
    const pattern = patternOf(attempt);
    const known = tries.get(pattern);
    if (known && known.clients.size < mostNetworks) known.clients.add(client);
    else if (!known && tries.size < mostNetworks)
      tries.set(pattern, { since: time, clients: new Set([client]) });
  }

  function passed({ since, networks, tries }: Pursuit, client: string, time: number): void {
    for (const [pattern, one] of tries) {
      const seconds = time - one.since;
      if (networks.size > 1) {
        lost.add(pattern, { triplets: (one.clients.has(client) ? 1 : 0) - one.clients.size });
        pools.add(pattern, { messages: 1, seconds });
        noteWidth(pattern, networks.size);
      } else if (time - since >= slowSeconds) {
        slow.add(pattern, { messages: 1, seconds });
      }
    }
  }

  return {
    patternOf,
    decided: ({ attempt, logged }, { triplet, time }, decision) => {
      // Bounces of many hosts have the same, empty sender.
      if (attempt.sender === '') return;
      const key = `${foldSender(attempt.sender)}\0${attempt.recipient.toLowerCase()}`;
      const pursuit = underWay(key, time);
      if (decision.verdict === 'greylist' && logged === 'greylisted') {
        const known = pursuit ?? { since: time, networks: new Set(), tries: new Map<string, Tries>() };
        note(known, attempt, triplet.client, time);
        pursuits.set(key, known);
        makeRoom();
      } else if (pursuit && logged === 'accepted') {
        note(pursuit, attempt, triplet.client, time);
        pursuits.delete(key);
        passed(pursuit, triplet.client, time);
      }
    },
    neverReturned: (pattern) => {
      lost.add(pattern, { triplets: 1 });
    },
    suggestions: () => {
      const lostBy = new Map(
        lost.largest('triplets', Infinity).map(({ name, sums: { triplets } }) => [name, triplets]),
      );
      const of = (top: typeof pools, why: 'pool' | 'slow') =>
        top.largest('seconds', Infinity).map(({ name, sums: { messages, seconds } }) => ({
          ...{ pattern: name, why, messages, waitedSeconds: seconds },
          ...{ networks: widest.get(name) ?? 1, alsoLetsIn: lostBy.get(name) ?? 0 },
        }));
      const found = of(pools, 'pool');
      const named = new Set(found.map(({ pattern }) => pattern));
      return [...found, ...of(slow, 'slow').filter(({ pattern }) => !named.has(pattern))].sort(
        (a, b) => b.waitedSeconds - a.waitedSeconds,
      );
    },
  };
}
