import type { Argv } from 'yargs';
import type { Arguments, Process } from './context.js';

/** Does what was asked; resolves to the exit status, undefined for 0. */
export type Run = (argv: Arguments, outside: Process) => Promise<number | undefined>;

/** One of several things a command does: `whitelist add`. */
export interface Subcommand {
  /** As yargs wants it, with its positional arguments: `add <pattern..>`. */
  readonly command: string;
  /** What must be said with it, where it has positional arguments that must be given: `which mail log to read`. */
  readonly needs?: string;
  readonly describe: string;
  readonly declare: (yargs: Argv) => Argv;
  readonly run: Run;
}

/** What the module of a command exports: its arguments, and either what it does or its subcommands. */
export interface CommandModule {
  readonly declare: (yargs: Argv) => Argv;
  readonly run?: Run;
  readonly subcommands?: readonly Subcommand[];
}

/** A command as the table of all commands has it. */
export interface Command {
  readonly name: string;
  /** Positional arguments, as yargs wants them. */
  readonly positional?: string;
  /** As of a subcommand. */
  readonly needs?: string;
  readonly describe: string;
  /** Loaded when the command is used: `greyctl --help` needs none of them. */
  readonly load: () => Promise<CommandModule>;
}

/** The exit status of a command whose answer is no: not found, not healthy. */
export const answerIsNo = 3;
