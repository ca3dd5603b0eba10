import { existsSync } from 'node:fs';
import { open, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Argv } from 'yargs';
import { resolve, settingsOf } from '../../config/resolve.js';
import { codeOf, Failure, reasonOf } from '../../greylist/failure.js';
import { printable } from '../../greylist/printable.js';
import type { Merged } from '../../greylist/store.js';
import { count } from '../../output/format.js';
import type { Terminal } from '../../output/terminal.js';
import { createPostgreyReader, type PostgreyCounts, type PostgreyReader } from '../../transfer/postgrey.js';
import { parseDefaults } from '../../transfer/postgrey-options.js';
import { textOf } from '../arguments.js';
import { settingsFor, terminalFor, withStore, type Arguments, type Process } from '../context.js';
import { readBerkeley, readDump } from './berkeley.js';
import { configText, movedSettings, type MovedSettings } from './settings.js';

const defaultsFile = '/etc/default/postgrey';
/** Debian's place, and postgrey's own default. */
const databaseFolders = ['/var/lib/postgrey', '/var/spool/postfix/postgrey'];
const [tripletFile, clientFile] = ['postgrey.db', 'postgrey_clients.db'];

/** Options of `greyctl import postgrey`. */
export function declarePostgrey(yargs: Argv): Argv {
  const file = { type: 'string', requiresArg: true } as const;
  return yargs
    .option('from', { ...file, describe: 'the folder of its database [DIR]' })
    .option('defaults', { ...file, describe: `its options, instead of ${defaultsFile} [FILE]` })
    .option('dump', { ...file, describe: `a saved db_dump of ${tripletFile} [FILE]`, conflicts: 'from' })
    .option('clients-dump', {
      ...file,
      describe: `a saved db_dump of ${clientFile} [FILE]`,
      conflicts: 'from',
    })
    .option('write-config', { ...file, describe: 'write its settings for greyctl into a new file [FILE]' })
    .option('dry-run', { type: 'boolean', describe: 'only say what would be written' });
}

async function readSettings(argv: Arguments): Promise<{ source: string; settings: MovedSettings }> {
  const named = textOf(argv, 'defaults');
  const source = named ?? defaultsFile;
  try {
    return { source, settings: movedSettings(parseDefaults(await readFile(source, 'utf8'))) };
  } catch (error) {
    if (error instanceof Failure) throw error;
    if (named !== undefined || codeOf(error) !== 'ENOENT')
      throw new Failure(`cannot read ${source}: ${reasonOf(error)}`, { cause: error });
    return { source, settings: movedSettings({ words: [] }) };
  }
}

/** Reads the database into `reader`; resolves to where it was. */
async function readDatabase(
  argv: Arguments,
  folder: string | undefined,
  reader: PostgreyReader,
): Promise<string> {
  const [dump, clientsDump] = [textOf(argv, 'dump'), textOf(argv, 'clients-dump')];
  if (dump !== undefined) await readDump(dump, reader.triplet);
  if (clientsDump !== undefined) await readDump(clientsDump, reader.client);
  const dumps = [dump, clientsDump].filter((name) => name !== undefined);
  if (dumps.length > 0) return dumps.join(' and ');
  const places = [textOf(argv, 'from') ?? folder ?? databaseFolders].flat();
  const place = places.find((one) => existsSync(path.join(one, tripletFile)));
  if (place === undefined) {
    throw new Failure(`there is no database of postgrey (${tripletFile}) in ${places.join(' or ')}`, {
      hint: '--from=DIR names its folder, --dump=FILE a saved db_dump',
    });
  }
  await readBerkeley(place, { [tripletFile]: reader.triplet, [clientFile]: reader.client });
  return place;
}

async function writeConfig(file: string, text: string): Promise<void> {
  try {
    const handle = await open(file, 'wx', 0o644);
    await handle.writeFile(text);
    await handle.close();
  } catch (error) {
    const why = codeOf(error) === 'EEXIST' ? 'it is there already' : reasonOf(error);
    const hint = codeOf(error) === 'ENOENT' ? `mkdir -p ${path.dirname(file)}` : 'name a new file';
    throw new Failure(`cannot write ${file}: ${why}`, { cause: error, hint });
  }
}

