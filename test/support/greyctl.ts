/** The real program, as an operator starts it. */
import path from 'node:path';
import type { ChildProcess } from 'node:child_process';
import { environment, start, type Exit } from './background.js';
import { within } from './deadline.js';
import type { FakeClock } from './fake-clock.js';

/** Compiled tests live in build/test/support. */
export const repositoryRoot = path.resolve(import.meta.dirname, '../../..');

/** What `greyctl` is. */
export const program = path.join(repositoryRoot, 'bin/greyctl.js');
const commandMilliseconds = 60_000;

export interface CommandOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** The program's clock; without it the real time. */
  readonly clock?: FakeClock;
  readonly cwd?: string;
}

export interface Result {
  /** Null when a signal ended it. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Server {
  /** The first socket, as `inet:127.0.0.1:PORT` or `unix:PATH`. */
  readonly endpoint: string;
  /** Every socket, in the order the server named them. */
  readonly endpoints: readonly string[];
  readonly process: ChildProcess;
  stderr(): string;
  stdout(): string;
  /** Waits until stderr matches `pattern`. */
  expectStderr(pattern: RegExp): Promise<RegExpExecArray>;
  readonly exited: Promise<Exit>;
  /** Sends the signal (default SIGTERM) and waits for the end. Does nothing a second time. */
  stop(signal?: NodeJS.Signals): Promise<Exit>;
  /** SIGKILL, and waits for the end. */
  kill(): Promise<Exit>;
}

function launch(args: readonly string[], options: CommandOptions & { input?: string | Uint8Array }) {
  return start(process.execPath, [program, ...args], {
    env: environment({ ...options.clock?.env, ...options.env }),
    cwd: options.cwd ?? repositoryRoot,
    ...(options.input !== undefined && { input: options.input }),
  });
}

/** Runs one command to its end. */
export async function run(
  args: readonly string[],
  options: CommandOptions & { input?: string | Uint8Array } = {},
): Promise<Result> {
  const child = launch(args, options);
  try {
    const { status } = await within(child.exited, `end of greyctl ${args.join(' ')}`, commandMilliseconds);
    return { status, stdout: child.stdout(), stderr: child.stderr() };
  } finally {
    await child.kill();
  }
}

/** Starts `greyctl serve ARGS` and waits until it listens on as many sockets as the arguments name; the caller stops it. */
export async function serve(args: readonly string[], options: CommandOptions = {}): Promise<Server> {
  const child = launch(['serve', ...args], options);
  const wanted = Math.max(1, args.filter((arg) => /^(--(inet|unix)\b|-[iu])/.test(arg)).length);
  const listening = () => {
    const endpoints = [...child.stderr().matchAll(/\blistening on (\S+)\n/g)].map(([, name = '']) => name);
    return endpoints.length >= wanted ? endpoints : undefined;
  };
  try {
    const endpoints = await child.until(listening, '`listening on` from greyctl serve');
    return {
      ...child,
      endpoints,
      endpoint: endpoints[0] ?? '',
      expectStderr: (pattern) =>
        child.until(() => pattern.exec(child.stderr()) ?? undefined, `${String(pattern)} on stderr`),
    };
  } catch (error) {
    await child.kill();
    throw error;
  }
}
