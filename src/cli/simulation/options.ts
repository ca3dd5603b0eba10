import type { Argv } from 'yargs';
import { readDuration, readInteger } from '../../config/value.js';
import { parseNetwork, type Network } from '../../greylist/address.js';
import { Failure, reasonOf } from '../../greylist/failure.js';
import { excerpt, printable } from '../../greylist/printable.js';
import type { SourceProblem } from '../../maillog/sources.js';
import { parseTime } from '../time.js';
import { nameOf, readOption } from '../arguments.js';
import type { Arguments, Process } from '../context.js';
import { parsePattern } from '../../whitelist/pattern.js';
import type { Log } from './reading.js';

/** What of a log is to be read, and how. */
export interface LogOptions extends Log {
  /** Epoch seconds. */
  readonly since: number;
  readonly until: number;
}

/** The options of every command that reads logs. */
export function declareLog(yargs: Argv): Argv {
  return yargs
    .positional('log', {
      type: 'string',
      array: true,
      describe: 'mail logs, gzip or not, in any order; - is standard input',
    })
    .option('since', {
      type: 'string',
      requiresArg: true,
      describe: 'only attempts from then on: 2026-11-21, 2026-11-21T08:00, or 24h ago',
    })
    .option('until', { type: 'string', requiresArg: true, describe: 'only attempts before then' })
    .option('year', {
      type: 'string',
      requiresArg: true,
      describe: 'year of the first line, for time stamps without one',
    })
    .option('mynetworks', {
      type: 'string',
      requiresArg: true,
      describe: 'own networks, whose mail is not greylisted [CIDR,…]; default loopback',
    })
    .option('greylist-pattern', {
      type: 'string',
      requiresArg: true,
      describe: 'regular expression of an unusual greylisting reply',
    });
}

function listOf(argv: Arguments, name: string): string[] {
  const value = argv[name];
  const texts = Array.isArray(value) ? value : value === undefined ? [] : [value];
  return texts.map(String);
}

/** An IPv6 address, or network, as Postfix writes it in mynetworks: `[::1]/128`. */
const bracketed = /^\[([\da-f:.]+)\](\/\d+)?$/i;

function networksOf(texts: readonly string[]): Network[] | undefined {
  if (texts.length === 0) return undefined;
  return texts
    .flatMap((text) => text.split(/[\s,]+/))
    .filter(Boolean)
    .map((text) => {
      const network = parseNetwork(text.replace(bracketed, '$1$2'));
      if (!network) throw new Failure(`--mynetworks: "${excerpt(text)}" is not a network`, { kind: 'usage' });
      return network;
    });
}

function checkedPattern(text: string): string {
  try {
    parsePattern(text);
    return text;
  } catch (error) {
    throw new Failure(`--greylist-pattern: ${reasonOf(error)}`, { kind: 'usage', cause: error });
  }
}

/** Reads the options of `declareLog`; throws a Failure for what cannot be understood. */
export function logOptions(argv: Arguments, outside: Process): LogOptions {
  const time = (name: string) => readOption(argv, name, (text) => parseTime(text, outside.now(), 'h'));
  const [since, until] = [time('since') ?? -Infinity, time('until') ?? Infinity];
  if (until <= since) throw new Failure('--until must be later than --since', { kind: 'usage' });
  return {
    names: listOf(argv, 'log').map(nameOf),
    year: readOption(argv, 'year', (text) => readInteger(text, 1970, 9999)),
    since,
    until,
    ownNetworks: networksOf(listOf(argv, 'mynetworks')),
    greylistPattern: readOption(argv, 'greylist-pattern', checkedPattern),
  };
}

/** A name as a shell takes it. */
function quoted(name: string): string {
  return /^[\w@%+=:,./][\w@%+=:,./-]*$/.test(name) ? name : `'${name.replaceAll("'", "'\\''")}'`;
}

function hintFor({ source, remedy }: SourceProblem, command: string): string | undefined {
  if (remedy === undefined) return undefined;
  if (remedy === 'permission')
    return `sudo greyctl ${command} …, or join the group that may read it, often adm: ls -l ${quoted(source)}`;
  const unpacked = source === '-' ? `… | ${remedy.unpack}` : `${remedy.unpack} ${quoted(source)}`;
  return `${unpacked} | greyctl ${command} -`;
}

/** Tells what of the logs could not be read, and for the first for which there is something to do, that. */
export function tellProblems(problems: readonly SourceProblem[], command: string, outside: Process): void {
  let hint: string | undefined;
  for (const problem of problems) {
    outside.stderr.write(`greyctl: ${printable(problem.source)}: ${printable(problem.message)}\n`);
    hint ??= hintFor(problem, command);
  }
  if (hint !== undefined) outside.stderr.write(`Try: ${printable(hint)}\n`);
}

/** Seconds after which a sender comes back of whom the log shows no retry. */
export function assumedRetry(argv: Arguments): number {
  const seconds = readOption(argv, 'assume-retry', (text) => readDuration(text, 's')) ?? 900;
  if (seconds === 0) throw new Failure('--assume-retry: must be longer than nothing', { kind: 'usage' });
  return seconds;
}
