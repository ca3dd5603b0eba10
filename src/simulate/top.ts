/** Sums by name where strangers choose the names: bounded, and right about those that matter. */
import { keyOf } from './key.js';
import { createRows } from './rows.js';

export interface Top<Field extends string> {
  /** Adds to the sums of `name`. */
  add(name: string, sums: Readonly<Record<Field, number>>): void;
  /** True while the name is kept. */
  has(name: string): boolean;
  /** The names with the largest sums of `by`, largest first. */
  largest(by: Field, limit: number): Row<Field>[];
}

interface Row<Field extends string> {
  readonly name: string;
  readonly sums: Record<Field, number>;
}

/** Names kept apart. Beyond them those with the smallest sums of the first field make room. */
const mostNames = 100_000;

/** Nothing summed yet. */
export function createTop<Field extends string>(...fields: [Field, ...Field[]]): Top<Field> {
  const rows = createRows(fields.length);
  let names: string[] = [];

  /** Drops the lighter half; of names that weigh the same, the younger ones. */
  function makeRoom(): void {
    const weights = Float64Array.from(names, (_, row) => rows.get(row, 0)).sort();
    const kept = mostNames / 2;
    const least = weights[weights.length - kept] ?? 0;
    let equals = kept - (weights.length - 1 - weights.lastIndexOf(least));
    const heavy: string[] = [];
    rows.keepOnly(
      (row) => rows.get(row, 0) > least || (rows.get(row, 0) === least && (equals -= 1) >= 0),
      (from) => heavy.push(names[from] ?? ''),
    );
    names = heavy;
  }

  function rowFor(name: string): number {
    const key = keyOf(name);
    const known = rows.find(key);
    if (known >= 0) return known;
    if (names.length >= mostNames) makeRoom();
    names.push(name);
    const row = rows.add(key);
    for (const column of fields.keys()) rows.set(row, column, 0);
    return row;
  }

  function sumsAt(row: number): Record<Field, number> {
    const sums = fields.map((field, column) => [field, rows.get(row, column)] as const);
    // Object.fromEntries forgets the names' type.
    return Object.fromEntries(sums) as Record<Field, number>;
  }

  return {
    add: (name, sums) => {
      const row = rowFor(name);
      let column = 0;
      for (const field of fields) {
        rows.set(row, column, rows.get(row, column) + sums[field]);
        column += 1;
      }
    },
    has: (name) => rows.find(keyOf(name)) >= 0,
    largest: (by, limit) => {
      const column = fields.indexOf(by);
      const compare = (one: number, other: number) =>
        rows.get(other, column) - rows.get(one, column) ||
        ((names[one] ?? '') < (names[other] ?? '') ? -1 : 1);
      let largest: number[] = [];
      // Mostly there are many names and the limit is small: what cannot be among the largest is not sorted.
      let least: number | undefined;
      for (const row of names.keys()) {
        if (rows.get(row, column) <= 0 || (least !== undefined && compare(row, least) > 0)) continue;
        largest.push(row);
        if (largest.length < 4 * limit) continue;
        largest = largest.sort(compare).slice(0, limit);
        least = largest.at(-1);
      }
      return largest
        .sort(compare)
        .slice(0, limit)
        .map((row) => ({ name: names[row] ?? '', sums: sumsAt(row) }));
    },
  };
}
