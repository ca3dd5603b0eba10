/** Servers under load: started, looked at through /proc, and stopped. */
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { environment } from '../support/background.js';
import { within } from '../support/deadline.js';
import { connect, request } from '../support/policy-client.js';
import { ticksPerSecond } from './measure.js';

export interface Program {
  readonly program: string;
  readonly args: readonly string[];
}

/** What a process has used since it was started; undefined where there is no /proc. */
export interface Usage {
  readonly cpuSeconds: number;
  /** The most resident memory since the start, or since `forgetPeak`; MB of 1,000,000 bytes. */
  readonly peakMegabytes: number;
  readonly residentMegabytes: number;
  /** What it handed to the system to write, sockets included. */
  readonly handedBytes: number;
  /** What went to disks, or would have, as Linux counts it for the process. */
  readonly writtenBytes: number;
}

export interface Running {
  readonly endpoint: string;
  readonly pid: number;
  /** From the start of the process to its first answer. */
  readonly readySeconds: number;
  readonly usage: () => Usage | undefined;
  /** Lets the peak of memory begin anew. */
  readonly forgetPeak: () => void;
  readonly stop: () => Promise<void>;
}

const readyMilliseconds = 120_000;
const stopMilliseconds = 30_000;
const retryMilliseconds = 5;

function proc(pid: number, name: string): string {
  return readFileSync(`/proc/${pid}/${name}`, 'latin1');
}

function usageOf(pid: number): Usage | undefined {
  try {
    const stat = proc(pid, 'stat');
    // Behind the name in brackets, utime and stime are the 12th and 13th field; of all threads.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const number = (text: string, name: string) =>
      Number(new RegExp(`^${name}:\\s*(\\d+)`, 'm').exec(text)?.[1]);
    const [status, io] = [proc(pid, 'status'), proc(pid, 'io')];
    return {
      cpuSeconds: (Number(fields[11]) + Number(fields[12])) / ticksPerSecond,
      peakMegabytes: (number(status, 'VmHWM') * 1024) / 1e6,
      residentMegabytes: (number(status, 'VmRSS') * 1024) / 1e6,
      handedBytes: number(io, 'wchar'),
      writtenBytes: number(io, 'write_bytes'),
    };
  } catch {
    return undefined;
  }
}

/** One full request: the first answer says that the server is ready. */
async function firstAnswer(endpoint: string, hasEnded: () => boolean): Promise<void> {
  const end = performance.now() + readyMilliseconds;
  for (;;) {
    try {
      const client = await connect(endpoint, readyMilliseconds);
      await client.ask(request({ sender: 'ready@news.example.com' }));
      client.close();
      return;
    } catch (error) {
      if (hasEnded() || performance.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, retryMilliseconds));
    }
  }
}

const running = new Set<() => void>();
process.on('exit', () => {
  for (const kill of running) kill();
});

/** Starts a server that listens on `endpoint` and waits until it answers. What it logs is thrown away: it writes it all the same. */
export async function startServer({ program, args }: Program, endpoint: string): Promise<Running> {
  const begin = performance.now();
  const child = spawn(program, args, { env: environment({ TZ: 'UTC' }), stdio: 'ignore' });
  const kill = () => void child.kill('SIGKILL');
  running.add(kill);
  let hasEnded = false;
  const ended = new Promise<void>((resolve) => {
    const end = () => {
      hasEnded = true;
      running.delete(kill);
      resolve();
    };
    child.on('error', end).on('exit', end);
  });
  try {
    await firstAnswer(endpoint, () => hasEnded);
  } catch (error) {
    kill();
    const command = [program, ...args].join(' ');
    throw new Error(`no answer at ${endpoint} from: ${command}`, { cause: error });
  }
  const pid = child.pid ?? 0;
  return {
    endpoint,
    pid,
    readySeconds: (performance.now() - begin) / 1000,
    usage: () => usageOf(pid),
    forgetPeak: () => {
      try {
        // clear_refs in proc(5): 5 sets the peak to what is resident now.
        writeFileSync(`/proc/${pid}/clear_refs`, '5');
      } catch {
        // Then the peak is that since the start.
      }
    },
    stop: async () => {
      child.kill('SIGTERM');
      // postgrey sometimes loses the signal.
      await within(ended, 'end', stopMilliseconds / 10).catch(kill);
      await within(ended, `end of ${program}`, stopMilliseconds);
    },
  };
}
