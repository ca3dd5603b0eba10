/** Settings from the command line, the environment and the file, in this order of precedence; all problems at once. */
import { contradictions, type Settings } from '../greylist/settings.js';
import { excerpt } from '../greylist/printable.js';
import { parseConfigFile } from './file.js';
import type { Option } from './option.js';
import { environmentName, optionNames, options, type OptionName, type Values } from './options.js';
import { BadValue } from './value.js';

/** Where the value of a setting came from; `setting` where another one that speaks of the same thing decided. */
export type Origin = { readonly setting?: OptionName } & (
  | { readonly from: 'default' }
  | { readonly from: 'file'; readonly file: string; readonly line: number }
  | { readonly from: 'environment' }
  | { readonly from: 'command line' }
);

type Origins = Readonly<Record<OptionName, Origin>>;

/** Texts by name of setting, as yargs or the environment have them. */
export type Given = Readonly<Partial<Record<OptionName, readonly string[]>>>;

export interface Resolved {
  readonly values: Values;
  readonly origins: Origins;
  readonly problems: readonly string[];
  /** Worth saying, but no reason to refuse. */
  readonly warnings: readonly string[];
}

interface Source {
  readonly texts: readonly string[];
  readonly origin: Origin;
}

const ranks = { default: 0, file: 1, environment: 2, 'command line': 3 } as const;

function isOptionName(name: string): name is OptionName {
  return Object.hasOwn(options, name);
}

/** The setting that a name or one of its aliases means. */
function findOption(name: string): OptionName | undefined {
  if (isOptionName(name)) return name;
  return optionNames.find((candidate) => (options[candidate] as Option<unknown>).alias?.includes(name));
}

/** `--delay`, `GREYCTL_DELAY`, `/etc/greyctl/greyctl.conf line 3: delay`. */
export function originText(inForce: OptionName, origin: Origin): string {
  const name = origin.setting ?? inForce;
  switch (origin.from) {
    case 'command line':
      return `--${name}`;
    case 'environment':
      return environmentName(name);
    case 'file':
      return `${origin.file} line ${origin.line}: ${name}`;
    case 'default':
      return name;
  }
}

function fromFile(text: string, file: string, problems: string[]): Partial<Record<OptionName, Source>> {
  const { settings, problems: lines } = parseConfigFile(text);
  problems.push(...lines.map(({ line, message }) => `${file} line ${line}: ${message}`));
  const sources: Partial<Record<OptionName, Source>> = {};
  for (const setting of settings) {
    const where = `${file} line ${setting.line}`;
    const name = findOption(setting.name);
    const known: Option<unknown> | undefined = name && options[name];
    if (!name || !known || known.commandLineOnly || name === 'config') {
      problems.push(`${where}: there is no setting "${excerpt(setting.name)}"`);
      continue;
    }
    const before = sources[name];
    if (before && !known.repeatable) problems.push(`${where}: ${name} is set twice`);
    sources[name] = {
      texts: [...(before?.texts ?? []), setting.text],
      origin: before?.origin ?? { from: 'file', file, line: setting.line },
    };
  }
  return sources;
}

function fromEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): Partial<Record<OptionName, Source>> {
  const sources: Partial<Record<OptionName, Source>> = {};
  for (const name of optionNames) {
    const option: Option<unknown> = options[name];
    const text = environment[environmentName(name)];
    // An empty variable is the shell's way to say that there is none.
    if (!text || option.commandLineOnly) continue;
    const texts = option.repeatable ? text.split(',').map((part) => part.trim()) : [text];
    sources[name] = { texts, origin: { from: 'environment' } };
  }
  return sources;
}

function unknownVariables(environment: Readonly<Record<string, string | undefined>>): string[] {
  const settable = optionNames.filter((name) => !(options[name] as Option<unknown>).commandLineOnly);
  const known = new Set([
    ...settable.map(environmentName),
    'GREYCTL_DB_PASSWORD',
    'GREYCTL_OPTS',
    'GREYCTL_TEXT',
  ]);
  return Object.keys(environment)
    .filter((name) => name.startsWith('GREYCTL_') && !known.has(name))
    .map((name) => `the environment variable ${name} belongs to no setting`);
}

