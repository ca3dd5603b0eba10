/**
 * How many triplets wait, of all and of each client key, so that a flood of new ones can be stopped (--max-waiting,
 * --max-waiting-per-client). Counted by rounds: each round of the purge counts anew what it comes past, and what is written meanwhile
 * is added to it; so what other processes remove is noticed with the next round. Until the first round after a start is complete the counts are
 * too low: nobody is held back for triplets that have passed meanwhile.
 */
import { textHash, type HashSeed } from '../keyhash.js';

/** A client is counted in two cells, and the lower count holds: too high only where both are shared with a flood. */
const cells = 2 ** 19;

/** A triplet waits now (1), or no longer (-1). */
export interface WaitingChange {
  readonly id: number;
  readonly client: string;
  readonly by: number;
}

class Round {
  readonly counts = new Uint32Array(2 * cells);
  all = 0;
  /** Rows before this one have been counted. */
  countedTo = 0;

  /** Rows from here on are counted as they are written. */
  readonly since: number;

  constructor(since: number) {
    this.since = since;
  }

  covers(id: number): boolean {
    return id < this.countedTo || id >= this.since;
  }
}

export class WaitingCounts {
  readonly #seed: HashSeed;
  #round: Round;
  /** The round under way. */
  #next: Round | undefined;

  /** Rows from id `since` on will be counted as they are written. */
  constructor(seed: HashSeed, since: number) {
    this.#seed = seed;
    this.#round = new Round(since);
  }

  #cells(client: string): readonly [number, number] {
    const hash = textHash(client, this.#seed);
    return [hash & (cells - 1), cells + (hash >>> 13)];
  }

  #change(round: Round, client: string, by: number): void {
    round.all = Math.max(0, round.all + by);
    for (const cell of this.#cells(client)) round.counts[cell] = Math.max(0, (round.counts[cell] ?? 0) + by);
  }

  /** A round begins; rows from id `since` on will be counted as they are written. */
  begin(since: number): void {
    this.#next = new Round(since);
  }

  /** The round under way goes up to this id. */
  get roundEnd(): number {
    return this.#next?.since ?? Infinity;
  }

  of(client: string): { readonly all: number; readonly ofClient: number } {
    const { counts, all } = this.#round;
    const [one, other] = this.#cells(client);
    return { all, ofClient: Math.min(counts[one] ?? 0, counts[other] ?? 0) };
  }

  /** What was written and committed. */
  changed({ id, client, by }: WaitingChange): void {
    for (const round of [this.#round, this.#next]) if (round?.covers(id)) this.#change(round, client, by);
  }

  /** The purge has come past all rows before id `to`; these clients' wait. `isEnd`: the round is complete. */
  passed(clients: readonly string[], to: number, isEnd: boolean): void {
    if (!this.#next) return;
    for (const client of clients) this.#change(this.#next, client, 1);
    this.#next.countedTo = isEnd ? Infinity : to;
    if (!isEnd) return;
    this.#round = this.#next;
    this.#next = undefined;
  }
}
