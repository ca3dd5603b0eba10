/**
 * The only map from what happened to message and exit status:
 * 0 done, 1 it could not be done, 2 wrong usage or configuration, 3 the answer is no, 70 a bug in greyctl.
 */
import { homedir } from 'node:os';
import createYargs, { type Argv } from 'yargs';
import { Failure } from '../greylist/failure.js';
import { printable } from '../greylist/printable.js';
import { declareSettings, guardDashes, joinQuoted, parserRules } from './arguments.js';
import type { CommandModule, Run } from './command.js';
import type { Arguments, Process } from './context.js';
import { version } from './version.js';

interface Command {
  readonly name: string;
  /** Positional arguments, as yargs wants them. */
  readonly positional?: string;
  readonly describe: string;
  /** Loaded when the command is used: `greyctl --help` needs none of them. */
  readonly load: () => Promise<CommandModule>;
}

/** All commands, in the order of the help. */
export const commands: readonly Command[] = [
  {
    name: 'serve',
    describe: 'the policy server: greylist mail for Postfix',
    load: () => import('./commands/serve.js'),
  },
  { name: 'stats', describe: 'what greylisting did', load: () => import('./commands/stats.js') },
  {
    name: 'whitelist',
    describe: 'clients, recipients and senders that are never deferred',
    load: () => import('./commands/whitelist.js'),
  },
  { name: 'db', describe: 'look into the database', load: () => import('./commands/db.js') },
  {
    name: 'import',
    describe: 'move over from another greylister',
    load: () => import('./commands/import.js'),
  },
  {
    name: 'explain',
    describe: 'the decision for one attempt, step by step',
    load: () => import('./commands/explain.js'),
  },
  {
    name: 'simulate',
    positional: '<log..>',
    describe: 'rehearse settings on a mail log',
    load: () => import('./commands/simulate.js'),
  },
  {
    name: 'config',
    describe: 'print configuration for Postfix, for the unit, and the settings in force',
    load: () => import('./commands/config.js'),
  },
  {
    name: 'doctor',
    describe: 'is Postfix wired right, the server there, the database healthy?',
    load: () => import('./commands/doctor.js'),
  },
  {
    name: 'completion',
    positional: '<shell>',
    describe: 'completion for bash or zsh',
    load: () => import('./commands/completion.js'),
  },
];

/** What main learns while yargs parses. */
interface Course {
  /** The command that is being parsed: `greyctl db list`. */
  at(command: string): void;
  perform(run: Run | undefined, argv: Arguments): Promise<void>;
}

function declareCommand(yargs: Argv, module: CommandModule, name: string, course: Course): Argv {
  course.at(`greyctl ${name}`);
  const { subcommands } = module;
  if (!subcommands) return module.declare(yargs);
  for (const { command, describe, declare, run } of subcommands) {
    yargs.command({
      command,
      describe,
      builder: (inner) => {
        course.at(`greyctl ${name} ${command.split(' ')[0] ?? ''}`);
        return declare(inner);
      },
      handler: (argv) => course.perform(run, argv),
    });
  }
  const names = subcommands.map(({ command }) => command.split(' ')[0] ?? '');
  return module
    .declare(yargs)
    .usage(`$0 ${name} ${names.join('|')} [OPTION…]`)
    .demandCommand(1, `say what to do: greyctl ${name} ${names.join('|')}`);
}

function parser(args: readonly string[], outside: Process, course: Course): Argv {
  const yargs = createYargs([...args])
    .scriptName('greyctl')
    .locale('en')
    .usage('$0 COMMAND [OPTION…]\n\nGreylisting for Postfix.')
    .parserConfiguration(parserRules)
    .exitProcess(false)
    .showHelpOnFail(false)
    .strict()
    .strictCommands()
    .demandCommand(1, 'a command is missing')
    .help('help')
    .alias('help', 'h')
    .version(`greyctl ${version()}`)
    .wrap(outside.stdout.isTTY ? Math.min(100, outside.stdout.columns) : 100)
    .epilogue('greyctl help COMMAND tells of one command, man greyctl of everything.')
    .fail((message, error) => {
      // yargs passes null for the one that is missing, though its types promise both.
      throw (error as Error | null) ?? new Failure(message, { kind: 'usage' });
    });
  declareSettings(yargs, ['general']);
  for (const { name, positional, describe, load } of commands) {
    yargs.command({
      command: positional ? `${name} ${positional}` : name,
      describe,
      builder: async (inner) => declareCommand(inner, await load(), name, course),
      handler: async (argv) => {
        await course.perform((await load()).run, argv);
      },
    });
  }
  return yargs;
}

/** What was thrown, where it is the operator's to mend; yargs has errors of its own kind. */
function asFailure(error: unknown): Failure | undefined {
  if (error instanceof Failure) return error;
  if (!(error instanceof Error && error.name === 'YError')) return undefined;
  return new Failure(error.message, { kind: 'usage', cause: error });
}

function report(error: unknown, command: string, stderr: NodeJS.WritableStream): number {
  const failure = asFailure(error);
  if (!failure) {
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
    stderr.write(`greyctl: this is a bug in greyctl, please report it: ${detail}\n`);
    return 70;
  }
  const help = failure.kind === 'usage' ? `${command} --help` : undefined;
  const hint = failure.hint ?? help;
  const message = failure.message.split('\n').map(printable).join('\n');
  stderr.write(`greyctl: ${message}\n${hint ? `Try: ${hint}\n` : ''}`);
  return failure.kind === 'usage' ? 2 : 1;
}

/** `help db list` is `db list --help`; of a command that there is not, yargs would print the general help. */
function withoutHelp(args: readonly string[]): readonly string[] {
  const [first, name, ...more] = args;
  if (first !== 'help') return args;
  if (name === undefined) return ['--help'];
  return commands.some((command) => command.name === name) ? [name, ...more, '--help'] : [name];
}

/** Runs the command line `args` and resolves to the exit status. */
export async function main(args: readonly string[], outside: Process): Promise<number> {
  // Only these take the texts of an options file, which a shell may have split.
  const isSplit = args[0] === 'serve' || args[0] === 'config' || args[0] === 'doctor';
  const words = guardDashes(isSplit ? joinQuoted(args) : withoutHelp(args));
  let status = 0;
  let command = 'greyctl';
  const course: Course = {
    at: (name) => {
      command = name;
    },
    perform: async (run, argv) => {
      status = (await run?.(argv, outside)) ?? 0;
    },
  };
  try {
    await parser(words, outside, course).parseAsync();
    return status;
  } catch (error) {
    return report(error, command, outside.stderr);
  }
}

/** The real process. A reader that went away (`| head`) is a quiet end. */
export function runningProcess(): Process {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? 0 : 1);
  });
  return {
    environment: process.env,
    stdout: process.stdout,
    stderr: process.stderr,
    userId: process.getuid?.() ?? -1,
    home: homedir(),
    now: () => Math.floor(Date.now() / 1000),
  };
}
