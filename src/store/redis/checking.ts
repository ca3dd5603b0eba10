/** Is what is there greyctl's, and is the server set so that it stays? */
import { Failure } from '../../greylist/failure.js';
import type { Connection } from './connection.js';
import type { Keys } from './keys.js';
import { scan } from './scanning.js';
import { listed } from './site.js';
import { readClient, readEntry } from './values.js';

/** So many values that are not greyctl's are named. */
const mostNamed = 20;

/** Fields of the server's INFO. */
async function facts(connection: Connection): Promise<ReadonlyMap<string, string>> {
  const texts = await connection.use(async (link) =>
    Promise.all((await link.nodes()).map((send) => send(['INFO', 'memory']))),
  );
  const lines = texts.flatMap((text) => String(text).split('\r\n'));
  return new Map(lines.map((line) => [line.split(':', 1)[0] ?? '', line.slice(line.indexOf(':') + 1)]));
}

async function foreignValues(connection: Connection, keys: Keys): Promise<string[]> {
  const problems: string[] = [];
  for await (const texts of scan(connection, keys.anyPattern)) {
    for (const [key, text] of texts) {
      try {
        if (keys.addressOf(key) === undefined) readEntry(key, text);
        else readClient(key, text);
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        if (problems.length < mostNamed) problems.push(error.message);
      }
    }
  }
  return problems;
}

/** What is wrong, in words; empty when nothing is. */
export async function problemsOf(connection: Connection, keys: Keys): Promise<string[]> {
  const problems = await foreignValues(connection, keys);
  await connection.use((link) => listed(link, keys));
  const info = await facts(connection);
  const policy = info.get('maxmemory_policy') ?? 'noeviction';
  if (Number(info.get('maxmemory') ?? 0) > 0 && policy !== 'noeviction')
    problems.push(
      `when its memory is full, Redis drops entries that are in use (maxmemory-policy is ${policy}): set it to noeviction`,
    );
  return problems;
}