function readSource(name: OptionName, source: Source | undefined, problems: string[]): unknown {
  const option: Option<unknown> = options[name];
  const [first, ...more] = source?.texts ?? [];
  if (first === undefined) return option.default;
  try {
    return option.read([first, ...more]);
  } catch (error) {
    if (!(error instanceof BadValue)) throw error;
    problems.push(`${originText(name, source?.origin ?? { from: 'default' })}: ${error.message}`);
    return option.default;
  }
}

interface Combined {
  readonly values: Values;
  readonly origins: Origins;
}

/** db and dbdir name one thing: the one that goes before counts. */
function combineDatabase({ values, origins }: Combined, problems: string[]): Combined {
  const { db, dbdir } = values;
  const [rankOfFile, rankOfFolder] = [ranks[origins.db.from], ranks[origins.dbdir.from]];
  if (dbdir === undefined) return { values, origins };
  if (db !== undefined && rankOfFile === rankOfFolder) problems.push('db and dbdir: give only one of them');
  if (db !== undefined && rankOfFile > rankOfFolder)
    return { values: { ...values, dbdir: undefined }, origins };
  return {
    values: { ...values, db: undefined },
    origins: { ...origins, db: { ...origins.dbdir, setting: 'dbdir' } },
  };
}

/** lookup-by-host and lookup-by-subnet are postgrey's names for two values of client-key; with both of them, host counts there. */
function combineClientKey({ values, origins }: Combined, problems: string[]): Combined {
  const setting = values['lookup-by-host'] ? 'lookup-by-host' : 'lookup-by-subnet';
  if (!values[setting]) return { values, origins };
  const wanted = setting === 'lookup-by-host' ? 'host' : 'subnet';
  const [rank, rankOfKey] = [ranks[origins[setting].from], ranks[origins['client-key'].from]];
  if (rank < rankOfKey) return { values, origins };
  if (rank === rankOfKey && values['client-key'] !== wanted) {
    problems.push(`${setting} and client-key=${values['client-key']}: give only one of them`);
  }
  return {
    values: { ...values, 'client-key': wanted },
    origins: { ...origins, 'client-key': { ...origins[setting], setting } },
  };
}

/** Where to listen on TCP: as given, or 127.0.0.1:60000 where no socket is named at all. */
export function inetOf(values: Values): readonly string[] {
  return values.inet.length + values.unix.length === 0 ? ['127.0.0.1:60000'] : values.inet;
}

/** The settings that decide, out of all values. */
export function settingsOf(values: Values): Settings {
  return {
    delaySeconds: values.delay,
    retryWindowSeconds: values['retry-window'],
    maxAgeSeconds: values['max-age'],
    awlClients: values['auto-whitelist-clients'],
    maxWaiting: values['max-waiting'],
    maxWaitingPerClient: values['max-waiting-per-client'],
    clientKey: values['client-key'],
    ipv4Prefix: values.ipv4cidr,
    ipv6Prefix: values.ipv6cidr,
  };
}

/** Merges all sources. Nothing is thrown: what is wrong is in `problems`, and its setting has the default. */
export function resolve(
  commandLine: Given,
  environment: Readonly<Record<string, string | undefined>>,
  file?: { readonly name: string; readonly text: string },
): Resolved {
  const problems: string[] = [];
  const inFile = file ? fromFile(file.text, file.name, problems) : {};
  const inEnvironment = fromEnvironment(environment);
  const values: Partial<Record<OptionName, unknown>> = {};
  const origins: Partial<Record<OptionName, Origin>> = {};
  for (const name of optionNames) {
    const texts = commandLine[name];
    const onCommandLine: Source | undefined = texts && { texts, origin: { from: 'command line' } };
    const source = onCommandLine ?? inEnvironment[name] ?? inFile[name];
    values[name] = readSource(name, source, problems);
    origins[name] = source?.origin ?? { from: 'default' };
  }
  // Every name of the table has been read by its own reader.
  const read = { values: values as Values, origins: origins as Origins };
  const result = combineClientKey(combineDatabase(read, problems), problems);
  if (problems.length === 0) problems.push(...contradictions(settingsOf(result.values)));
  return { ...result, problems, warnings: unknownVariables(environment) };
}
