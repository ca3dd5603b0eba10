/** `greyctl simulate` beside pflogsumm on the same log, and beside policy-test, which feeds a log to a running postgrey. */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { repositoryRoot } from '../support/greyctl.js';
import { postgrey } from '../support/postgrey.js';
import { find, packageOf, type Program } from '../support/programs.js';
import { median, type Bench, type Comparison, type Report, type Row, type Situation } from './bench.js';
import { writeMailLog, type MailLogOptions, type Written } from './mail-log.js';
import { cost, type Command, type Cost } from './measure.js';

interface Log {
  readonly file: string;
  readonly bytes: number;
  readonly attempts: number;
}

/** One program at one task. */
interface Result {
  readonly what: string;
  /** In words, where there is no result. */
  readonly missing?: string;
  readonly megabytes?: number;
  readonly attempts?: number;
  /** Medians of all runs. */
  readonly seconds?: number;
  readonly bytesPerSecond?: number;
  readonly attemptsPerSecond?: number;
  readonly cpuSeconds?: number | undefined;
  /** The largest of all runs. */
  readonly peakMegabytes?: number | undefined;
}

const columns = [
  { title: 'log MB', digits: 1 },
  { title: 'attempts', digits: 0 },
  { title: 'seconds', digits: 2 },
  { title: 'MB/s', digits: 2 },
  { title: 'attempts/s', digits: 0 },
  { title: 'CPU s', digits: 2 },
  { title: 'peak MB', digits: 0 },
] as const;

const seed = 1;
const megabyte = 1_000_000;

function makeLog({ folder, say }: Situation, name: string, options: Omit<MailLogOptions, 'seed'>): Log {
  say(`writing ${name} …`);
  const file = path.join(folder, name);
  const { bytes, attempts }: Written = writeMailLog(file, { seed, ...options });
  return { file, bytes, attempts: attempts.accepted + attempts.greylisted };
}

function simulateCommand({ folder }: Situation, log: Log): Command {
  const program = path.join(repositoryRoot, 'bin/greyctl.js');
  const database = `--db=${path.join(folder, 'none.db')}`;
  return { program: process.execPath, args: [program, 'simulate', '--json', database, log.file] };
}

/** An error unless the rehearsal decided every attempt of the log. */
function checkAll(log: Log, { stdout }: Cost): void {
  const found = Number(/"attempts":(\d+)/.exec(stdout)?.[1]);
  if (found !== log.attempts) throw new Error(`simulate found ${found} attempts of ${log.attempts}`);
}

function missing(what: string, ...programs: Program[]): Result | undefined {
  const absent = programs.find((program) => !find(program));
  return absent && { what, missing: `not installed: apt-get install ${packageOf(absent)}` };
}

function policyTestMissing(what: string): Result | undefined {
  const absent = missing(what, 'postgrey', 'policy-test');
  if (absent) return absent;
  const hasModule = spawnSync('perl', ['-MParse::Syslog', '-e', '1']).status === 0;
  return hasModule ? undefined : { what, missing: 'not installed: apt-get install libparse-syslog-perl' };
}

/** postgrey is begun anew for each run: what it remembers would make the next one something else. */
async function policyTest(log: Log): Promise<Cost> {
  const server = await postgrey();
  try {
    const program = find('policy-test') ?? 'policy-test';
    const measured = await cost({ program, args: [server.endpoint], input: log.file });
    const [, requests] = /^(\d+) requests/m.exec(measured.stdout) ?? [];
    if (Number(requests) < log.attempts * 0.9)
      throw new Error(`policy-test fed ${requests ?? 'no'} of ${log.attempts} attempts`);
    return measured;
  } finally {
    await server.stop();
  }
}

/** Runs all programs in turn, so that what else the machine does touches all alike. */
async function alternating<Name extends string>(
  { runs, say }: Situation,
  programs: Readonly<Record<Name, (() => Promise<Cost>) | undefined>>,
): Promise<Record<Name, Cost[]>> {
  // Object.entries forgets the names' type.
  const entries = Object.entries(programs) as [Name, (() => Promise<Cost>) | undefined][];
  const costs = Object.fromEntries(entries.map(([name]) => [name, [] as Cost[]])) as Record<Name, Cost[]>;
  for (let run = 1; run <= runs; run += 1) {
    for (const [name, program] of entries) {
      if (!program) continue;
      const measured = await program();
      costs[name].push(measured);
      say(`${name}, run ${run} of ${runs}: ${measured.seconds.toFixed(2)} s`);
    }
  }
  return costs;
}

