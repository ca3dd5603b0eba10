/**
 * What stands for texts in the tables of a rehearsal: 64 bits made of them. Among a million keys, two are the same with a probability
 * of 1 in 30 million.
 */
export interface Key {
  /** 32 bits each, as signed numbers. */
  readonly low: number;
  readonly high: number;
}

// Other than in the run before: whoever writes to the log cannot choose texts that are taken for one another.
const [startLow, startHigh] = [Math.random(), Math.random()].map((part) => Math.floor(part * 2 ** 32)) as [
  number,
  number,
];

/** The key of one text or several, which are told from other texts that join to the same. */
export function keyOf(...texts: readonly string[]): Key {
  let [low, high] = [startLow, startHigh];
  for (const text of texts) {
    for (let index = 0; index < text.length; index += 1) {
      const code = text.charCodeAt(index);
      low = Math.imul(low ^ code, 0x9e3779b1);
      high = Math.imul(high ^ code, 0x5f356495);
    }
    // No character has this code: it ends the text.
    low = Math.imul(low ^ 0x10001, 0x85ebca77);
    high = Math.imul(high ^ 0x10001, 0xc2b2ae3d);
  }
  // All bits mixed, as in MurmurHash3's finalizer.
  const mixed = Math.imul(low ^ (low >>> 16), 0x85ebca6b) ^ Math.imul(high ^ (high >>> 13), 0xc2b2ae35);
  return {
    low: mixed,
    high: Math.imul(high ^ (high >>> 16), 0x85ebca6b) ^ Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35),
  };
}
