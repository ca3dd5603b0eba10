/** Looking at all that is there, in steps that are short for Redis, in an order of its own. */
import type { Connection } from './connection.js';
import { listOf, type Link } from './link.js';
import { readAll } from './reading.js';

/** Keys Redis looks at in one step: well below a millisecond of its time. */
const stepKeys = 1000;

/** Where a scan goes on: which node, and its cursor. */
export type Place = string;

export interface Step {
  /** Keys with their texts; a key may come twice while Redis makes its tables smaller. */
  readonly found: readonly (readonly [key: string, text: string])[];
  /** Undefined at the end. */
  readonly next: Place | undefined;
}

/** One step from `from` on; what has no text (a list, or removed meanwhile) is left out. */
export async function scanStep(link: Link, pattern: string, from: Place = '0:0', least = 0): Promise<Step> {
  const [node = 0, cursor = '0'] = from.split(':').map((part, index) => (index === 0 ? Number(part) : part));
  const nodes = await link.nodes();
  const send = nodes[Number(node)];
  if (!send) return { found: [], next: undefined };
  const count = String(Math.max(stepKeys, least));
  const reply = await send(['SCAN', String(cursor), 'MATCH', pattern, 'COUNT', count]);
  const [after, list] = listOf(reply);
  const texts = await readAll(link, [...new Set(listOf(list).map(String))]);
  const found = [...texts].filter(([, text]) => text !== '');
  if (String(after) !== '0') return { found, next: `${node}:${String(after)}` };
  return { found, next: Number(node) + 1 < nodes.length ? `${Number(node) + 1}:0` : undefined };
}

/** All steps, each with its own time limit. */
export async function* scan(connection: Connection, pattern: string): AsyncGenerator<Step['found']> {
  let from: Place | undefined;
  do {
    const { found, next }: Step = await connection.use((link) => scanStep(link, pattern, from));
    yield found;
    from = next;
  } while (from !== undefined);
}