/** The runs of one program over `bytes` of a log with so many attempts, as one result. */
function resultOf(what: string, costs: readonly Cost[], bytes: number, attempts: number): Result {
  const seconds = median(costs.map((measured) => measured.seconds));
  const cpu = costs.flatMap(({ cpuSeconds }) => cpuSeconds ?? []);
  const peak = costs.flatMap(({ peakMegabytes }) => peakMegabytes ?? []);
  return {
    what,
    megabytes: bytes / 1e6,
    attempts,
    seconds,
    bytesPerSecond: bytes / seconds,
    attemptsPerSecond: attempts / seconds,
    cpuSeconds: cpu.length > 0 ? median(cpu) : undefined,
    peakMegabytes: peak.length > 0 ? Math.max(...peak) : undefined,
  };
}

function rowOf(result: Result): Row {
  const { what, missing: why, bytesPerSecond } = result;
  if (why !== undefined) return { what, missing: why, values: [] };
  return {
    what,
    values: [
      result.megabytes,
      result.attempts,
      result.seconds,
      bytesPerSecond === undefined ? undefined : bytesPerSecond / 1e6,
      result.attemptsPerSecond,
      result.cpuSeconds,
      result.peakMegabytes,
    ],
  };
}

function ratio(what: string, ours: Result, theirs: Result, least: number): Comparison[] {
  if (theirs.bytesPerSecond === undefined || ours.bytesPerSecond === undefined) return [];
  const value = ours.bytesPerSecond / theirs.bytesPerSecond;
  return [{ what, value, better: 'more', target: least }];
}

/** What other programs on the machine disturb less than times on the clock; of the same log only. */
function cpuRatio(what: string, ours: Result, theirs: Result): Comparison[] {
  if (ours.cpuSeconds === undefined || theirs.cpuSeconds === undefined) return [];
  return [{ what, value: theirs.cpuSeconds / ours.cpuSeconds, better: 'more', isSteady: true }];
}

async function run(situation: Situation): Promise<Report> {
  const { isQuick, folder } = situation;
  const large = makeLog(situation, 'large.log', { mostBytes: (isQuick ? 15 : 300) * megabyte });
  const small = makeLog(situation, 'small.log', { mostBytes: 2 * megabyte });
  const noPflogsumm = missing('pflogsumm', 'pflogsumm');
  // It waits for postgrey's disk: its ratio says little from one machine to another.
  const noPolicyTest = isQuick
    ? { what: 'policy-test', missing: 'left out by --quick' }
    : policyTestMissing('policy-test');

  const pflogsumm = { program: find('pflogsumm') ?? '', args: [large.file] };
  const costs = await alternating(situation, {
    'greyctl simulate': () => cost(simulateCommand(situation, large)),
    pflogsumm: noPflogsumm ? undefined : () => cost(pflogsumm),
    'policy-test': noPolicyTest ? undefined : () => policyTest(small),
  });
  for (const measured of costs['greyctl simulate']) checkAll(large, measured);
  for (const name of ['large.log', 'small.log']) rmSync(path.join(folder, name));

  const manyTriplets = { mostAttempts: isQuick ? 50_000 : 500_000, allDifferent: true, secondsBetween: 0.1 };
  const different = makeLog(situation, 'different.log', manyTriplets);
  const memory = await cost(simulateCommand(situation, different));
  checkAll(different, memory);

  const ours = resultOf('greyctl simulate', costs['greyctl simulate'], large.bytes, large.attempts);
  const sums = noPflogsumm ?? resultOf('pflogsumm', costs.pflogsumm, large.bytes, large.attempts);
  const fed = noPolicyTest ?? resultOf('policy-test', costs['policy-test'], small.bytes, small.attempts);
  const full = resultOf(
    'greyctl simulate, all triplets different',
    [memory],
    different.bytes,
    different.attempts,
  );
  const peak = full.peakMegabytes;
  return {
    tables: [{ title: 'simulate', columns, rows: [ours, sums, fed, full].map(rowOf) }],
    comparisons: [
      ...ratio('bytes/s, times pflogsumm', ours, sums, 10),
      ...cpuRatio('bytes per processor second, times pflogsumm', ours, sums),
      ...ratio('bytes/s, times policy-test', ours, fed, 100),
      ...(peak === undefined || isQuick
        ? []
        : [
            {
              what: 'memory at 500,000 triplets',
              value: peak,
              unit: 'MB',
              better: 'less',
              target: 400,
            } as const,
          ]),
    ],
  };
}

/** Reading and rehearsing a log. */
export const simulateBench: Bench = { name: 'simulate', run };
