/** How long an operator waits: greyctl's start, and its commands on a large database. */
import path from 'node:path';
import { repositoryRoot } from '../support/greyctl.js';
import { median, type Bench, type Report, type Row, type Situation } from './bench.js';
import { entriesIn, fill } from './filling.js';
import { cost, type Cost } from './measure.js';

const columns = [
  { title: 'seconds', digits: 2 },
  { title: 'CPU s', digits: 2 },
  { title: 'peak MB', digits: 0 },
] as const;

const day = 86_400;

/** On a database whose entries are all alive. */
const commands: readonly (readonly string[])[] = [
  ['stats'],
  ['db', 'info'],
  ['db', 'list', '--limit=20'],
  ['db', 'list', '--sort=last_seen', '--limit=20'],
  ['db', 'list', '--json'],
  ['db', 'purge', '--yes'],
];

function rowOf(what: string, costs: readonly Cost[]): Row {
  const cpu = costs.flatMap(({ cpuSeconds }) => cpuSeconds ?? []);
  const peaks = costs.flatMap(({ peakMegabytes }) => peakMegabytes ?? []);
  return {
    what,
    values: [
      median(costs.map(({ seconds }) => seconds)),
      cpu.length > 0 ? median(cpu) : undefined,
      peaks.length > 0 ? Math.max(...peaks) : undefined,
    ],
  };
}

function greyctl(args: readonly string[]): Promise<Cost> {
  const program = path.join(repositoryRoot, 'bin/greyctl.js');
  return cost({ program: process.execPath, args: [program, ...args], output: 'ignored' });
}

async function times(runs: number, run: () => Promise<Cost>): Promise<Cost[]> {
  const costs: Cost[] = [];
  for (let done = 0; done < runs; done += 1) costs.push(await run());
  return costs;
}

/** Every program in its turn, and how much longer greyctl's start takes than Node's own. */
async function starts(runs: number): Promise<{ rows: Row[]; ratio: number }> {
  const node: Cost[] = [];
  const version: Cost[] = [];
  for (let done = 0; done < runs; done += 1) {
    node.push(await cost({ program: process.execPath, args: ['-e', '0'] }));
    version.push(await greyctl(['--version']));
  }
  const ratios = version.map(({ seconds }, index) => seconds / (node[index]?.seconds ?? NaN));
  return { rows: [rowOf('node -e 0', node), rowOf('--version', version)], ratio: median(ratios) };
}

async function run({ folder, isQuick, runs, say }: Situation): Promise<Report> {
  const database = path.join(folder, 'commands.db');
  const entries = isQuick ? 50_000 : 1_000_000;
  const now = () => Math.floor(Date.now() / 1000);
  say(`commands: writing ${entries.toLocaleString('en')} entries …`);
  await fill(database, { entries, ageSeconds: day, passedOfTen: 5 }, now());

  const { rows, ratio } = await starts(isQuick ? 3 * runs : runs);
  for (const command of commands) {
    // Their times are told, not compared: once is enough for a quick look.
    const costs = await times(isQuick ? 1 : runs, () => greyctl([...command, `--db=${database}`]));
    rows.push(rowOf(command.join(' '), costs));
    say(`commands: ${command.join(' ')}: ${median(costs.map(({ seconds }) => seconds)).toFixed(2)} s`);
  }
  // Once: afterwards there are none.
  const expiry = await greyctl([
    'db',
    'purge',
    '--yes',
    '--max-age=12h',
    '--retry-window=12h',
    `--db=${database}`,
  ]);
  const left = await entriesIn(database);
  if (left > 0) throw new Error(`db purge left ${left} of ${entries} expired entries`);
  rows.push(rowOf('db purge --yes, all expired', [expiry]));
  return {
    tables: [{ title: `commands, ${entries.toLocaleString('en')} entries`, columns, rows }],
    comparisons: [{ what: "start: --version / node's", value: ratio, better: 'less' }],
  };
}

/** What is typed at a prompt. */
export const commandsBench: Bench = { name: 'commands', run };
