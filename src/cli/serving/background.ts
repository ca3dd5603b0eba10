import { spawn } from 'node:child_process';
import type { Process } from '../context.js';

/** The hidden option by which the server in the background knows that it is one. */
export const backgroundFlag = 'in-background';

/** Puts the server into the background: a new session without a terminal. Resolves to the exit status once it is ready, or has failed. */
export function daemonize(outside: Process): Promise<number> {
  const [script = '', ...args] = process.argv.slice(1);
  const child = spawn(process.execPath, [...process.execArgv, script, ...args, `--${backgroundFlag}`], {
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  child.stderr?.pipe(outside.stderr, { end: false });
  return new Promise((resolve) => {
    child.once('message', () => {
      child.disconnect();
      child.stderr?.destroy();
      child.unref();
      resolve(0);
    });
    child.once('exit', (code) => {
      resolve(code ?? 1);
    });
  });
}
