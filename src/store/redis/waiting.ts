/**
 * How many triplets wait, of all and of each client key (--max-waiting, --max-waiting-per-client), as all servers have counted them.
 * Redis forgets entries by itself and tells nobody, so counts are kept by the quarter of a retry window in which a triplet was first seen,
 * and go with it: a triplet that was forgotten is counted for a quarter longer at most. A quarter is one text of 32-bit counts, the first
 * of all, then one for each hash of a client: of 65536 clients one shares a count with a given other. They are changed in the step that
 * changes the entry. A server knows them by heart, its own changes at once, and asks for those of others every ten seconds.
 */
import { randomInt } from 'node:crypto';
import type { Entry } from '../../greylist/decide.js';
import { textHash, type HashSeed } from '../keyhash.js';
import type { Addition } from './exchange.js';
import type { Keys } from './keys.js';
import type { Link } from './link.js';
import { secondsToLive } from './values.js';

const partsOfWindow = 4;
const clientCells = 2 ** 16;
/** Of all clients. */
const allCell = 0;
/** Far fewer arguments than a script may hand on at once (8000). */
const cellsOfOneCommand = 1000;

/** How long the counts of the current quarter, and those of the older ones, which hardly change, are not asked for again. */
const currentSeconds = 10;
const olderSeconds = 60;

/** The text of a seed that was just made up. */
export function newSeed(): string {
  return `${randomInt(2 ** 32)} ${randomInt(2 ** 31) * 2 + 1}`;
}

/** The seed in a text. */
export function readSeed(text: string): HashSeed {
  const [start = 0, factor = 1] = text.split(' ').map(Number);
  return { start, factor };
}

function newCells(): Int32Array {
  return new Int32Array(clientCells + 1);
}

/** The counts of a quarter, as Redis keeps them: up to the last that was ever changed. */
function cellsIn(bytes: Buffer): Int32Array {
  const cells = newCells();
  const known = Math.min(cells.length, Math.floor(bytes.length / 4));
  for (let cell = 0; cell < known; cell += 1) cells[cell] = bytes.readInt32BE(4 * cell);
  return cells;
}

/** By the beginning of a quarter and by cell: by how much counts change. */
type Changes = Map<number, Map<number, number>>;

/** The counts as one server knows them, on one connection. */
export class WaitingCounts {
  readonly keys: Keys;
  readonly #window: number;
  readonly #seed: HashSeed;
  readonly #quarters = new Map<number, Int32Array>();
  #currentAt = -Infinity;
  #olderAt = -Infinity;

  /** `seed` is the database's own, so that nobody can choose a network that shares a count with another. */
  constructor(keys: Keys, retryWindowSeconds: number, seed: HashSeed) {
    this.keys = keys;
    this.#window = retryWindowSeconds;
    this.#seed = seed;
  }

  cellOf(client: string): number {
    return 1 + (textHash(client, this.#seed) & (clientCells - 1));
  }

  /** The quarter of a time. */
  startOf(time: number): number {
    return time - (time % this.#span);
  }

  get #span(): number {
    return Math.max(1, Math.ceil(this.#window / partsOfWindow));
  }

  /** From then on nobody asks for a quarter. */
  endOf(start: number): number {
    return start + this.#span + this.#window;
  }

  count(cell: number): number {
    let sum = 0;
    for (const quarter of this.#quarters.values()) sum += quarter[cell] ?? 0;
    return Math.max(0, sum);
  }

  /** Asks for what is not known well enough at `time`. */
  async refresh(link: Link, time: number): Promise<void> {
    const isDue = (at: number, seconds: number) => time < at || time - at >= seconds;
    if (!isDue(this.#currentAt, currentSeconds)) return;
    const isAll = isDue(this.#olderAt, olderSeconds);
    this.#currentAt = time;
    if (isAll) this.#olderAt = time;
    const current = this.startOf(time);
    const starts = [current];
    for (let start = current - this.#span; isAll && this.endOf(start) > time; start -= this.#span)
      starts.push(start);
    await Promise.all(
      starts.map(async (start) => {
        this.#quarters.set(start, cellsIn(await link.bytes(this.keys.waiting(start))));
      }),
    );
    for (const start of this.#quarters.keys()) if (this.endOf(start) <= time) this.#quarters.delete(start);
  }

  /** What was written. */
  add(changes: Changes): void {
    for (const [start, cells] of changes) {
      const quarter = this.#quarters.get(start) ?? newCells();
      this.#quarters.set(start, quarter);
      for (const [cell, by] of cells) quarter[cell] = (quarter[cell] ?? 0) + by;
    }
  }
}

/** What is to be changed in the counts, and what they are then. */
export class WaitingTally {
  readonly #counts: WaitingCounts;
  readonly #changes: Changes = new Map();
  readonly #sums = new Map<number, number>();

  constructor(counts: WaitingCounts) {
    this.#counts = counts;
  }

  of(client: string): { readonly all: number; readonly ofClient: number } {
    const count = (cell: number) => this.#counts.count(cell) + (this.#sums.get(cell) ?? 0);
    return { all: count(allCell), ofClient: count(this.#counts.cellOf(client)) };
  }

  /** An entry of a client was one and is another; undefined is none. */
  change(client: string, before: Entry | undefined, after: Entry | undefined): void {
    const [left, joined] = [before, after].map((entry) =>
      entry && entry.passedAt === undefined ? entry.firstSeen : undefined,
    );
    if (left === joined) return;
    if (left !== undefined) this.#add(client, left, -1);
    if (joined !== undefined) this.#add(client, joined, 1);
  }

  #add(client: string, firstSeen: number, by: number): void {
    const start = this.#counts.startOf(firstSeen);
    const cells = this.#changes.get(start) ?? new Map<number, number>();
    this.#changes.set(start, cells);
    for (const cell of [allCell, this.#counts.cellOf(client)]) {
      cells.set(cell, (cells.get(cell) ?? 0) + by);
      this.#sums.set(cell, (this.#sums.get(cell) ?? 0) + by);
    }
  }

  /** What changes the counts in Redis. */
  additions(now: number): Addition[] {
    const additions: Addition[] = [];
    for (const [start, cells] of this.#changes) {
      if (this.#counts.endOf(start) <= now) this.#changes.delete(start);
      else additions.push(...this.#additionsOf(start, [...cells], now));
    }
    return additions;
  }

  #additionsOf(start: number, cells: readonly (readonly [cell: number, by: number])[], now: number) {
    const key = this.#counts.keys.waiting(start);
    const additions: Addition[] = [];
    const changed = cells.filter(([, by]) => by !== 0);
    for (let at = 0; at < changed.length; at += cellsOfOneCommand) {
      const part = changed.slice(at, at + cellsOfOneCommand);
      const args = part.flatMap(([cell, by]) => ['INCRBY', 'i32', `#${cell}`, String(by)]);
      additions.push({ command: 'BITFIELD', key, args });
    }
    const seconds = String(secondsToLive(this.#counts.endOf(start), now));
    return additions.length === 0
      ? additions
      : [...additions, { command: 'EXPIRE' as const, key, args: [seconds] }];
  }

  /** They are written. */
  done(): void {
    this.#counts.add(this.#changes);
  }
}
