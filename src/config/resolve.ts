/** Settings from the command line, the environment and the file, in this order of precedence; all problems at once. */
import { contradictions, type Settings } from '../greylist/settings.js';
import { excerpt } from '../greylist/printable.js';
import { parseConfigFile } from './file.js';
import {
  environmentName,
  optionNames,
  options,
  type Option,
  type OptionName,
  type Values,
} from './options.js';
import { BadValue } from './value.js';

/** Where the value of a setting came from. */
export type Origin =
  | { readonly from: 'default' }
  | { readonly from: 'file'; readonly file: string; readonly line: number }
  | { readonly from: 'environment' }
  | { readonly from: 'command line' };

/** Texts by name of setting, as yargs or the environment have them. */
export type Given = Readonly<Partial<Record<OptionName, readonly string[]>>>;

export interface Resolved {
  readonly values: Values;
  readonly origins: Readonly<Record<OptionName, Origin>>;
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
export function originText(name: OptionName, origin: Origin): string {
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
    if (text === undefined || option.commandLineOnly) continue;
    const texts = option.repeatable ? text.split(',').map((part) => part.trim()) : [text];
    sources[name] = { texts, origin: { from: 'environment' } };
  }
  return sources;
}

function unknownVariables(environment: Readonly<Record<string, string | undefined>>): string[] {
  const known = new Set([...optionNames.map(environmentName), 'GREYCTL_OPTS', 'GREYCTL_TEXT']);
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

/** How settings are to be understood that speak of the same thing. */
function combined(values: Values, origins: Readonly<Record<OptionName, Origin>>, problems: string[]): Values {
  const rank = (name: OptionName) => ranks[origins[name].from];
  let { db, dbdir } = values;
  if (db !== undefined && dbdir !== undefined) {
    if (rank('db') === rank('dbdir')) problems.push('db and dbdir: give only one of them');
    else if (rank('db') > rank('dbdir')) dbdir = undefined;
    else db = undefined;
  }
  let clientKey = values['client-key'];
  if (values['lookup-by-host']) {
    if (rank('client-key') === rank('lookup-by-host') && clientKey !== 'host') {
      problems.push(`lookup-by-host and client-key=${clientKey}: give only one of them`);
    } else if (rank('client-key') < rank('lookup-by-host')) clientKey = 'host';
  }
  return { ...values, db, dbdir, 'client-key': clientKey };
}

/** The settings that decide, out of all values. */
export function settingsOf(values: Values): Settings {
  return {
    delaySeconds: values.delay,
    retryWindowSeconds: values['retry-window'],
    maxAgeSeconds: values['max-age'],
    awlClients: values['auto-whitelist-clients'],
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
  const complete = { values: values as Values, origins: origins as Record<OptionName, Origin> };
  const result = combined(complete.values, complete.origins, problems);
  if (problems.length === 0) problems.push(...contradictions(settingsOf(result)));
  return { values: result, origins: complete.origins, problems, warnings: unknownVariables(environment) };
}
