/**
 * The only map from what happened to message and exit status:
 * 0 done, 1 it could not be done, 2 wrong usage or configuration, 3 the answer is no, 70 a bug in greyctl.
 */
import { homedir } from 'node:os';
import { withoutPassword } from '../config/redis-url.js';
import { codeOf, Failure, reasonOf } from '../greylist/failure.js';
import { printable } from '../greylist/printable.js';
import type { Process } from './context.js';
import { preparedText } from './prepared.js';

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
  stderr.write(`greyctl: ${message}\n${hint ? `Try: ${printable(hint)}\n` : ''}`);
  return failure.kind === 'usage' ? 2 : 1;
}

/** Runs the command line `args` and resolves to the exit status. */
export async function main(args: readonly string[], outside: Process): Promise<number> {
  const { stdout } = outside;
  const width = stdout.isTTY ? Math.min(100, stdout.columns) : 100;
  const prepared = preparedText(args, width);
  if (prepared !== undefined) {
    stdout.write(prepared);
    return 0;
  }
  let status = 0;
  let command = 'greyctl';
  try {
    // yargs is half of the time to start: what is prepared does without.
    const { parse } = await import('./parser.js');
    await parse(args, width, {
      at: (name) => {
        command = name;
      },
      perform: async (run, argv) => {
        status = (await run?.(argv, outside)) ?? 0;
      },
    });
    return status;
  } catch (error) {
    return report(error, command, outside.stderr);
  }
}

/** The real process. A reader that went away (`| head`) is a quiet end. */
export function runningProcess(): Process {
  // What ps(1) shows of this process from now on.
  const shown = process.argv.map(withoutPassword);
  if (shown.some((word, index) => word !== process.argv[index])) process.title = shown.join(' ');
  process.stdout.on('error', (error) => {
    if (codeOf(error) === 'EPIPE') process.exit(0);
    process.exit(report(new Failure(`standard output: ${reasonOf(error)}`), '', process.stderr));
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
