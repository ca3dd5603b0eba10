import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Argv } from 'yargs';
import { options, type Values } from '../../config/options.js';
import { BadValue } from '../../config/value.js';
import { Failure } from '../../greylist/failure.js';
import { allClients, allEntries, type Merged, type Store } from '../../greylist/store.js';
import { count, counted } from '../../output/format.js';
import { textOf } from '../arguments.js';
import {
  databaseLocation,
  isShared,
  openPlainStore,
  settingsFor,
  terminalFor,
  type Arguments,
  type Process,
} from '../context.js';
import { inBatches } from './batches.js';

/** The positional arguments of `db copy`. */
export function declareCopy(yargs: Argv): Argv {
  return yargs
    .positional('from', { type: 'string', describe: 'a SQLite file or a redis:// location' })
    .positional('to', { type: 'string', describe: 'likewise; a file is made where there is none' });
}

/** What was used so long before a pass began is looked at again by the next: clocks differ. */
const overlapSeconds = 5;

/** What was looked at; `merged` is what that changed. */
interface Copied {
  entries: number;
  clients: number;
  windows: number;
  listed: number;
  hours: number;
  readonly merged: { added: number; changed: number };
}

function add(copied: Copied, { added, changed }: Merged): void {
  copied.merged.added += added;
  copied.merged.changed += changed;
}

/** Copies entries that were used since `since`; resolves to how many. */
async function copyEntries(from: Store, to: Store, copied: Copied, since: number): Promise<number> {
  const filter = since > 0 ? { lastSeenFrom: since } : {};
  return inBatches(allEntries(from, filter), async (batch) => {
    add(copied, await to.merge(batch, []));
    return batch.length;
  });
}

/** Everything once; then again what was used meanwhile. */
export async function copyAll(from: Store, to: Store, now: () => number): Promise<Copied> {
  const copied: Copied = {
    entries: 0,
    clients: 0,
    windows: 0,
    listed: 0,
    hours: 0,
    merged: { added: 0, changed: 0 },
  };
  const began = now();
  copied.entries = await copyEntries(from, to, copied, 0);
  await copyEntries(from, to, copied, began - overlapSeconds);
  copied.clients = await inBatches(allClients(from), async (batch) => {
    add(copied, await to.merge([], batch));
    return batch.length;
  });
  const [listed, windows] = [await from.listed(), await from.windows()];
  const [tallies, delays] = [await from.tallies(0), await from.hourlyDelays()];
  add(copied, await to.merge([], [], { listed, windows, tallies, delays }));
  copied.listed = listed.length;
  copied.windows = windows.length;
  copied.hours = new Set(tallies.map(({ hour }) => hour)).size;
  return copied;
}

/** The settings with another database. */
function valuesFor(values: Values, location: string): Values {
  try {
    return { ...values, db: options.db.read([location]), dbdir: undefined };
  } catch (error) {
    if (error instanceof BadValue) throw new Failure(error.message, { kind: 'usage' });
    throw error;
  }
}

/** `greyctl db copy`: all that one database remembers into another, which keeps what it knows. */
export async function copy(argv: Arguments, outside: Process): Promise<undefined> {
  const { values } = settingsFor(argv, outside);
  const source = valuesFor(values, textOf(argv, 'from') ?? '');
  const target = valuesFor(values, textOf(argv, 'to') ?? '');
  const [here, there] = [databaseLocation(source, outside), databaseLocation(target, outside)];
  if (here === there) throw new Failure('both are the same database', { kind: 'usage' });
  if (!isShared(source) && !existsSync(path.resolve(here))) throw new Failure(`there is no database ${here}`);
  const from = await openPlainStore(source, outside);
  let copied: Copied;
  try {
    const to = await openPlainStore(target, outside);
    try {
      copied = await copyAll(from, to, outside.now);
    } finally {
      await to.close();
    }
  } finally {
    await from.close();
  }
  const { entries, clients, windows, listed, hours, merged } = copied;
  const terminal = terminalFor(values, outside);
  if (values.json) {
    await terminal.json({
      ...{ from: here, to: there, entries, awl_clients: clients, windows, whitelist_entries: listed },
      ...{ hours_counted: hours, ...merged },
    });
    return undefined;
  }
  const parts = [
    counted(entries, 'entry', 'entries'),
    counted(clients, 'AWL record', 'AWL records'),
    counted(windows, 'window', 'windows'),
    counted(listed, 'whitelist entry', 'whitelist entries'),
  ].join(', ');
  await terminal.line(
    `read ${parts} and the counts of ${counted(hours, 'hour', 'hours')}; ${count(merged.added)} were new, ${count(merged.changed)} changed`,
  );
  return undefined;
}
