/** Somebody at a terminal: a program that believes to have one (script(1) of bsdutils), what it shows, and what is typed. */
import { spawn } from 'node:child_process';
import type { TestContext } from 'node:test';
import { environment } from './background.js';
import { eventually, within } from './deadline.js';
import { repositoryRoot } from './greyctl.js';
import { find } from './programs.js';

export interface Typist {
  /** Everything that was shown so far. */
  screen(): string;
  /** Waits until the screen matches. */
  sees(pattern: RegExp): Promise<void>;
  type(text: string): void;
  /** The exit status of the program. */
  readonly status: Promise<number | null>;
}

export const keys = { controlC: '\u0003', controlD: '\u0004', enter: '\r' } as const;

/** Starts greyctl at a terminal of that size; it is ended with the test. */
export function typist(
  t: Pick<TestContext, 'after'>,
  args: readonly string[],
  { rows = 24, columns = 80 } = {},
): Typist {
  const quoted = [process.execPath, 'bin/greyctl.js', ...args].map((word) => `'${word}'`).join(' ');
  const command = `stty rows ${rows} cols ${columns}; exec ${quoted}`;
  const child = spawn(find('script') ?? 'script', ['-qec', command, '/dev/null'], {
    cwd: repositoryRoot,
    env: environment({ TERM: 'xterm' }),
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  t.after(() => child.kill('SIGKILL'));
  return {
    screen: () => text,
    sees: async (pattern) => {
      await eventually(() => pattern.exec(text) ?? undefined, `${String(pattern)} at the terminal`).catch(
        (error: unknown) => {
          throw new Error(`${String(error)}; it shows ${JSON.stringify(text)}`, { cause: error });
        },
      );
    },
    type: (typed) => void child.stdin.write(typed),
    status: within(ended, `end of greyctl ${args.join(' ')} at a terminal`, 60_000),
  };
}
