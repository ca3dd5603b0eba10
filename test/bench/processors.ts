/**
 * Which processor runs what. Left to the scheduler, the load generator and a server share one in some runs and not in others, and
 * rates differ by half. So the generator gets the last processors, and servers of one thread, which gain nothing by being moved
 * about, the others; greyctl, which has several, may run on all.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import os from 'node:os';
import { ticksPerSecond } from './measure.js';
import type { Program } from './running.js';

const processors = os.cpus().map((_, index) => index);

/** One, or two where that leaves servers as many. */
export const ofGenerator = processors.slice(processors.length >= 4 ? -2 : -1);

/** Those the generator does not run on; all, where there is only one. */
export const ofServers = processors.length > 1 ? processors.slice(0, -ofGenerator.length) : processors;

/** A program that stays on these processors, where taskset(1) is there and may put it there. */
export function pinned({ program, args }: Program, on: readonly number[]): Program {
  const pin = ['-c', on.join(',')];
  const canPin = spawnSync('taskset', [...pin, 'true']).status === 0;
  return canPin ? { program: 'taskset', args: [...pin, program, ...args] } : { program, args };
}

/** Processor seconds of everything on the machine since it was started, and what its host took from it; undefined without /proc. */
export function allCpuSeconds(): number | undefined {
  try {
    // proc(5): user, nice, system, idle, iowait, irq, softirq, steal.
    const [, user, nice, system, , , , , steal] = readFileSync('/proc/stat', 'latin1').split(/\s+/);
    return [user, nice, system, steal].reduce((sum, ticks) => sum + Number(ticks), 0) / ticksPerSecond;
  } catch {
    return undefined;
  }
}

/** Processor seconds of this process and of those it started that have ended; undefined without /proc. */
function ownCpuSeconds(): number | undefined {
  try {
    const stat = readFileSync('/proc/self/stat', 'latin1');
    // Behind the name in brackets, utime, stime, cutime and cstime are the 12th to 15th field.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / ticksPerSecond;
  } catch {
    return undefined;
  }
}

/** Begins to watch; tells how many processors other programs have kept busy since, on average. 0 where there is no telling. */
export function watchOthers(): () => number {
  const others = () => (allCpuSeconds() ?? 0) - (ownCpuSeconds() ?? 0);
  const [begin, before] = [performance.now(), others()];
  return () => Math.max(0, (others() - before) / ((performance.now() - begin) / 1000));
}
