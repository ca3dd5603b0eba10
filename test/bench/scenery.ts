/** What the scenes of scenes.ts are given. */
import type { Report } from './bench.js';
import type { Plan } from './cells.js';

/** A situation in which greyctl is measured. */
export interface Scene {
  readonly name: string;
  readonly isLong?: boolean;
  readonly run: (scenery: Scenery) => Promise<Report>;
}

export interface Scenery extends Plan {
  readonly folder: string;
  /** Of greyctl, with the known triplets. */
  readonly prepared: string;
}
