/**
 * Numbers remembered by triplet: a table of rows, made for half a million strangers. A row is a fixed number of columns in one
 * array, which no garbage collector has to walk through, and a triplet's text is not kept: it is told from others by 64 bits made of
 * it. Among a million triplets, two share them with a probability of 1 in 30 million.
 */
import type { Triplet } from '../greylist/triplet.js';

export interface Rows {
  readonly count: number;
  /** The triplet's row; −1 when it has none. */
  find(triplet: Triplet): number;
  /** A new row for a triplet that has none; its columns are NaN. Rows are numbered from 0 in the order they come. */
  add(triplet: Triplet): number;
  get(row: number, column: number): number;
  set(row: number, column: number, value: number): void;
  /** Drops all rows but those to be kept, which keep their order; `moved` is told where each of them goes, never upwards. */
  keepOnly(isKept: (row: number) => boolean, moved: (from: number, to: number) => void): void;
}

const leastRows = 1024;

/** An empty table of so many columns. */
export function createRows(columns: number): Rows {
  // Behind the columns, each row holds its triplet's hashes.
  const width = columns + 2;
  let values = new Float64Array(leastRows * width);
  let count = 0;
  /** Row numbers plus one, in the place that the hash tells or the next free one behind it; at most half full. */
  let places = new Int32Array(2 * leastRows);
  // Other than in the run before: whoever writes to the log cannot choose triplets that are taken for one another.
  const start = [Math.random(), Math.random()].map((part) => Math.floor(part * 2 ** 32)) as [number, number];
  let low = 0;
  let high = 0;
  let last: Triplet | undefined;

  const mix = (text: string) => {
    let [one, other] = [low, high];
    for (let index = 0; index < text.length; index += 1) {
      const code = text.charCodeAt(index);
      one = Math.imul(one ^ code, 0x9e3779b1);
      other = Math.imul(other ^ code, 0x5f356495);
    }
    // No character has this code: it ends the text.
    low = Math.imul(one ^ 0x10001, 0x85ebca77);
    high = Math.imul(other ^ 0x10001, 0xc2b2ae3d);
  };
  /** Both halves with all bits mixed, as in MurmurHash3's finalizer. */
  const digest = (triplet: Triplet) => {
    if (triplet === last) return;
    last = triplet;
    [low, high] = start;
    mix(triplet.client);
    mix(triplet.sender);
    mix(triplet.recipient);
    const [one, other] = [low, high];
    low = Math.imul(one ^ (one >>> 16), 0x85ebca6b) ^ Math.imul(other ^ (other >>> 13), 0xc2b2ae35);
    high = Math.imul(other ^ (other >>> 16), 0x85ebca6b) ^ Math.imul(low ^ (low >>> 13), 0xc2b2ae35);
  };
  const put = (row: number) => {
    const mask = places.length - 1;
    let place = (values[row * width + columns] ?? 0) & mask;
    while (places[place] !== 0) place = (place + 1) & mask;
    places[place] = row + 1;
  };
  const grow = () => {
    const more = new Float64Array(values.length * 2);
    more.set(values);
    values = more;
    places = new Int32Array(places.length * 2);
    for (let row = 0; row < count; row += 1) put(row);
  };

  return {
    get count() {
      return count;
    },
    find: (triplet) => {
      digest(triplet);
      const mask = places.length - 1;
      for (let place = low & mask; ; place = (place + 1) & mask) {
        const row = (places[place] ?? 0) - 1;
        if (row < 0) return -1;
        const at = row * width + columns;
        if (values[at] === low && values[at + 1] === high) return row;
      }
    },
    add: (triplet) => {
      digest(triplet);
      if ((count + 1) * width > values.length) grow();
      const at = count * width;
      values.fill(NaN, at, at + columns);
      values[at + columns] = low;
      values[at + columns + 1] = high;
      count += 1;
      put(count - 1);
      return count - 1;
    },
    get: (row, column) => values[row * width + column] ?? NaN,
    set: (row, column, value) => {
      values[row * width + column] = value;
    },
    keepOnly: (isKept, moved) => {
      let kept = 0;
      for (let row = 0; row < count; row += 1) {
        if (!isKept(row)) continue;
        values.copyWithin(kept * width, row * width, (row + 1) * width);
        moved(row, kept);
        kept += 1;
      }
      count = kept;
      places.fill(0);
      for (let row = 0; row < count; row += 1) put(row);
    },
  };
}
