/**
 * Where the keys are: from a hash of 32 bits to the ids of the rows whose keys have it. Nine bytes a place, in flat arrays, so that
 * millions cost little memory and no garbage collection.
 */

/** Of all places so many are taken at most: beyond it searches get long. */
const fullPart = 0.7;
const leastPlaces = 16;
/** Growing copies a whole table; of so many the copies are short, and come one by one. A table for each value of a hash's first byte. */
const tables = 256;
const highUnit = 2 ** 32;

/** Of those that come in bulk so many wait for their table. */
const heapSize = 4096;

/** A place that never held anything, or whose content was removed: ids begin at 1, so both are told by id 0 and the hash. */
const never = 0;
const removed = 1;

function placesFor(count: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(leastPlaces, count / fullPart + 1)));
}

class Table {
  #hashes: Uint32Array;
  #low: Uint32Array;
  #high: Uint8Array;
  #mask: number;
  /** Places that are not `never`. */
  #used = 0;
  #size = 0;

  constructor(expected: number) {
    const places = placesFor(expected);
    this.#hashes = new Uint32Array(places);
    this.#low = new Uint32Array(places);
    this.#high = new Uint8Array(places);
    this.#mask = places - 1;
  }

  #id(place: number): number {
    return (this.#high[place] ?? 0) * highUnit + (this.#low[place] ?? 0);
  }

  #put(hash: number, id: number): void {
    let place = hash & this.#mask;
    for (; this.#id(place) !== 0 || this.#hashes[place] === removed; place = (place + 1) & this.#mask) {
      if (this.#hashes[place] === hash && this.#id(place) === id) return;
    }
    this.#hashes[place] = hash;
    this.#low[place] = id % highUnit;
    this.#high[place] = Math.floor(id / highUnit);
    this.#used += 1;
    this.#size += 1;
  }

  #grow(): void {
    const bigger = new Table(this.#size * 2);
    for (let place = 0; place <= this.#mask; place += 1) {
      const id = this.#id(place);
      if (id !== 0) bigger.#put(this.#hashes[place] ?? 0, id);
    }
    [this.#hashes, this.#low, this.#high] = [bigger.#hashes, bigger.#low, bigger.#high];
    [this.#mask, this.#used] = [bigger.#mask, bigger.#used];
  }

  add(hash: number, id: number): void {
    if (this.#used >= (this.#mask + 1) * fullPart) this.#grow();
    this.#put(hash, id);
  }

  find(hash: number, isMeant: (id: number) => boolean): number {
    for (let place = hash & this.#mask; ; place = (place + 1) & this.#mask) {
      const id = this.#id(place);
      if (id === 0 && this.#hashes[place] === never) return 0;
      if (id !== 0 && this.#hashes[place] === hash && isMeant(id)) return id;
    }
  }

  delete(hash: number, id: number): void {
    for (let place = hash & this.#mask; ; place = (place + 1) & this.#mask) {
      const found = this.#id(place);
      if (found === 0 && this.#hashes[place] === never) return;
      if (found !== id || this.#hashes[place] !== hash) continue;
      [this.#hashes[place], this.#low[place], this.#high[place]] = [removed, 0, 0];
      this.#size -= 1;
      return;
    }
  }
}

/** Hashes are from 0 to 2^32 - 1, ids from 1 to 2^40 - 1. */
export class HashIndex {
  readonly #tables: readonly Table[];

  /** Has room for `expected` ids from the beginning. */
  constructor(expected = 0) {
    this.#tables = Array.from({ length: tables }, () => new Table(expected / tables));
  }

  /** By the highest bits; the lowest choose the place in it. */
  #table(hash: number): Table | undefined {
    return this.#tables[hash >>> 24];
  }

  /** Nothing happens when it is there already. */
  add(hash: number, id: number): void {
    this.#table(hash)?.add(hash, id);
  }

  /**
   * Adds many: calls `give` with what takes them one by one. They are gathered by table, as one table fits into a processor's cache
   * and all of them together do not.
   */
  addAll(give: (take: (hash: number, id: number) => void) => void): void {
    const hashes = new Uint32Array(tables * heapSize);
    const ids = new Float64Array(tables * heapSize);
    const sizes = new Uint16Array(tables);
    const empty = (table: number) => {
      const start = table * heapSize;
      for (let index = start; index < start + (sizes[table] ?? 0); index += 1)
        this.#tables[table]?.add(hashes[index] ?? 0, ids[index] ?? 0);
      sizes[table] = 0;
    };
    give((hash, id) => {
      const table = hash >>> 24;
      const size = sizes[table] ?? 0;
      hashes[table * heapSize + size] = hash;
      ids[table * heapSize + size] = id;
      sizes[table] = size + 1;
      if (size + 1 === heapSize) empty(table);
    });
    for (let table = 0; table < tables; table += 1) empty(table);
  }

  /** The first id with this hash that `isMeant` says yes to; 0 for none. */
  find(hash: number, isMeant: (id: number) => boolean): number {
    return this.#table(hash)?.find(hash, isMeant) ?? 0;
  }

  /** Removes an id; nothing happens when it is not there. */
  delete(hash: number, id: number): void {
    this.#table(hash)?.delete(hash, id);
  }
}
