import { settingsOf } from '../../config/resolve.js';
import { keyed } from '../../greylist/decide.js';
import type { StoredEntry } from '../../greylist/store.js';
import { duration, localTime, times, timestamp } from '../../output/format.js';
import type { Terminal } from '../../output/terminal.js';
import { attemptOf } from '../attempt.js';
import { answerIsNo } from '../command.js';
import { settingsFor, terminalFor, withExistingStore, type Arguments, type Process } from '../context.js';
import { entryDocument, stateOf } from './entry.js';

/** `greyctl db show`: what is remembered of one attempt. */
export async function show(argv: Arguments, outside: Process): Promise<number> {
  const { values } = settingsFor(argv, outside);
  const settings = settingsOf(values);
  const now = outside.now();
  const key = keyed(await attemptOf(argv, values, now), settings);
  const memory = await withExistingStore(values, outside, (store) => store.recall(key.triplet, key.address));
  const terminal = terminalFor(values, outside);
  const { entry, client } = memory;
  const stored = entry && { ...entry, triplet: key.triplet };
  const state = stored ? stateOf(stored, now, settings) : 'unknown';
  if (values.json) {
    const awl = client
      ? { address: key.address, count: client.count, last_counted: timestamp(client.lastCounted) }
      : null;
    await terminal.json({ ...(stored ? entryDocument(stored, state) : { ...key.triplet, state }), awl });
  } else {
    await describe(terminal, stored, state, client && `${key.address} counted ${times(client.count)}`);
  }
  return stored ? 0 : answerIsNo;
}

async function describe(
  terminal: Terminal,
  entry: StoredEntry | undefined,
  state: string,
  awl: string | undefined,
): Promise<void> {
  if (!entry) {
    await terminal.line('this triplet is not known');
    if (awl) await terminal.line(awl);
    return;
  }
  const { client, sender, recipient } = entry.triplet;
  const waited = entry.passedAt === undefined ? '-' : duration(entry.passedAt - entry.firstSeen);
  await terminal.table(
    [{ title: 'STATE' }, { title: state }],
    [
      ['client', client],
      ['sender', sender || '<>'],
      ['recipient', recipient],
      ['first seen', localTime(entry.firstSeen)],
      ['last seen', localTime(entry.lastSeen)],
      ['deferrals', String(entry.deferrals)],
      ...(entry.releasedAt === undefined ? [] : [['released', localTime(entry.releasedAt)]]),
      ['passed', entry.passedAt === undefined ? '-' : localTime(entry.passedAt)],
      ['had waited', waited],
      ['passes', String(entry.passes)],
      ['auto-whitelist', awl ?? '-'],
    ],
  );
}
