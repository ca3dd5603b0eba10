import type { Argv } from 'yargs';
import { readInteger } from '../../config/value.js';
import { Failure } from '../../greylist/failure.js';
import { createScreen } from '../../output/screen.js';
import { declareSettings, readOption, textOf } from '../arguments.js';
import { settingsFor, terminalFor, withExistingStore, type Arguments, type Process } from '../context.js';
import { gather, statsDocument } from '../stats/facts.js';
import { printStats } from '../stats/report.js';
import { everySoOften } from '../stats/watch.js';
import { parseTime } from '../time.js';

const day = 86_400;
const topInitially = 5;
const watchSecondsInitially = 5;

/** `greyctl stats`: what greylisting did, and who waits. */
export function declare(yargs: Argv): Argv {
  return declareSettings(yargs, ['decision'])
    .usage('$0 stats [OPTION…]')
    .option('since', {
      type: 'string',
      requiresArg: true,
      describe: 'from when on: 24h (the default) ago, or 2026-11-21',
    })
    .option('top', {
      type: 'string',
      requiresArg: true,
      describe: `so many sender domains, clients and recipients that wait most (${topInitially}; 0: none)`,
    })
    .option('watch', {
      type: 'string',
      describe: `show it anew every SECONDS (${watchSecondsInitially}) until Ctrl-C`,
    });
}

/** Seconds between two pictures; undefined without --watch. */
function watchSeconds(argv: Arguments, isTerminal: boolean, isJson: boolean): number | undefined {
  if (argv['watch'] === undefined) return undefined;
  if (isJson) throw new Failure('--watch is for people: --json cannot go with it', { kind: 'usage' });
  if (!isTerminal) throw new Failure('--watch needs a terminal to write to', { kind: 'usage' });
  if (textOf(argv, 'watch') === '') return watchSecondsInitially;
  return readOption(argv, 'watch', (text) => readInteger(text, 1, 3600));
}

/** Prints what greylisting did since a time. */
export async function run(argv: Arguments, outside: Process): Promise<undefined> {
  const { values } = settingsFor(argv, outside);
  const terminal = terminalFor(values, outside);
  const limit = readOption(argv, 'top', (text) => readInteger(text, 0, 1000)) ?? topInitially;
  const seconds = watchSeconds(argv, terminal.isTerminal, values.json);
  // Said at once where it is wrong; read again for each picture, so that "24h" moves along.
  const since = () =>
    readOption(argv, 'since', (text) => parseTime(text, outside.now(), 'h')) ?? outside.now() - day;
  since();
  await withExistingStore(values, outside, async (store) => {
    const facts = () => {
      const asked = since();
      return gather(store, asked - (asked % 3600), outside.now() - values['retry-window'], limit);
    };
    if (seconds === undefined) {
      if (values.json) await terminal.json(statsDocument(await facts()));
      else await printStats(terminal, await facts());
      return;
    }
    const screen = createScreen(outside.stdout, values.color, outside.environment);
    await everySoOften(seconds * 1000, async () => {
      const current = await facts();
      await screen.show((paper) => printStats(paper, current));
    });
  });
  return undefined;
}
