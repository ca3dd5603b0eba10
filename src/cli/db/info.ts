import { printable } from '../../greylist/printable.js';
import { count, localTime, size, timestamp } from '../../output/format.js';
import {
  databaseLocation,
  settingsFor,
  terminalFor,
  withExistingStore,
  type Arguments,
  type Process,
} from '../context.js';
import { optionalTimestamp } from './entry.js';

/** `greyctl db info`: how much there is, and since when. */
export async function info(argv: Arguments, outside: Process): Promise<undefined> {
  const { values } = settingsFor(argv, outside);
  const { facts, windows } = await withExistingStore(values, outside, async (store) => ({
    facts: await store.info(),
    windows: (await store.windows()).filter(({ until }) => until > outside.now()),
  }));
  const terminal = terminalFor(values, outside);
  const location = databaseLocation(values, outside);
  if (values.json) {
    await terminal.json({
      location,
      engine: facts.engine,
      schema_version: facts.schemaVersion,
      size_bytes: facts.sizeBytes,
      entries: { waiting: facts.waiting, passed: facts.passed },
      awl_clients: facts.clients,
      whitelist_entries: facts.listed,
      oldest_first_seen: optionalTimestamp(facts.oldestFirstSeen),
      newest_last_seen: optionalTimestamp(facts.newestLastSeen),
      windows: windows.map(({ recipient, until }) => ({ recipient, open_until: timestamp(until) })),
    });
    return undefined;
  }
  const optional = (time: number | undefined) => (time === undefined ? '-' : localTime(time));
  await terminal.table(
    [{ title: 'DATABASE' }, { title: location }],
    [
      [
        'schema version',
        facts.engine === 'memory' ? 'there is no database yet' : String(facts.schemaVersion),
      ],
      ['size', size(facts.sizeBytes)],
      ['triplets waiting', count(facts.waiting)],
      ['triplets passed', count(facts.passed)],
      ['clients counted for the AWL', count(facts.clients)],
      ['whitelist entries', count(facts.listed)],
      ['oldest first seen', optional(facts.oldestFirstSeen)],
      ['newest last seen', optional(facts.newestLastSeen)],
      ...windows.map(({ recipient, until }) => [
        'window open',
        `${printable(recipient)} until ${localTime(until)}`,
      ]),
    ],
  );
  return undefined;
}
