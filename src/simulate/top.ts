/** Sums by name where strangers choose the names: bounded, and right about those that matter. */
export interface Top<Sums extends Record<string, number>> {
  /** Adds to the sums of `name`. */
  add(name: string, sums: Sums): void;
  /** The names with the largest sums of `by`, largest first. */
  largest(by: keyof Sums, limit: number): { name: string; sums: Sums }[];
}

/** Names kept apart. Beyond them those with the smallest sums make room. */
const mostNames = 100_000;

/** Nothing summed yet. */
export function createTop<Sums extends Record<string, number>>(weight: keyof Sums): Top<Sums> {
  const names = new Map<string, Sums>();

  function makeRoom(): void {
    const sorted = [...names].sort(([, a], [, b]) => Number(b[weight]) - Number(a[weight]));
    for (const [name] of sorted.slice(mostNames / 2)) names.delete(name);
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
    largest: (by, limit) =>
      Array.from(names, ([name, sums]) => ({ name, sums }))
        .filter(({ sums }) => Number(sums[by]) > 0)
        .sort((a, b) => Number(b.sums[by]) - Number(a.sums[by]) || (a.name < b.name ? -1 : 1))
        .slice(0, limit),
  };
}
