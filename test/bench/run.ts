/**
 * Measures greyctl beside its peers: `npm run bench -- [OPTION…] [NAME…]`; default: all benches, medians of 5 runs.
 *   --quick          little of everything but redis, under a minute, for ratios only: compares them with baseline.json beside the sources, and
 *                    ends with 1 when one is worse by more than a quarter; of those measured in processor time only, when other
 *                    programs kept the machine busy
 *   --save-baseline  writes that file, with --quick; without times on the clock when the machine was busy
 *   --runs=N         medians of so many
 *   --cell=NAME      of serve only what begins with NAME (mix/50/tcp, new, purge, crowd, …); may be repeated
 *   --server=NAME    in those cells only servers whose names begin with NAME (greyctl, null, postgrey, sqlgrey); may be repeated
 *   --long           also what takes many minutes: 10 million attempts
 *   --markdown       tables for pasting
 *   --json FILE      all figures
 * Without --quick nothing passes or fails: machines differ.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { repositoryRoot } from '../support/greyctl.js';
import { baselineOf, compare, type Baseline } from './baseline.js';
import type { Bench, Report, Situation } from './bench.js';
import { commandsBench } from './commands.js';
import { markdown, moved, plain, type Style } from './print.js';
import { watchOthers } from './processors.js';
import { redisBench } from './redis.js';
import { serveBench } from './serve.js';
import { simulateBench } from './simulate.js';

const benches: readonly Bench[] = [serveBench, redisBench, simulateBench, commandsBench];

const { values, positionals } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    'save-baseline': { type: 'boolean', default: false },
    runs: { type: 'string' },
    cell: { type: 'string', multiple: true, default: [] },
    server: { type: 'string', multiple: true, default: [] },
    long: { type: 'boolean', default: false },
    markdown: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
  allowPositionals: true,
});
const folder = mkdtempSync(path.join(os.tmpdir(), 'greyctl-bench-'));
process.on('exit', () => {
  rmSync(folder, { recursive: true, force: true });
});

const situation: Situation = {
  folder,
  isQuick: values.quick,
  isLong: values.long,
  runs: Number.parseInt(values.runs ?? '', 10) || (values.quick ? 3 : 5),
  parts: values.cell,
  servers: values.server,
  say: (text) => process.stderr.write(`${text}\n`),
};
/** Processors that other programs may keep busy before times on the clock are not to be trusted. */
const quietShare = 0.25;
const others = watchOthers();
const isQuiet = () => others() < quietShare;

const machine = { cpu: os.cpus()[0]?.model ?? 'unknown', cores: os.cpus().length, node: process.version };
process.stdout.write(
  `${machine.cores} × ${machine.cpu.trim()}, Node ${machine.node}, medians of ${situation.runs}\n`,
);

const style: Style = values.markdown ? markdown : plain;
/** Redis takes too long to be looked at quickly; it can be named. */
const usual = values.quick ? benches.filter((bench) => bench !== redisBench) : benches;
const chosen = positionals.length === 0 ? usual : benches.filter(({ name }) => positionals.includes(name));
const reports: Record<string, Report> = {};
for (const { name, run } of chosen) {
  const report = await run(situation);
  reports[name] = report;
  process.stdout.write(style(report, isQuiet()));
}
const othersShare = others();
if (!isQuiet())
  process.stdout.write(
    `\nother programs kept ${othersShare.toFixed(1)} processors busy: measure again when the machine is quiet\n`,
  );
const comparisons = Object.values(reports).flatMap((report) => report.comparisons);
const baselineFile = path.join(repositoryRoot, 'test/bench/baseline.json');
if (values['save-baseline'] && values.quick)
  writeFileSync(baselineFile, `${JSON.stringify(baselineOf(comparisons, isQuiet()), undefined, 2)}\n`);
else if (values.quick && existsSync(baselineFile)) {
  // Its own file, written above.
  const baseline = JSON.parse(readFileSync(baselineFile, 'utf8')) as Baseline;
  const { moves, unmeasured } = compare(comparisons, baseline, isQuiet());
  const isWhole = chosen === usual && situation.parts.length + situation.servers.length === 0;
  process.stdout.write(moved(moves, isWhole ? unmeasured : []));
  if (moves.some(({ isWorse, isCertain }) => isWorse && isCertain)) process.exitCode = 1;
}
if (values.json !== undefined) {
  const { isQuick, runs } = situation;
  writeFileSync(
    values.json,
    `${JSON.stringify({ machine, othersShare, isQuick, runs, reports }, undefined, 2)}\n`,
  );
}
