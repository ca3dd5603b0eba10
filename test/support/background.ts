/** Programs that run beside a test and never outlive it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { eventually, stepMilliseconds, within } from './deadline.js';

export interface Exit {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Background {
  readonly process: ChildProcess;
  stdout(): string;
  stderr(): string;
  /** Resolves when the program has ended and all it wrote has been read. */
  readonly exited: Promise<Exit>;
  /** Waits until `probe` gives something, or fails when the program ends before. */
  until<T>(probe: () => T | undefined | Promise<T | undefined>, news: string): Promise<T>;
  /** Sends `signal` and waits for the end; one that does not end is killed and reported. Does nothing a second time. */
  stop(signal?: NodeJS.Signals): Promise<Exit>;
  /** SIGKILL, and waits for the end. */
  kill(): Promise<Exit>;
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
// A test file that is ended from outside, by a time limit or the keyboard, takes its programs with it.
for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

/** The environment of this process without greyctl's settings, which would steer the program under test. */
export function environment(more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(GREYCTL_|NODE_|FAKETIME|LD_)/.test(name));
  return { ...Object.fromEntries(kept), ...more };
}

/** Starts `command`; `input` is what it reads from stdin (default: nothing). */
export function start(
  command: string,
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv; cwd?: string; input?: string | Uint8Array } = {},
): Background {
  const child = spawn(command, args, { env: options.env ?? environment(), cwd: options.cwd, stdio: 'pipe' });
  running.add(child);
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  // A program may end without reading its input.
  child.stdin.on('error', () => undefined).end(options.input ?? '');
  let ended = false;
  const exited = new Promise<Exit>((resolve) => {
    child.on('error', (error) => (stderr += `${error.message}\n`));
    child.on('close', (status, signal) => {
      ended = true;
      running.delete(child);
      resolve({ status, signal });
    });
  });

  const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
    if (ended) return exited;
    child.kill(signal);
    try {
      return await within(exited, `end of ${command} after ${signal}`, 2 * stepMilliseconds);
    } catch (error) {
      child.kill('SIGKILL');
      // A grandchild that still holds the pipes must not keep the test running.
      child.stdout.destroy();
      child.stderr.destroy();
      child.unref();
      throw error;
    }
  };
  const until: Background['until'] = (probe, news) =>
    eventually(async () => {
      const over = ended;
      const found = await probe();
      if (found === undefined && over)
        throw new Error(`no ${news}: ${command} ended, having said:\n${stdout}${stderr}`);
      return found;
    }, news).catch((error: unknown) => {
      throw ended
        ? error
        : new Error(`${String(error)}; ${command} said:\n${stdout}${stderr}`, { cause: error });
    });
  return {
    process: child,
    stdout: () => stdout,
    stderr: () => stderr,
    exited,
    until,
    stop,
    kill: () => stop('SIGKILL'),
  };
}
