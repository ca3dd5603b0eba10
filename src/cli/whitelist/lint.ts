import { readDuration } from '../../config/value.js';
import { printable } from '../../greylist/printable.js';
import { listFiles } from '../../whitelist/files.js';
import { lint, type Finding } from '../../whitelist/lint.js';
import { parseStored } from '../../whitelist/syntax.js';
import { declareSettings, readOption } from '../arguments.js';
import { answerIsNo, type Subcommand } from '../command.js';
import { settingsFor, terminalFor, withExistingStore, type Arguments, type Process } from '../context.js';
import { chosenLists, entryPlace } from '../lists.js';

/** What `--json` prints of one finding. */
function documentOf({ check, entry, other, why }: Finding) {
  const source = entryPlace(entry);
  return {
    ...{ check, kind: entry.kind, pattern: entry.pattern, source, why },
    other: other ? { pattern: other.pattern, source: entryPlace(other) } : null,
  };
}

function lineOf({ check, entry, other, why }: Finding): string {
  const reason = other ? `${why} ${other.pattern} (${entryPlace(other)})` : why;
  return printable(`${entryPlace(entry)}: ${entry.kind} ${entry.pattern}: ${check}: ${reason}`);
}

async function run(argv: Arguments, outside: Process): Promise<number> {
  const { values } = settingsFor(argv, outside);
  const unusedSeconds = readOption(argv, 'unused', (text) => readDuration(text, 'd'));
  const listed = await withExistingStore(values, outside, (store) => store.listed());
  const stored = parseStored(listed);
  const inFiles = await listFiles(chosenLists(values).files).load();
  const entries = [...inFiles.entries, ...stored.entries];
  const { isPublicSuffix } = await import('../../names/domain.js');
  const found = lint(entries, { now: outside.now(), unusedSeconds, listed, isPublicSuffix });
  const warnings = [...inFiles.warnings, ...stored.warnings];
  const terminal = terminalFor(values, outside);
  for (const warning of warnings) {
    if (values.json) await terminal.json({ check: 'unusable', why: warning });
    else await terminal.line(printable(warning));
  }
  for (const finding of found) {
    if (values.json) await terminal.json(documentOf(finding));
    else await terminal.line(lineOf(finding));
  }
  return found.length + warnings.length > 0 ? answerIsNo : 0;
}

/** Says what is wrong with the entries, or superfluous. */
export const lintCommand: Subcommand = {
  command: 'lint',
  describe: 'what is wrong with the entries, or superfluous',
  declare: (yargs) =>
    declareSettings(yargs, ['decision']).option('unused', {
      type: 'string',
      requiresArg: true,
      describe: 'also entries of the database without a hit for so long: 90d',
    }),
  run,
};
