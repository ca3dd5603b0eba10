import type { Triplet } from '../../greylist/triplet.js';

/** Two secret numbers of 32 bits, which are the database's own: whoever sends mail cannot choose keys of equal hash. */
export interface HashSeed {
  readonly start: number;
  readonly factor: number;
}

function mix(hash: number, code: number, factor: number): number {
  const mixed = Math.imul(hash ^ code, factor);
  return mixed ^ (mixed >>> 15);
}

/** A hash of the whole key, from 0 to 2^32 - 1; parts do not run into one another. */
export function keyHash({ client, sender, recipient }: Triplet, { start, factor }: HashSeed): number {
  let hash = start;
  for (const part of [client, sender, recipient]) {
    for (let index = 0; index < part.length; index += 1) hash = mix(hash, part.charCodeAt(index), factor);
    hash = mix(hash, 0x10000, factor);
  }
  return Math.imul(hash ^ (hash >>> 16), factor) >>> 0;
}