function notesOf(counts: PostgreyCounts, { given, notes }: MovedSettings): string[] {
  const all = [...notes];
  if (counts.hashed > 0)
    all.push(
      `${count(counts.hashed)} keys are hashes (postgrey --privacy), from which no address comes back: they cannot be moved; ` +
        'greyctl db learn takes what a mail log proves',
    );
  if (counts.byHost > 0 && !given['lookup-by-host'])
    all.push(
      `${count(counts.byHost)} triplets are keyed by the whole address (postgrey --lookup-by-host): they count with --client-key=host only`,
    );
  return all;
}

/** What was found and done. */
interface Report {
  readonly source: string;
  readonly counts: PostgreyCounts;
  /** Undefined where nothing was to be written. */
  readonly merged: Merged | undefined;
  readonly notes: readonly string[];
  readonly config: string;
  readonly configFile: string | undefined;
}

async function printJson(terminal: Terminal, report: Report): Promise<void> {
  const { source, counts, merged, notes, config, configFile } = report;
  await terminal.json({
    source,
    triplets: { waiting: counts.waiting, passed: counts.passed },
    awl_clients: counts.clients,
    expired: counts.expired,
    hashed: counts.hashed,
    by_host: counts.byHost,
    unusable: counts.unusable,
    added: merged?.added ?? null,
    changed: merged?.changed ?? null,
    notes,
    config,
    config_file: configFile ?? null,
  });
}

async function printText(terminal: Terminal, report: Report): Promise<void> {
  const { source, counts, merged, notes, config, configFile } = report;
  const rows: [string, number][] = [
    ['triplets passed', counts.passed],
    ['triplets waiting', counts.waiting],
    ['clients counted for the AWL', counts.clients],
    ['expired, left out', counts.expired],
    ['hashed, left out', counts.hashed],
    ['unusable, left out', counts.unusable],
  ];
  await terminal.table(
    [{ title: 'POSTGREY' }, { title: source, align: 'right' }],
    rows.map(([what, number]) => [what, count(number)]),
  );
  await terminal.line(
    merged
      ? `moved over: ${count(merged.added)} were new, ${count(merged.changed)} changed`
      : 'dry run: nothing was written',
  );
  for (const note of notes) await terminal.line(`note: ${printable(note)}`);
  await terminal.line(
    configFile === undefined ? '\ngreyctl.conf would be:\n' : `\n${printable(configFile)}:\n`,
  );
  for (const line of config.trimEnd().split('\n')) await terminal.line(`    ${printable(line)}`);
}

/** Moves over; status 1 when all there is are hashes. */
export async function importPostgrey(argv: Arguments, outside: Process): Promise<number> {
  const { values } = settingsFor(argv, outside);
  const { source: optionsFile, settings } = await readSettings(argv);
  const reader = createPostgreyReader(settingsOf(resolve(settings.given, {}).values), outside.now());
  const source = await readDatabase(argv, settings.databaseFolder, reader);
  const config = configText(settings.given, optionsFile);
  const isDryRun = argv['dry-run'] === true;
  const configFile = isDryRun ? undefined : textOf(argv, 'write-config');
  if (configFile !== undefined) await writeConfig(configFile, config);
  const merged = isDryRun
    ? undefined
    : await withStore(values, outside, (store) => store.merge(reader.entries, reader.clients)).catch(
        async (error: unknown) => {
          // Nothing is moved by halves, so that it can be tried again.
          if (configFile !== undefined) await rm(configFile, { force: true });
          throw error;
        },
      );
  const { counts } = reader;
  const report = { source, counts, merged, notes: notesOf(counts, settings), config, configFile };
  const terminal = terminalFor(values, outside);
  await (values.json ? printJson : printText)(terminal, report);
  return counts.hashed > 0 && reader.entries.length + reader.clients.length === 0 ? 1 : 0;
}
