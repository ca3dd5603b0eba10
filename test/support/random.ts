/** A seeded source of randomness; name `seed` in every assertion that depends on it. SEED=n repeats a run. */
export function random(seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))) {
  let state = seed >>> 0;
  // mulberry32: 32 bits of state, good enough to choose test input.
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  /** An integer from 0 to `below` − 1. */
  const pick = (below: number) => Math.floor(next() * below);
  /** One element of a list that is not empty. */
  const oneOf = <T>(list: readonly [T, ...T[]]): T => list[pick(list.length)] ?? list[0];
  return { seed, next, pick, oneOf };
}
