/**
 * What stands for texts in the tables of a rehearsal: 64 bits made of them. Among a million keys, two are the same with a probability
 * of 1 in 30 million.
 */
export interface Key {
  /** 32 bits each, as signed numbers. */
  readonly low: number;
  readonly high: number;
}

/** A number of 32 bits that nobody can guess. */
function dice(): number {
  return (Math.random() * 2 ** 32) | 0;
}

// Other than in the run before: whoever writes to the log cannot choose texts that are taken for one another.
const start = { low: dice(), high: dice() };
const factor = { low: dice() | 1, high: dice() | 1 };

/** The key of one text or several, which are told from other texts that join to the same. */
export function keyOf(...texts: readonly string[]): Key {
  let { low, high } = start;
  const { low: lowFactor, high: highFactor } = factor;
  for (const text of texts) {
    // No character has the code behind the last one: it ends the text.
    for (let index = 0; index <= text.length; index += 1) {
      const code = index < text.length ? text.charCodeAt(index) : 0x10001;
      low = Math.imul(low ^ code, lowFactor);
      high = Math.imul(high ^ code, highFactor);
      // Without this, high bits never reach low ones, and there are texts whose keys are the same whatever the numbers are.
      low ^= low >>> 15;
      high ^= high >>> 15;
    }
  }
  // All bits mixed, as in MurmurHash3's finalizer.
  const mixed = Math.imul(low ^ (low >>> 16), 0x85ebca6b) ^ Math.imul(high ^ (high >>> 13), 0xc2b2ae35);
  return {
    low: mixed,
    high: Math.imul(high ^ (high >>> 16), 0x85ebca6b) ^ Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35),
  };
}
