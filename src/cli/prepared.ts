/**
 * Answers that were made when greyctl was built: `--help` and the completion scripts, which people and shells ask for all the time, need
 * neither yargs nor any command. They are what the slow way prints, to the letter; what is not there takes the slow way.
 */
import { readFileSync } from 'node:fs';

/** Where they are once built. */
export const preparedFolder = new URL('../prepared/', import.meta.url);

/** The widths of a terminal for which the help is there: the usual one, and the widest that is used. */
export const preparedWidths = [80, 100] as const;

/** The file of a help in lines of at most `width`. */
export function helpFile(width: number): string {
  return `help-${width}.txt`;
}

/** The file of a shell's completion. */
export function completionFile(shell: string): string {
  return `completion.${shell}`;
}

function fileFor(args: readonly string[], width: number): string | undefined {
  switch (args.join(' ')) {
    case '--help':
    case '-h':
    case 'help':
      return helpFile(width);
    case 'completion bash':
      return completionFile('bash');
    case 'completion zsh':
      return completionFile('zsh');
    default:
      return undefined;
  }
}

/** What `args` print to a terminal of `width` columns, where it was prepared. */
export function preparedText(args: readonly string[], width: number): string | undefined {
  const file = fileFor(args, width);
  if (file === undefined) return undefined;
  try {
    return readFileSync(new URL(file, preparedFolder), 'utf8');
  } catch {
    return undefined;
  }
}
