/** What a program costs: time on the clock, processor seconds and memory, as Linux tells them of a process. */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { environment } from '../support/background.js';

export interface Cost {
  /** On the clock, from start to end. */
  readonly seconds: number;
  /** Of all threads, user and system; undefined where there is no /proc. */
  readonly cpuSeconds: number | undefined;
  /** The most resident memory, MB of 1,000,000 bytes; undefined where there is no /proc. */
  readonly peakMegabytes: number | undefined;
  readonly stdout: string;
}

export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  /** A file it reads from stdin. */
  readonly input?: string;
  /** What it prints is thrown away; default: kept. */
  readonly output?: 'ignored';
}

/** How often a process is looked at: what it does after the last look is not seen. */
const lookMilliseconds = 5;
/** USER_HZ, which is 100 on all of Linux's common architectures (proc(5)). */
export const ticksPerSecond = 100;

/** Looks at a running process; undefined when it has ended. */
function look(pid: number): Pick<Cost, 'cpuSeconds' | 'peakMegabytes'> | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const peak = /^VmHWM:\s*(\d+) kB/m.exec(status);
    // Behind the name in brackets, utime and stime are the 12th and 13th field.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (!peak) return undefined;
    return {
      cpuSeconds: (Number(fields[11]) + Number(fields[12])) / ticksPerSecond,
      peakMegabytes: (Number(peak[1]) * 1024) / 1e6,
    };
  } catch {
    return undefined;
  }
}

/** Runs a program to its end; an error when it fails. Its times are those of UTC. */
export async function cost(command: Command): Promise<Cost> {
  const { program, args, input, output } = command;
  const stdin = input === undefined ? 'ignore' : openSync(input, 'r');
  const begin = performance.now();
  const child = spawn(program, args, {
    env: environment({ TZ: 'UTC' }),
    stdio: [stdin, output === 'ignored' ? 'ignore' : 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  let seen: ReturnType<typeof look>;
  const timer = setInterval(() => {
    if (child.pid !== undefined) seen = look(child.pid) ?? seen;
  }, lookMilliseconds);
  try {
    const status = await new Promise<number | null>((resolve, reject) => {
      child.on('error', reject).on('close', resolve);
    });
    const seconds = (performance.now() - begin) / 1000;
    if (status !== 0)
      throw new Error(`${program} ${args.join(' ')} ended with ${status ?? 'a signal'}: ${stderr}`);
    return { seconds, cpuSeconds: seen?.cpuSeconds, peakMegabytes: seen?.peakMegabytes, stdout };
  } finally {
    clearInterval(timer);
    if (typeof stdin === 'number') closeSync(stdin);
  }
}
