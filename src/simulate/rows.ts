/**
 * Numbers remembered by key: a table of rows, made for half a million strangers. A row is a fixed number of columns in one array, which
 * no garbage collector has to walk through.
 */
import type { Key } from './key.js';

export interface Rows {
  readonly count: number;
  /** The key's row; −1 when it has none. */
  find(key: Key): number;
  /** A new row for a key that has none; its columns are NaN. Rows are numbered from 0 in the order they come. */
  add(key: Key): number;
  get(row: number, column: number): number;
  set(row: number, column: number, value: number): void;
  /** Drops all rows but those to be kept, which keep their order; `moved` is told where each of them goes, never upwards. */
  keepOnly(isKept: (row: number) => boolean, moved: (from: number, to: number) => void): void;
}

const leastRows = 1024;

/** An empty table of so many columns. */
export function createRows(columns: number): Rows {
  // Behind the columns, each row holds its key.
  const width = columns + 2;
  let values = new Float64Array(leastRows * width);
  let count = 0;
  /** Row numbers plus one, in the place that the hash tells or the next free one behind it; at most half full. */
  let places = new Int32Array(2 * leastRows);
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
    find: ({ low, high }) => {
      const mask = places.length - 1;
      for (let place = low & mask; ; place = (place + 1) & mask) {
        const row = (places[place] ?? 0) - 1;
        if (row < 0) return -1;
        const at = row * width + columns;
        if (values[at] === low && values[at + 1] === high) return row;
      }
    },
    add: ({ low, high }) => {
      if ((count + 1) * width > values.length) grow();
      const at = count * width;
      // Of so few, a loop is faster than a call.
      for (let column = 0; column < columns; column += 1) values[at + column] = NaN;
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
        if (kept < row) values.copyWithin(kept * width, row * width, (row + 1) * width);
        moved(row, kept);
        kept += 1;
      }
      count = kept;
      places.fill(0);
      for (let row = 0; row < count; row += 1) put(row);
    },
  };
}
