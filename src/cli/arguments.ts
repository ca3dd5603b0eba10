import type { Argv } from 'yargs';
import type { Option, OptionGroup } from '../config/option.js';
import { optionNames, options, type OptionName } from '../config/options.js';
import type { Given } from '../config/resolve.js';
import { BadValue } from '../config/value.js';
import { Failure } from '../greylist/failure.js';

/** How yargs takes a command line apart: texts stay what they are. */
export const parserRules = {
  'parse-numbers': false,
  'parse-positional-numbers': false,
  'boolean-negation': false,
  'camel-case-expansion': false,
  'dot-notation': false,
  'greedy-arrays': false,
} as const;

/**
 * Arguments with quoted words put together again. `greyctl serve $POSTGREY_OPTS` in a shell splits --greylist-text="Greylisted for %s" at
 * its blanks and leaves the quotes in; what stands between them is one value.
 */
export function joinQuoted(args: readonly string[]): string[] {
  const joined: string[] = [];
  for (let index = 0; index < args.length; index += 1) {
    const arg = args[index] ?? '';
    const [, name = '', quote = ''] = /^(--[\w-]+=|)(["'])/.exec(arg) ?? [];
    const start = name.length + 1;
    let end = index;
    let text = arg;
    while (quote && !(text.length > start && text.endsWith(quote)) && end + 1 < args.length) {
      end += 1;
      text += ` ${args[end] ?? ''}`;
    }
    if (quote && text.length > start && text.endsWith(quote)) {
      joined.push(name + text.slice(start, -1));
      index = end;
    } else {
      joined.push(arg);
    }
  }
  return joined;
}

/** What stands for `-` until yargs is done, which drops it from a list of names; no argument can hold it. */
const dash = '\0';

/** Arguments in which `-` gets through yargs as a name; `nameOf` makes it `-` again. */
export function guardDashes(args: readonly string[]): string[] {
  return args.map((arg) => (arg === '-' ? dash : arg));
}

/** A name as it was given, of arguments that went through `guardDashes`. */
export function nameOf(argument: string): string {
  return argument === dash ? '-' : argument;
}

/** The options of a command, by what they are for. */
function optionsOf(groups: readonly OptionGroup[]): OptionName[] {
  return optionNames.filter((name) => groups.includes((options[name] as Option<unknown>).group));
}

const titles: Readonly<Record<OptionGroup, string>> = {
  general: 'Everywhere:',
  decision: 'The decision:',
  server: 'The server:',
};

/** Tells yargs of all settings in these groups. Values stay text: config/ reads them. */
export function declareSettings(yargs: Argv, groups: readonly OptionGroup[]): Argv {
  return declareOptions(yargs, optionsOf(groups), false);
}

function declareOptions(yargs: Argv, names: readonly OptionName[], isHidden: boolean): Argv {
  for (const name of names) {
    const option: Option<unknown> = options[name];
    yargs.option(name, {
      ...(option.alias && { alias: [...option.alias] }),
      describe: option.argument ? `${option.describe} [${option.argument}]` : option.describe,
      group: titles[option.group],
      hidden: isHidden,
      type: option.argument ? 'string' : 'boolean',
      ...(option.argument && option.bare === undefined && { requiresArg: true }),
    });
  }
  return yargs;
}

/**
 * Takes the server's own switches as well, though they change nothing: so `$GREYCTL_OPTS` can be given as it is. All but those that
 * the command has a use of its own for.
 */
export function tolerateServerSettings(yargs: Argv, except: readonly OptionName[] = []): Argv {
  return declareOptions(
    yargs,
    optionsOf(['server']).filter((name) => !except.includes(name)),
    true,
  );
}

/** The text of an option that is no setting; the last one where it was given several times. */
export function textOf(argv: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value: unknown = argv[name];
  const last: unknown = Array.isArray(value) ? value.at(-1) : value;
  return typeof last === 'string' ? nameOf(last) : undefined;
}

/** A number or a duration of an option; a Failure that names the option where it is none. */
export function readOption<T>(
  argv: Readonly<Record<string, unknown>>,
  name: string,
  read: (text: string) => T,
): T | undefined {
  const text = textOf(argv, name);
  if (text === undefined) return undefined;
  try {
    return read(text);
  } catch (error) {
    if (error instanceof BadValue) throw new Failure(`--${name}: ${error.message}`, { kind: 'usage' });
    throw error;
  }
}

/** The texts given for settings, out of what yargs parsed; the last one counts where a setting has one value. */
export function givenSettings(argv: Readonly<Record<string, unknown>>): Given {
  const given: Partial<Record<OptionName, readonly string[]>> = {};
  for (const name of optionNames) {
    const value = argv[name];
    if (value === undefined) continue;
    const { bare } = options[name] as Option<unknown>;
    const list: readonly unknown[] = Array.isArray(value) ? value : [value];
    given[name] = list.map((item) =>
      typeof item === 'boolean'
        ? item
          ? 'yes'
          : 'no'
        : item === '' && bare !== undefined
          ? bare
          : String(item),
    );
  }
  return given;
}
