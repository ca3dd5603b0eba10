import type { Argv } from 'yargs';
import type { Values } from '../../config/options.js';
import { readDuration } from '../../config/value.js';
import { Failure } from '../../greylist/failure.js';
import { printable } from '../../greylist/printable.js';
import { count, localTime, timestamp } from '../../output/format.js';
import { readOption, textOf } from '../arguments.js';
import { answerIsNo } from '../command.js';
import {
  settingsFor,
  terminalFor,
  withExistingStore,
  withStore,
  type Arguments,
  type Process,
} from '../context.js';
import { inBatches } from './batches.js';
import { choiceOf, chosenEntries, declareParts } from './filter.js';

/** The options of `db release`. */
export function declareRelease(yargs: Argv): Argv {
  return declareParts(yargs).option('for', {
    type: 'string',
    requiresArg: true,
    describe: 'let all mail to this recipient pass for so long, such as 30m; 0 ends it [TIME]',
  });
}

async function openWindow(
  recipient: string,
  seconds: number,
  values: Values,
  outside: Process,
): Promise<number> {
  const until = outside.now() + seconds;
  const terminal = terminalFor(values, outside);
  const isOpen = seconds > 0;
  const isDone = await withStore(values, outside, async (store) => {
    if (!isOpen) return store.closeWindow(recipient);
    await store.openWindow(recipient, until);
    return true;
  });
  if (values.json) await terminal.json({ recipient, open_until: isOpen ? timestamp(until) : null });
  else if (isOpen)
    await terminal.line(`all mail to ${printable(recipient)} passes until ${localTime(until)}`);
  else if (isDone) await terminal.line(`mail to ${printable(recipient)} is greylisted again`);
  else await terminal.line(`there was no window for ${printable(recipient)}`);
  return isDone ? 0 : answerIsNo;
}

/** `greyctl db release`: status 3 when nothing waits that could be released. */
export async function release(argv: Arguments, outside: Process): Promise<number> {
  const { values } = settingsFor(argv, outside);
  const given = ['client', 'sender', 'recipient'].filter((name) => argv[name] !== undefined);
  const seconds = readOption(argv, 'for', (text) => readDuration(text, 'm'));
  const recipient = textOf(argv, 'recipient');
  if (seconds !== undefined) {
    if (!recipient || given.length > 1)
      throw new Failure('--for opens a window for --recipient, and for nothing else', { kind: 'usage' });
    return openWindow(recipient.toLowerCase(), seconds, values, outside);
  }
  if (given.length === 0)
    throw new Failure('say what to release: --client, --sender or --recipient', { kind: 'usage' });
  const now = outside.now();
  const choice = choiceOf({ ...argv, state: 'waiting' }, values, now);
  const released = await withExistingStore(values, outside, (store) =>
    inBatches(chosenEntries(store, choice), (batch) =>
      store.release(
        batch.map(({ entry }) => entry.triplet),
        now,
      ),
    ),
  );
  const terminal = terminalFor(values, outside);
  if (values.json) await terminal.json({ released });
  else if (released > 0) await terminal.line(`released ${count(released)}: they pass at their next retry`);
  else await terminal.line('nothing waits that was not released already');
  return released > 0 ? 0 : answerIsNo;
}
