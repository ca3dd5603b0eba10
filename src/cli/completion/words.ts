/** All words that a shell can complete, out of the tables that the commands themselves are made of. */
import createYargs, { type Argv } from 'yargs';
import type { Option } from '../../config/option.js';
import { options, type OptionName } from '../../config/options.js';
import { declareSettings } from '../arguments.js';
import type { Command } from '../command.js';
import { positionalNames } from '../misuse.js';
import { kinds } from '../whitelist/words.js';

/** An option as it is typed. */
export interface OptionWord {
  /** `--delay`, `-d`. */
  readonly word: string;
  readonly describe: string;
  /** A value follows. */
  readonly takesValue: boolean;
  readonly choices: readonly string[];
}

/** A command, or one of its subcommands, and what may follow. */
export interface CommandWords {
  /** `serve`, `whitelist add`. */
  readonly name: string;
  readonly describe: string;
  readonly options: readonly OptionWord[];
  /** Words that may stand first among its arguments. */
  readonly kinds: readonly string[];
}

/** Of yargs' declarations, what its types keep to themselves. */
interface Declared {
  readonly key: Readonly<Record<string, unknown>>;
  readonly alias: Readonly<Record<string, readonly string[]>>;
  readonly boolean: readonly string[];
  readonly choices: Readonly<Record<string, readonly string[]>>;
  readonly hiddenOptions: readonly string[];
}

function settingOf(name: string): Option<unknown> | undefined {
  return Object.hasOwn(options, name) ? options[name as OptionName] : undefined;
}

function declared(declare: (yargs: Argv) => Argv): { yargs: Argv; known: Declared } {
  const yargs = declareSettings(declare(createYargs([])), ['general'])
    .help('help')
    .alias('help', 'h');
  return { yargs, known: (yargs as unknown as { getOptions(): Declared }).getOptions() };
}

/** The words that the first argument of a command may be, or begin with. */
function wordsOfFirst(declare: (yargs: Argv) => Argv, [first]: readonly string[]): readonly string[] {
  if (first === undefined) return [];
  return first === 'pattern' ? kinds : (declared(declare).known.choices[first] ?? []);
}

function optionWords(declare: (yargs: Argv) => Argv, positional: readonly string[]): OptionWord[] {
  const { yargs, known } = declared(declare);
  const texts = (
    yargs as unknown as {
      getInternalMethods(): { getUsageInstance(): { getDescriptions(): Record<string, string | undefined> } };
    }
  )
    .getInternalMethods()
    .getUsageInstance()
    .getDescriptions();
  const aliases = new Set(Object.values(known.alias).flat());
  return Object.keys(known.key)
    .filter((name) => !aliases.has(name))
    .filter((name) => !known.hiddenOptions.includes(name) && !positional.includes(name) && name !== 'version')
    .flatMap((name) =>
      [name, ...(known.alias[name] ?? [])].map((each) => ({
        word: each.length === 1 ? `-${each}` : `--${each}`,
        describe: (texts[name] ?? '').replace(/^__yargsString__:/, ''),
        takesValue: !known.boolean.includes(name),
        choices: known.choices[name] ?? settingOf(name)?.choices ?? [],
      })),
    );
}

/** Commands and subcommands, in the order of the help. */
export async function commandWords(commands: readonly Command[]): Promise<CommandWords[]> {
  const words: CommandWords[] = [];
  for (const { name, positional = '', describe, load } of commands) {
    const { declare, subcommands = [] } = await load();
    const places = positionalNames(positional);
    words.push({
      name,
      describe,
      options: optionWords(declare, places),
      kinds: wordsOfFirst(declare, places),
    });
    for (const subcommand of subcommands) {
      const places = positionalNames(subcommand.command);
      words.push({
        name: `${name} ${subcommand.command.split(' ')[0] ?? ''}`,
        describe: subcommand.describe,
        options: optionWords(subcommand.declare, places),
        kinds: wordsOfFirst(subcommand.declare, places),
      });
    }
  }
  return words;
}
