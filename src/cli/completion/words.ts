/** All words that a shell can complete, out of the tables that the commands themselves are made of. */
import createYargs, { type Argv } from 'yargs';
import { declareSettings } from '../arguments.js';
import type { Command } from '../command.js';

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

/** Words that name what a pattern is for, before the patterns. */
const kinds = ['client', 'recipient', 'sender'];

/** Of yargs' declarations, what its types keep to themselves. */
interface Declared {
  readonly key: Readonly<Record<string, unknown>>;
  readonly alias: Readonly<Record<string, readonly string[]>>;
  readonly boolean: readonly string[];
  readonly choices: Readonly<Record<string, readonly string[]>>;
  readonly hiddenOptions: readonly string[];
}

function optionWords(declare: (yargs: Argv) => Argv, positional: readonly string[]): OptionWord[] {
  const yargs = declareSettings(declare(createYargs([])), ['general'])
    .help('help')
    .alias('help', 'h');
  const known = (yargs as unknown as { getOptions(): Declared }).getOptions();
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
        choices: known.choices[name] ?? [],
      })),
    );
}

function positionalOf(command: string): string[] {
  return [...command.matchAll(/[<[]([\w-]+)/g)].map(([, word = '']) => word);
}

/** Commands and subcommands, in the order of the help. */
export async function commandWords(commands: readonly Command[]): Promise<CommandWords[]> {
  const words: CommandWords[] = [];
  for (const { name, positional = '', describe, load } of commands) {
    const { declare, subcommands = [] } = await load();
    words.push({ name, describe, options: optionWords(declare, positionalOf(positional)), kinds: [] });
    for (const subcommand of subcommands) {
      const [first, ...more] = positionalOf(subcommand.command);
      words.push({
        name: `${name} ${subcommand.command.split(' ')[0] ?? ''}`,
        describe: subcommand.describe,
        options: optionWords(subcommand.declare, first === undefined ? [] : [first, ...more]),
        kinds: name === 'whitelist' && first === 'pattern' ? kinds : [],
      });
    }
  }
  return words;
}
