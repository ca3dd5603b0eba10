/**
 * Measures greyctl beside its peers: `npm run bench -- [--quick] [--runs=N] [NAME…]` (default: all benches, 3 runs). Prints tables
 * and writes build/bench.json. Nothing here passes or fails: machines differ.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { repositoryRoot } from '../support/greyctl.js';
import type { Bench, Report, Result, Situation } from './bench.js';
import { simulateBench } from './simulate.js';

const benches: readonly Bench[] = [simulateBench];

function figure(value: number | undefined, digits: number): string {
  return value === undefined
    ? '–'
    : value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

const heads = ['log MB', 'attempts', 'seconds', 'MB/s', 'attempts/s', 'CPU s', 'peak MB'];

function cells(result: Result): string[] {
  const rate = result.bytesPerSecond;
  return [
    figure(result.megabytes, 1),
    figure(result.attempts, 0),
    figure(result.seconds, 2),
    figure(rate === undefined ? undefined : rate / 1e6, 2),
    figure(result.attemptsPerSecond, 0),
    figure(result.cpuSeconds, 2),
    figure(result.peakMegabytes, 0),
  ];
}

function printReport(name: string, { results, comparisons }: Report): void {
  const width = Math.max(...results.map(({ what }) => what.length));
  const row = (what: string, values: readonly string[]) =>
    `${what.padEnd(width)}${values.map((value) => value.padStart(12)).join('')}\n`;
  const lines = results.map((result) =>
    result.missing === undefined
      ? row(result.what, cells(result))
      : `${result.what.padEnd(width)}  ${result.missing}\n`,
  );
  const ratios = comparisons.map(({ what, value, target, isMet }) => {
    const aim = target === undefined ? '' : ` (target: ${target}${isMet ? '' : '; missed'})`;
    return `${what}: ${figure(value, 1)}${aim}\n`;
  });
  process.stdout.write(`\n${row(name, heads)}${lines.join('')}\n${ratios.join('')}`);
}

const { values, positionals } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, runs: { type: 'string', default: '3' } },
  allowPositionals: true,
});
const folder = mkdtempSync(path.join(os.tmpdir(), 'greyctl-bench-'));
process.on('exit', () => {
  rmSync(folder, { recursive: true, force: true });
});

const situation: Situation = {
  folder,
  isQuick: values.quick,
  runs: Math.max(1, Number.parseInt(values.runs, 10) || 1),
  say: (text) => process.stderr.write(`${text}\n`),
};
const chosen = benches.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
const reports: Record<string, Report> = {};
for (const { name, run } of chosen) {
  const report = await run(situation);
  reports[name] = report;
  printReport(name, report);
}
const machine = { cpu: os.cpus()[0]?.model, cores: os.cpus().length, node: process.version };
const { isQuick, runs } = situation;
const file = path.join(repositoryRoot, 'build/bench.json');
writeFileSync(file, `${JSON.stringify({ machine, isQuick, runs, reports }, undefined, 2)}\n`);
