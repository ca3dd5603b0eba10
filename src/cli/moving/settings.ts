/** What postgrey was told on its command line, as settings of greyctl. */
import createYargs from 'yargs';
import { configLine } from '../../config/file.js';
import type { Option } from '../../config/option.js';
import { optionNames, options, type OptionName } from '../../config/options.js';
import { resolve, type Given } from '../../config/resolve.js';
import { BadValue } from '../../config/value.js';
import { Failure, reasonOf } from '../../greylist/failure.js';
import type { PostgreyDefaults } from '../../transfer/postgrey-options.js';
import { declareSettings, givenSettings, joinQuoted, parserRules } from '../arguments.js';

export interface MovedSettings {
  /** What greyctl is to be told. */
  readonly given: Given;
  /** Where postgrey keeps its database, where it was told. */
  readonly databaseFolder: string | undefined;
  /** What was left out or means something else, in words for the operator. */
  readonly notes: readonly string[];
}

/** Why a setting does not go into the file. */
const leftOut: Readonly<Partial<Record<OptionName, string>>> = {
  daemonize: 'the service manager keeps the server in the background',
  pidfile: 'the service manager knows the process',
  user: 'the service manager says as whom the server runs',
  group: 'the service manager says as whom the server runs',
  dbdir: 'that is where the database of postgrey is',
};

function given(words: readonly string[]): { given: Given; unknown: readonly string[] } {
  const yargs = createYargs(joinQuoted(words))
    .parserConfiguration({ ...parserRules, 'unknown-options-as-args': true })
    .help(false)
    .version(false)
    .exitProcess(false)
    .fail((message, error) => {
      // yargs passes null for the one that is missing, though its types promise both.
      const known: unknown = error;
      throw new Failure(`cannot read the options of postgrey: ${reasonOf(known ?? message)}`);
    });
  const argv = declareSettings(yargs, ['server', 'decision', 'general']).parseSync();
  return { given: givenSettings(argv), unknown: argv._.map(String) };
}

/** Why greyctl cannot be told this, or has to be told otherwise; undefined where it can. */
function objection(name: OptionName, texts: readonly string[], all: Given): string | undefined {
  if (leftOut[name] !== undefined) return leftOut[name];
  if (name === 'unix' && all.inet) return 'postgrey does not heed it beside --inet';
  if (name === 'delay' && Number(texts.at(-1)) === 0)
    return 'postgrey takes 0 as its default; in greyctl it lets everything pass';
  try {
    const [first = '', ...more] = texts;
    (options[name] as Option<unknown>).read([first, ...more]);
  } catch (error) {
    if (error instanceof BadValue) return error.message;
    throw error;
  }
  return texts.some((text) => configLine(name, text) === undefined)
    ? 'the configuration file cannot hold this text'
    : undefined;
}

/** Reads what /etc/default/postgrey says. */
export function movedSettings({ words, text }: PostgreyDefaults): MovedSettings {
  const { given: all, unknown } = given(words);
  const told: Given = text === undefined ? all : { ...all, 'greylist-text': [text] };
  const notes = unknown.map((word) => `${word}: no option of greyctl, left out`);
  const kept: Partial<Record<OptionName, readonly string[]>> = {};
  for (const name of optionNames) {
    const texts = told[name];
    if (!texts) continue;
    const option: Option<unknown> = options[name];
    const counted = option.repeatable ? texts : texts.slice(-1);
    const why = objection(name, counted, told);
    if (why === undefined) kept[name] = counted;
    else notes.push(`--${name}: left out, ${why}`);
  }
  notes.push(...resolve(kept, {}).problems);
  return { given: kept, databaseFolder: told.dbdir?.at(-1), notes };
}

/** A configuration file with these settings; `source` is where they come from. */
export function configText(settings: Given, source: string): string {
  const lines = optionNames.flatMap((name) =>
    (settings[name] ?? []).map((text) => configLine(name, text) ?? ''),
  );
  const none = ['# None: what postgrey does by default, greyctl does.'];
  return [`# Settings of postgrey, from ${source}.`, ...(lines.length > 0 ? lines : none), ''].join('\n');
}
