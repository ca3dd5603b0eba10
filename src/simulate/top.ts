/** Sums by name where strangers choose the names: bounded, and right about those that matter. */
export interface Top<Sums extends Record<string, number>> {
  /** Adds to the sums of `name`. */
  add(name: string, sums: Sums): void;
  /** True while the name is kept. */
  has(name: string): boolean;
  /** The names with the largest sums of `by`, largest first. */
  largest(by: keyof Sums, limit: number): Row<Sums>[];
}

interface Row<Sums> {
  readonly name: string;
  readonly sums: Sums;
}

/** Names kept apart. Beyond them those with the smallest sums make room. */
const mostNames = 100_000;

/** Nothing summed yet. */
export function createTop<Sums extends Record<string, number>>(weight: keyof Sums): Top<Sums> {
  const names = new Map<string, Sums>();

  /** Drops the lighter half; of names that weigh the same, the younger ones. */
  function makeRoom(): void {
    const weights = Float64Array.from(names.values(), (sums) => Number(sums[weight])).sort();
    const kept = mostNames / 2;
    const least = weights[weights.length - kept] ?? 0;
    let equals = kept - (weights.length - 1 - weights.lastIndexOf(least));
    for (const [name, sums] of names) {
      const own = Number(sums[weight]);
      if (own < least || (own === least && equals <= 0)) names.delete(name);
      else if (own === least) equals -= 1;
    }
  }

  return {
    add: (name, sums) => {
      const known = names.get(name);
      if (!known) {
        if (names.size >= mostNames) makeRoom();
        names.set(name, { ...sums });
        return;
      }
      for (const key in sums) known[key] = (Number(known[key]) + Number(sums[key])) as Sums[typeof key];
    },
    has: (name) => names.has(name),
    largest: (by, limit) => {
      const compare = (one: Row<Sums>, other: Row<Sums>) =>
        Number(other.sums[by]) - Number(one.sums[by]) || (one.name < other.name ? -1 : 1);
      let rows: Row<Sums>[] = [];
      // Mostly there are many names and the limit is small: what cannot be among the largest is not sorted.
      let least: Row<Sums> | undefined;
      for (const [name, sums] of names) {
        const row = { name, sums };
        if (Number(sums[by]) <= 0 || (least && compare(row, least) > 0)) continue;
        rows.push(row);
        if (rows.length < 4 * limit) continue;
        rows = rows.sort(compare).slice(0, limit);
        least = rows.at(-1);
      }
      return rows.sort(compare).slice(0, limit);
    },
  };
}
