/** The kinds of settings that the table in options.ts is made of. */
import {
  readChoice,
  readDuration,
  readFlag,
  readInteger,
  readText,
  writeDuration,
  type DurationUnit,
} from './value.js';

/** Which commands take a setting: all; those that decide; `serve` and what prints its settings. */
export type OptionGroup = 'general' | 'decision' | 'server';

/** One setting: how it is named, described, read and written. */
export interface Option<T> {
  readonly describe: string;
  readonly group: OptionGroup;
  /** Other names; one letter is a short option. */
  readonly alias?: readonly string[];
  /** What stands for the value in the help; undefined for a flag. */
  readonly argument?: string;
  /** All values there are, where these are few. */
  readonly choices?: readonly string[];
  /** The text that a bare `--name` stands for, where it may be bare. */
  readonly bare?: string;
  /** May be given several times. */
  readonly repeatable?: boolean;
  /** Makes no sense in a file or the environment. */
  readonly commandLineOnly?: boolean;
  readonly default: T;
  /** Reads all texts given (one, where it is not repeatable); throws BadValue. */
  read(texts: readonly [string, ...string[]]): T;
  /** Texts that `read` gives the value back from. */
  write(value: T): readonly string[];
}

type Details = Pick<Option<unknown>, 'describe' | 'group'> &
  Partial<Pick<Option<unknown>, 'alias' | 'bare' | 'commandLineOnly'>>;

/** A setting with one value. */
export function single<T>(
  details: Details,
  argument: string,
  initial: T,
  read: (text: string) => T,
  write: (value: T) => string,
): Option<T> {
  return {
    ...details,
    argument,
    default: initial,
    read: (texts) => read(texts.at(-1) ?? ''),
    write: (value) => [write(value)],
  };
}

/** One of a few words. */
export function choice<T extends string>(
  details: Details,
  argument: string,
  choices: readonly T[],
  initial: T,
): Option<T> {
  return { ...single(details, argument, initial, (text) => readChoice(text, choices), String), choices };
}

/** A setting in seconds; a bare number counts in `bareUnit`. */
export function duration(
  details: Details,
  argument: string,
  bareUnit: DurationUnit,
  initial: number,
  zeroMeansDefault = false,
): Option<number> {
  const read = (text: string) => {
    const seconds = readDuration(text, bareUnit);
    return seconds === 0 && zeroMeansDefault ? initial : seconds;
  };
  return single(details, argument, initial, read, writeDuration);
}

/** A whole number from `least` to `most`. */
export function integer(details: Details, initial: number, least: number, most: number): Option<number> {
  return single(details, 'N', initial, (text) => readInteger(text, least, most), String);
}

/** Yes or no. */
export function flag(details: Details): Option<boolean> {
  return {
    ...details,
    default: false,
    read: (texts) => readFlag(texts.at(-1) ?? ''),
    write: (value) => [value ? 'yes' : 'no'],
  };
}

/** One line of text. */
export function text<T extends string | undefined>(
  details: Details,
  argument: string,
  initial: T,
): Option<string | T> {
  const write = (value: string | T) => (value === undefined ? [] : [value]);
  return { ...details, argument, default: initial, read: (texts) => readText(texts.at(-1) ?? ''), write };
}

/** A setting that may be given several times. */
export function list(
  details: Details,
  argument: string,
  read: (text: string) => string = readText,
): Option<readonly string[]> {
  return {
    ...details,
    argument,
    repeatable: true,
    default: [],
    read: (texts) => texts.map(read),
    write: (values) => values,
  };
}
