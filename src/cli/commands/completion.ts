import type { Argv } from 'yargs';
import type { Arguments, Process } from '../context.js';
import { bashScript, zshScript } from '../completion/scripts.js';
import { commandWords } from '../completion/words.js';
import { commands } from '../commands.js';

/** `greyctl completion`: a script for a shell. */
export function declare(yargs: Argv): Argv {
  return yargs.positional('shell', {
    choices: ['bash', 'zsh'],
    describe: 'whose completion',
  });
}

/** Prints the script. */
export async function run(argv: Arguments, outside: Process): Promise<undefined> {
  const words = await commandWords(commands);
  // yargs has checked the choices.
  outside.stdout.write(argv['shell'] === 'zsh' ? zshScript(words) : bashScript(words));
  return undefined;
}
