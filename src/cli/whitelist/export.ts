import { printable } from '../../greylist/printable.js';
import type { ListKind } from '../../greylist/store.js';
import { timestamp } from '../../output/format.js';
import { exportLine } from '../../whitelist/import.js';
import { parseStored } from '../../whitelist/syntax.js';
import { declareSettings, textOf } from '../arguments.js';
import type { Subcommand } from '../command.js';
import { settingsFor, terminalFor, withExistingStore, type Arguments, type Process } from '../context.js';
import { fileEntries } from '../lists.js';
import { kinds } from './words.js';

async function run(argv: Arguments, outside: Process): Promise<undefined> {
  const { values } = settingsFor(argv, outside);
  // yargs has checked the choices.
  const wanted = textOf(argv, 'kind') as ListKind | undefined;
  const stored = parseStored(await withExistingStore(values, outside, (store) => store.listed()));
  for (const warning of stored.warnings) outside.stderr.write(`greyctl: ${warning}\n`);
  const inFiles = argv['all'] === true ? await fileEntries(values, outside.stderr) : [];
  const entries = [...inFiles, ...stored.entries];
  const terminal = terminalFor(values, outside);
  for (const kind of wanted === undefined ? kinds : [wanted]) {
    const ofKind = entries.filter((entry) => entry.kind === kind);
    if (ofKind.length === 0) continue;
    await terminal.line(`# greyctl whitelist: ${kind}`);
    for (const { pattern, comment = '', expiresAt } of ofKind) {
      const until = expiresAt === undefined ? undefined : timestamp(expiresAt);
      await terminal.line(printable(exportLine(pattern, comment, until)));
    }
  }
  return undefined;
}

/** Prints entries in the syntax of the files. */
export const exportCommand: Subcommand = {
  command: 'export',
  describe: 'print the entries of the database in the syntax of the files',
  declare: (yargs) =>
    declareSettings(yargs, ['decision'])
      .option('kind', { choices: kinds, requiresArg: true, describe: 'only these' })
      .option('all', { type: 'boolean', describe: 'those of the files, too' }),
  run,
};
