/** What is wrong with a command line that yargs refuses, in the words of greyctl. */
import type { Argv } from 'yargs';
import { Failure } from '../greylist/failure.js';
import { examples } from './examples.js';

/** The command that is being parsed. */
export interface Asked {
  /** `db list`; empty while none is known. */
  readonly name: string;
  readonly needs?: string | undefined;
}

/** Of yargs, what its types keep to themselves. */
interface Declared {
  readonly key: Readonly<Record<string, unknown>>;
  readonly alias: Readonly<Record<string, readonly string[]>>;
  readonly demandedOptions: Record<string, unknown>;
  readonly default: Record<string, unknown>;
}

function declaredIn(yargs: Argv): Declared {
  return (yargs as unknown as { getOptions(): Declared }).getOptions();
}

/** The names in `<log..>` or `<from> <to>`. */
export function positionalNames(command: string): string[] {
  return [...command.matchAll(/[<[]([\w-]+)/g)].map(([, word = '']) => word);
}

/** Keeps yargs from showing `[required] [default: []]` at positional arguments: the line of usage says what must be given. */
export function hidePositionalNotes(yargs: Argv, command: string): Argv {
  const declared = declaredIn(yargs);
  for (const name of positionalNames(command)) {
    // That they are there is checked by their number.
    Reflect.deleteProperty(declared.demandedOptions, name);
    if (Object.hasOwn(declared.default, name)) declared.default[name] = undefined;
  }
  return yargs;
}

/** The options that were typed and that the command does not have, as they were typed. */
function unknownOptions(yargs: Argv): string[] {
  if (yargs.parsed === false) return [];
  const { key, alias } = declaredIn(yargs);
  const known = new Set([...Object.keys(key), ...Object.keys(alias), ...Object.values(alias).flat()]);
  return Object.keys(yargs.parsed.argv)
    .filter((name) => !known.has(name) && name !== '_' && name !== '--' && name !== '$0')
    .map((name) => (name.length === 1 ? `-${name}` : `--${name}`));
}

/** The Failure for what yargs says of a command line. An unknown option goes first: it may have taken the next word for its value. */
export function misuse(said: string, yargs: Argv, { name, needs }: Asked): Failure {
  const isShort = said.startsWith('Not enough non-option arguments');
  const unknown = isShort || said.startsWith('Unknown argument') ? unknownOptions(yargs) : [];
  if (unknown.length > 0) return new Failure(`there is no option ${unknown.join(', ')}`, { kind: 'usage' });
  if (!isShort || needs === undefined) return new Failure(said, { kind: 'usage' });
  const wrong = yargs.parsed === false ? null : yargs.parsed.error;
  if (wrong) return new Failure(wrong.message, { kind: 'usage' });
  const example = examples[name]?.[0]?.[0].replaceAll('$0', 'greyctl');
  return new Failure(`say ${needs}`, { kind: 'usage', ...(example !== undefined && { hint: example }) });
}
