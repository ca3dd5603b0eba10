import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Argv } from 'yargs';
import { Failure, reasonOf } from '../../greylist/failure.js';
import { declareSettings } from '../arguments.js';
import { settingsFor, type Arguments, type Process } from '../context.js';
import { backgroundFlag, daemonize } from '../serving/background.js';
import { serve } from '../serving/service.js';

/** `greyctl serve`: all of postgrey's switches. */
export function declare(yargs: Argv): Argv {
  return declareSettings(yargs.usage('$0 serve [OPTION…]'), ['server', 'decision'])
    .option('man', { type: 'boolean', describe: 'show the manual', hidden: true })
    .option(backgroundFlag, { type: 'boolean', hidden: true });
}

/** Serves until a signal ends it. */
export async function run(argv: Arguments, outside: Process): Promise<number> {
  if (argv['man'] === true) {
    const page = fileURLToPath(new URL('../../../man/greyctl.8', import.meta.url));
    const { status, error } = spawnSync('man', [page], { stdio: 'inherit' });
    if (error)
      throw new Failure(`cannot run man(1): ${reasonOf(error)}`, {
        cause: error,
        hint: `mandoc ${page}, or less ${page}`,
      });
    return status ?? 1;
  }
  const { values } = settingsFor(argv, outside);
  const isBackground = argv[backgroundFlag] === true;
  if (values.daemonize && !isBackground) return daemonize(outside);
  await serve(values, outside, isBackground);
  // What still holds the process (a client's half-open socket, a thread that writes to a full pipe) must not.
  process.exit(0);
}
