import type { Triplet } from '../greylist/triplet.js';

/** Two secret numbers of 32 bits, which are the database's own: whoever sends mail cannot choose keys of equal hash. */
export interface HashSeed {
  readonly start: number;
  readonly factor: number;
}

function mix(hash: number, code: number, factor: number): number {
  const mixed = Math.imul(hash ^ code, factor);
  return mixed ^ (mixed >>> 15);
}

function mixText(start: number, text: string, factor: number): number {
  let hash = start;
  for (let index = 0; index < text.length; index += 1) hash = mix(hash, text.charCodeAt(index), factor);
  // No character: where a text ends makes a difference.
  return mix(hash, 0x10000, factor);
}

function finished(hash: number, factor: number): number {
  return Math.imul(hash ^ (hash >>> 16), factor) >>> 0;
}

/** A hash of one text, from 0 to 2^32 - 1. */
export function textHash(text: string, { start, factor }: HashSeed): number {
  return finished(mixText(start, text, factor), factor);
}

/** A hash of the whole key, from 0 to 2^32 - 1. */
export function keyHash({ client, sender, recipient }: Triplet, { start, factor }: HashSeed): number {
  const hash = mixText(mixText(mixText(start, client, factor), sender, factor), recipient, factor);
  return finished(hash, factor);
}
