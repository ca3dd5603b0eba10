/** The command line as yargs takes it apart. main.ts loads it only where no prepared text answers. */
import createYargs, { type Argv } from 'yargs';
import { declareSettings, guardDashes, joinQuoted, parserRules } from './arguments.js';
import type { Command, CommandModule, Run } from './command.js';
import { commands } from './commands.js';
import type { Arguments } from './context.js';
import { examples } from './examples.js';
import { hidePositionalNotes, misuse, type Asked } from './misuse.js';
import { version } from './version.js';

/** What main learns while yargs parses. */
export interface Course {
  /** The command that is being parsed: `greyctl db list`. */
  at(command: string): void;
  perform(run: Run | undefined, argv: Arguments): Promise<void>;
}

/** Not yargs' own table of examples, which breaks long lines: these can be copied as they stand. */
function withExamples(yargs: Argv, name: string): Argv {
  const lines = (examples[name] ?? []).map(([line, what]) => `  ${line}\n      ${what}`);
  return yargs.epilogue(['Examples:', ...lines].join('\n'));
}

function declareCommand(
  yargs: Argv,
  module: CommandModule,
  { name, positional = '', needs }: Command,
  course: Course,
  ask: (asked: Asked) => void,
): Argv {
  ask({ name, needs });
  const { subcommands } = module;
  withExamples(yargs, name);
  if (!subcommands) return hidePositionalNotes(module.declare(yargs), positional);
  for (const { command, describe, needs, declare, run } of subcommands) {
    yargs.command({
      command,
      describe,
      builder: (inner) => {
        const full = `${name} ${command.split(' ')[0] ?? ''}`;
        ask({ name: full, needs });
        return hidePositionalNotes(declare(withExamples(inner, full)), command);
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

function parser(args: readonly string[], width: number, course: Course): Argv {
  let asked: Asked = { name: '' };
  const ask = (now: Asked) => {
    asked = now;
    course.at(`greyctl ${now.name}`);
  };
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
    .wrap(width)
    .epilogue('greyctl help COMMAND tells of one command, man greyctl of everything.')
    .fail((message, error) => {
      // yargs passes null for the one that is missing, though its types promise both.
      throw (error as Error | null) ?? misuse(message, yargs, asked);
    });
  declareSettings(yargs, ['general']);
  for (const command of commands) {
    const { name, positional, describe, load } = command;
    let module: CommandModule | undefined;
    yargs.command({
      command: positional ? `${name} ${positional}` : name,
      describe,
      builder: async (inner) => declareCommand(inner, (module = await load()), command, course, ask),
      // At once: yargs then makes the text of the help, wanted or not, while the command waits for something.
      handler: (argv) => course.perform(module?.run, argv),
    });
  }
  return yargs;
}

/** `help db list` is `db list --help`; of a command that there is not, yargs would print the general help. */
function withoutHelp(args: readonly string[]): readonly string[] {
  const [first, name, ...more] = args;
  if (first !== 'help') return args;
  if (name === undefined) return ['--help'];
  return commands.some((command) => command.name === name) ? [name, ...more, '--help'] : [name];
}

/** Only these take the texts of an options file, which a shell may have split. */
const withOptionsFile = ['serve', 'config', 'doctor', 'simulate', 'db learn'];

/** Parses `args`, which loads the command they name, and hands it to `course`; rejects where they are wrong. */
export async function parse(args: readonly string[], width: number, course: Course): Promise<void> {
  const isSplit = withOptionsFile.some((name) => `${args.join(' ')} `.startsWith(`${name} `));
  await parser(guardDashes(isSplit ? joinQuoted(args) : withoutHelp(args)), width, course).parseAsync();
}

/** What `greyctl --help` prints, in lines of at most `width`. */
export async function generalHelp(width: number): Promise<string> {
  const idle: Course = { at: () => undefined, perform: () => Promise.resolve() };
  return `${await parser([], width, idle).getHelp()}\n`;
}
