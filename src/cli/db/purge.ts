import type { Argv } from 'yargs';
import { createInterface } from 'node:readline/promises';
import { isClientAlive } from '../../greylist/decide.js';
import { Failure } from '../../greylist/failure.js';
import { allClients, type Store } from '../../greylist/store.js';
import { count, counted } from '../../output/format.js';
import { settingsFor, terminalFor, withExistingStore, type Arguments, type Process } from '../context.js';
import { countOf, inBatches, untilDone } from './batches.js';
import { choiceOf, chosenEntries, declareFilter, isNarrowed, type Choice } from './filter.js';

/** Entries that are looked at in one step. */
const stepEntries = 500;

/** The options of `db purge`. */
export function declarePurge(yargs: Argv): Argv {
  return declareFilter(yargs)
    .option('dry-run', { type: 'boolean', describe: 'only say what would be removed' })
    .option('yes', { type: 'boolean', alias: 'y', describe: 'do not ask' });
}

async function expiredClients(store: Store, { now, settings }: Choice): Promise<number> {
  let expired = 0;
  for await (const client of allClients(store)) expired += isClientAlive(client, now, settings) ? 0 : 1;
  return expired;
}

async function purgeExpired(store: Store, { now, settings }: Choice): Promise<number> {
  let removed = 0;
  await untilDone(async () => {
    const step = await store.purge(now, settings, stepEntries);
    removed += step.removed;
    return { isDone: step.done, hasWritten: step.removed > 0 };
  });
  return removed;
}

async function isConfirmed(question: string, outside: Process): Promise<boolean> {
  if (!process.stdin.isTTY || !outside.stderr.isTTY)
    throw new Failure('there is no terminal to ask on: say --yes, or --dry-run to see what would go', {
      kind: 'usage',
    });
  const asking = createInterface({ input: process.stdin, output: outside.stderr });
  try {
    return /^y(es)?$/i.test((await asking.question(`${question} [y/N] `)).trim());
  } catch (error) {
    if (!(error instanceof Error && error.name === 'AbortError')) throw error;
    // Ctrl-C or Ctrl-D, which leave the cursor behind the question.
    outside.stderr.write('\n');
    return false;
  } finally {
    asking.close();
  }
}

/** `greyctl db purge`: what has expired, or what the options choose; status 1 when the answer is no. */
export async function purge(argv: Arguments, outside: Process): Promise<number> {
  const { values } = settingsFor(argv, outside);
  const terminal = terminalFor(values, outside);
  const isExpiry = !isNarrowed(argv);
  const choice = choiceOf(isExpiry ? { ...argv, state: 'expired' } : argv, values, outside.now());
  const isDryRun = argv['dry-run'] === true;
  return withExistingStore(values, outside, async (store) => {
    if (isDryRun || argv['yes'] !== true) {
      const entries = await countOf(chosenEntries(store, choice));
      const clients = isExpiry ? await expiredClients(store, choice) : 0;
      const what =
        counted(entries, 'entry', 'entries') +
        (isExpiry ? ` and ${counted(clients, 'AWL record', 'AWL records')}` : '');
      if (isDryRun) {
        if (values.json) await terminal.json({ dry_run: true, entries, awl_clients: clients, removed: 0 });
        else await terminal.line(`would remove ${what}`);
        return 0;
      }
      if (entries + clients > 0 && !(await isConfirmed(`remove ${what}?`, outside))) {
        outside.stderr.write('greyctl: nothing was removed\n');
        return 1;
      }
    }
    const removed = isExpiry
      ? await purgeExpired(store, choice)
      : await inBatches(chosenEntries(store, choice), (batch) =>
          store.remove(
            batch.map(({ entry }) => entry),
            [],
          ),
        );
    if (values.json) await terminal.json({ dry_run: false, removed });
    else await terminal.line(`removed ${count(removed)}`);
    return 0;
  });
}
