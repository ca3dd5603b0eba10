import { existsSync } from 'node:fs';
import type { Argv } from 'yargs';
import { options, type Values } from '../config/options.js';
import { settingsOf } from '../config/resolve.js';
import type { Merged, StoredClient, StoredEntry } from '../greylist/store.js';
import { count, localTime, several } from '../output/format.js';
import type { Learner } from '../simulate/learn.js';
import { MemoryStore } from '../store/memory.js';
import { declareSettings, tolerateServerSettings } from './arguments.js';
import {
  privacyKeyFile,
  refuseMissingFolder,
  settingsFor,
  terminalFor,
  withExistingStore,
  withStore,
  type Arguments,
  type Process,
} from './context.js';
import { declareLog, logOptions, tellProblems } from './simulation/options.js';

/** `greyctl db learn`: what a log proves goes into the database. */
export function declareLearn(yargs: Argv): Argv {
  const log = tolerateServerSettings(declareLog(yargs), ['dry-run']);
  return declareSettings(log, ['decision']).option('dry-run', {
    type: 'boolean',
    // What the server takes for it must not make this one write.
    alias: [...(options['dry-run'].alias ?? [])],
    describe: 'only say what would be learned, new or changed',
  });
}

/** Learns; status 1 when a log could not be read, though what could be is learned. */
export async function learn(argv: Arguments, outside: Process): Promise<number> {
  const { values } = settingsFor(argv, outside);
  const { since, until, ...log } = logOptions(argv, outside);
  refuseMissingFolder(values, outside);
  // Whatever reads logs is large, and no other command of `db` needs it.
  const { readLog } = await import('./simulation/reading.js');
  const { createLearner } = await import('../simulate/learn.js');
  const { registrableDomain } = await import('../names/domain.js');
  const learner = createLearner(settingsOf(values), registrableDomain, outside.now());
  const reading = readLog(log, outside.now(), () => process.stdin);
  for await (const batch of reading.batches) {
    for (const logged of batch) {
      if (logged.attempt.time >= since && logged.attempt.time < until) learner.take(logged);
    }
  }
  const now = outside.now();
  const proven = { entries: [...learner.entries(now)], clients: [...learner.clients(now)] };
  const isNothing = proven.entries.length + proven.clients.length === 0;
  // Of a log that could not be read nothing is said but why.
  if (!isNothing || reading.problems.length === 0) await put(proven, isNothing, argv, values, outside);
  if (learner.ahead.attempts > 0) warnOfFuture(learner.ahead, log.year !== undefined, outside);
  tellProblems(reading.problems, 'db learn', outside);
  return reading.problems.length > 0 ? 1 : 0;
}

function warnOfFuture({ attempts, latest }: Learner['ahead'], isYearGiven: boolean, outside: Process): void {
  const what = `left out ${several(attempts, 'attempt')} more than a day ahead of now, up to ${localTime(latest)}`;
  const remedy = isYearGiven
    ? 'greyctl db learn without --year, or with the year of the first line'
    : 'date, here and on the host that wrote the log';
  outside.stderr.write(`greyctl: ${what}\nTry: ${remedy}\n`);
}

interface Proven {
  readonly entries: readonly StoredEntry[];
  readonly clients: readonly StoredClient[];
}

/** What that would change in the database; of none, or where a key of hashes would have to be made first, all is new. */
async function foresee({ entries, clients }: Proven, values: Values, outside: Process): Promise<Merged> {
  const { foreseeMerge } = await import('../store/foresee.js');
  if (values.privacy && !existsSync(privacyKeyFile(values, outside)))
    return foreseeMerge(new MemoryStore(), entries, clients);
  return withExistingStore(values, outside, (store) => foreseeMerge(store, entries, clients));
}

/** Puts what is proven into the database, unless it is to be told only, and tells it. */
async function put(
  { entries, clients }: Proven,
  isNothing: boolean,
  argv: Arguments,
  values: Values,
  outside: Process,
): Promise<void> {
  const isDryRun = argv['dry-run'] === true;
  const unchanged = { added: 0, changed: 0 };
  const { added, changed } = isNothing
    ? unchanged
    : isDryRun
      ? await foresee({ entries, clients }, values, outside)
      : await withStore(values, outside, (store) => store.merge(entries, clients));
  const terminal = terminalFor(values, outside);
  if (values.json) {
    await terminal.json({
      ...{ dry_run: isDryRun, triplets: entries.length, awl_clients: clients.length },
      ...{ added, changed },
    });
  } else {
    const what = `${several(entries.length, 'triplet')} that passed and ${several(clients.length, 'client')} that earned the auto-whitelist`;
    const merged = `${what}; ${count(added)} new, ${count(changed)} changed`;
    await terminal.line(
      isDryRun
        ? `would learn from the log: ${merged}; nothing was written`
        : `learned from the log: ${merged}`,
    );
  }
}
