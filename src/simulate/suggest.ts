/**
 * Which senders a log recommends for the whitelist: pools, whose retries came from other networks, and those who took long to
 * come back; each with what it would have saved, and what else an entry would let in.
 */
import { networkAddress, addressText } from '../greylist/address.js';
import type { Decision } from '../greylist/decide.js';
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
  decided(logged: LoggedAttempt, decision: Decision): void;
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

/** A client's network in the width that greylisting takes for one site (/24, /64). */
function networkOf({ attempt }: LoggedAttempt): string {
  const { client } = attempt;
  const width = client.family === 4 ? 24 : 64;
  return `${addressText(networkAddress(client, width))}/${width}`;
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
  /** Which entry would stand for the clients of a network, and what of them never came back. */
  const patternOf = new Map<string, string>();
  const lost = createTop<{ triplets: number }>('triplets');

  function makeRoom(): void {
    let excess = pursuits.size - mostPursuits;
    for (const key of pursuits.keys()) {
      if (excess <= 0) return;
      pursuits.delete(key);
      excess -= 1;
    }
  }

  function passed(logged: LoggedAttempt, pattern: string, pursuit: Pursuit): void {
    const seconds = logged.attempt.time - pursuit.since;
    const { size } = pursuit.networks;
    if (size > 1) {
      pools.add(pattern, { messages: 1, seconds });
      widest.set(pattern, Math.max(widest.get(pattern) ?? 0, size));
    } else if (seconds >= slowSeconds) {
      slow.add(pattern, { messages: 1, seconds });
    }
  }

  return {
    decided: (logged, decision) => {
      const { attempt } = logged;
      const network = networkOf(logged);
      const pattern = domainOf(attempt.clientName) ?? network;
      patternOf.set(network, pattern);
      const key = `${foldSender(attempt.sender)}\0${attempt.recipient.toLowerCase()}`;
      const pursuit = pursuits.get(key);
      if (decision.verdict === 'greylist' && logged.logged === 'greylisted') {
        const known = pursuit ?? { since: attempt.time, networks: new Set<string>() };
        if (known.networks.size < mostNetworks) known.networks.add(network);
        pursuits.set(key, known);
        makeRoom();
      } else if (pursuit && logged.logged === 'accepted') {
        pursuit.networks.add(network);
        pursuits.delete(key);
        passed(logged, pattern, pursuit);
      }
    },
    neverReturned: ({ client }) => {
      const network = patternOf.get(`${client}/24`) ?? patternOf.get(`${client}/64`) ?? client;
      lost.add(network, { triplets: 1 });
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
