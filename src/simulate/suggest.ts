/**
 * Which senders a log recommends for the whitelist: pools, whose retries came from other networks, and those who took long to
 * come back; each with what it would have saved, and what else an entry would let in.
 */
import { networkAddress, addressText } from '../greylist/address.js';
import type { Decision, KeyedAttempt } from '../greylist/decide.js';
import { foldSender, type Triplet } from '../greylist/triplet.js';
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
  neverReturned(triplet: Triplet): void;
  /** The most useful first. */
  suggestions(limit: number): Suggestion[];
}

/** One sender and recipient under way: who tried, from where. */
interface Pursuit {
  readonly since: number;
  readonly networks: Set<string>;
}

type Waits = Record<'messages' | 'seconds', number>;

const mostPursuits = 200_000;
const mostNetworks = 64;
const mostClients = 200_000;
/** A sender gives up after this time (RFC 5321, section 4.5.4.1); what comes later is another mail. */
const longestPursuitSeconds = 5 * 86_400;

/** A client's network in the width that greylisting takes for one site (/24, /64). */
function networkOf({ attempt }: LoggedAttempt): string {
  const { client } = attempt;
  const width = client.family === 4 ? 24 : 64;
  return `${addressText(networkAddress(client, width))}/${width}`;
}

/** Drops the oldest. */
function makeRoom(map: Map<string, unknown>, most: number): void {
  let excess = map.size - most;
  for (const key of map.keys()) {
    if (excess <= 0) return;
    map.delete(key);
    excess -= 1;
  }
}

/** Watches a rehearsal. Whoever took longer than `slowSeconds` is slow. */
export function createSuggester(
  domainOf: (name: string) => string | undefined,
  slowSeconds: number,
): Suggester {
  const pursuits = new Map<string, Pursuit>();
  const pools = createTop<Waits>('seconds');
  const slow = createTop<Waits>('seconds');
  const widest = new Map<string, number>();
  /** By client key: which entry would stand for such clients. */
  const patternOf = new Map<string, string>();
  /** By entry: what never came back of its clients. */
  const lost = createTop<{ triplets: number }>('triplets');

  function underWay(key: string, now: number): Pursuit | undefined {
    const pursuit = pursuits.get(key);
    return pursuit && now - pursuit.since <= longestPursuitSeconds ? pursuit : undefined;
  }

  function passed(seconds: number, pattern: string, { networks: { size } }: Pursuit): void {
    if (size > 1) {
      pools.add(pattern, { messages: 1, seconds });
      widest.set(pattern, Math.max(widest.get(pattern) ?? 0, size));
    } else if (seconds >= slowSeconds) {
      slow.add(pattern, { messages: 1, seconds });
    }
  }

  return {
    decided: (logged, { triplet, time }, decision) => {
      const { attempt } = logged;
      const network = networkOf(logged);
      const pattern = domainOf(attempt.clientName) ?? network;
      patternOf.set(triplet.client, pattern);
      makeRoom(patternOf, mostClients);
      // Bounces of many hosts have the same, empty sender.
      if (attempt.sender === '') return;
      const key = `${foldSender(attempt.sender)}\0${attempt.recipient.toLowerCase()}`;
      const pursuit = underWay(key, time);
      if (decision.verdict === 'greylist' && logged.logged === 'greylisted') {
        const known = pursuit ?? { since: time, networks: new Set<string>() };
        if (known.networks.size < mostNetworks) known.networks.add(network);
        pursuits.set(key, known);
        makeRoom(pursuits, mostPursuits);
      } else if (pursuit && logged.logged === 'accepted') {
        pursuit.networks.add(network);
        pursuits.delete(key);
        passed(time - pursuit.since, pattern, pursuit);
      }
    },
    neverReturned: ({ client }) => {
      lost.add(patternOf.get(client) ?? client, { triplets: 1 });
    },
    suggestions: (limit) => {
      const lostBy = new Map(
        lost.largest('triplets', Infinity).map(({ name, sums: { triplets } }) => [name, triplets]),
      );
      const of = (top: typeof pools, why: 'pool' | 'slow') =>
        top.largest('seconds', limit).map(({ name, sums: { messages, seconds } }) => ({
          ...{ pattern: name, why, messages, waitedSeconds: seconds },
          ...{ networks: widest.get(name) ?? 1, alsoLetsIn: lostBy.get(name) ?? 0 },
        }));
      const found = of(pools, 'pool');
      const named = new Set(found.map(({ pattern }) => pattern));
      return [...found, ...of(slow, 'slow').filter(({ pattern }) => !named.has(pattern))]
        .sort((a, b) => b.waitedSeconds - a.waitedSeconds)
        .slice(0, limit);
    },
  };
}
