/** greyctl as a policy server beside one that decides nothing, postgrey and sqlgrey, under loads as a mail server brings them. */
import { chmodSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {
  isWanted,
  median,
  type Bench,
  type Comparison,
  type Report,
  type Row,
  type Situation,
  type Table,
} from './bench.js';
import { cellName, measureCell, prepare, type Cell, type Plan, type Round, type Side } from './cells.js';
import { startLoaders } from './loaders.js';
import { greyctl, nullServer, postgreyServer, sqlgreyServer, type Contender } from './servers.js';

const contenders: readonly Contender[] = [
  greyctl('greyctl'),
  greyctl('greyctl --durability full', ['--durability=full']),
  nullServer,
  postgreyServer,
  sqlgreyServer,
];

function cell(load: Cell['load'], connections: number, transport: Cell['transport']): Cell {
  return { load, connections, transport };
}

/** All kinds of load. */
function allCells(): Cell[] {
  const kinds = ['mix', 'new', 'known'] as const;
  return kinds.flatMap((load) =>
    (['tcp', 'unix'] as const).flatMap((transport) =>
      [1, 50, 200].map((connections) => cell(load, connections, transport)),
    ),
  );
}

const quickCells: readonly Cell[] = [cell('mix', 50, 'tcp'), cell('known', 1, 'tcp')];

/** Rounds of each server, by cell. */
type Rounds = ReadonlyMap<string, ReadonlyMap<string, readonly Round[]>>;

const columns = [
  { title: 'answers/s', digits: 0 },
  { title: '× null', digits: 2 },
  { title: '× postgrey', digits: 1 },
  { title: 'p50 ms', digits: 2 },
  { title: 'p99 ms', digits: 2 },
  { title: 'max ms', digits: 1 },
  { title: 'CPU µs/answer', digits: 1 },
  { title: 'peak MB', digits: 0 },
  { title: 'B to disk/answer', digits: 0 },
  { title: 'wrong', digits: 0 },
] as const;

/** The median of a figure's ratios, round by round: what else the machine did in a round touched both. */
function ratioOf(
  ours: readonly Round[] | undefined,
  theirs: readonly Round[] | undefined,
  figure: (round: Round) => number,
): number | undefined {
  if (!ours || !theirs) return undefined;
  const ratios = ours.flatMap((round, index) => {
    const other = theirs[index];
    return other ? [figure(round) / figure(other)] : [];
  });
  return ratios.length > 0 ? median(ratios) : undefined;
}

function rate({ answersPerSecond }: Round): number {
  return answersPerSecond;
}

function medianOf(
  rounds: readonly Round[],
  figure: (round: Round) => number | undefined,
): number | undefined {
  const values = rounds.flatMap((round) => figure(round) ?? []);
  return values.length > 0 ? median(values) : undefined;
}

function rowOf(what: string, rounds: readonly Round[], others: ReadonlyMap<string, readonly Round[]>): Row {
  const peaks = rounds.flatMap(({ peakMegabytes }) => peakMegabytes ?? []);
  return {
    what,
    values: [
      medianOf(rounds, rate),
      ratioOf(rounds, others.get('null'), rate),
      ratioOf(rounds, others.get('postgrey'), rate),
      medianOf(rounds, ({ p50Milliseconds }) => p50Milliseconds),
      medianOf(rounds, ({ p99Milliseconds }) => p99Milliseconds),
      Math.max(...rounds.map(({ maxMilliseconds }) => maxMilliseconds)),
      medianOf(rounds, ({ cpuMicrosecondsPerAnswer }) => cpuMicrosecondsPerAnswer),
      peaks.length > 0 ? Math.max(...peaks) : undefined,
      medianOf(rounds, ({ writtenPerAnswer }) => writtenPerAnswer),
      what === nullServer.name ? undefined : rounds.reduce((sum, { wrong }) => sum + wrong, 0),
    ],
  };
}

function tableOf(name: string, rounds: ReadonlyMap<string, readonly Round[]>): Table {
  const rows = [...rounds].map(([server, ofServer]) => rowOf(server, ofServer, rounds));
  return { title: name, columns, rows };
}

function comparison(
  what: string,
  value: number | undefined,
  better: Comparison['better'],
  target: number,
  unit?: Comparison['unit'],
): Comparison[] {
  return value === undefined ? [] : [{ what, value, better, target, ...(unit && { unit }) }];
}

/** The targets that the cells tell about. */
function comparisonsOf(rounds: Rounds): Comparison[] {
  const of = (name: string, server: string) => rounds.get(name)?.get(server);
  const against = (name: string, server: string, other: string, figure: (round: Round) => number) =>
    ratioOf(of(name, server), of(name, other), figure);
  const mix = 'mix/50/tcp';
  const full = 'greyctl --durability full';
  const p99 = ({ p99Milliseconds }: Round) => p99Milliseconds;
  const p50 = ({ p50Milliseconds }: Round) => p50Milliseconds;
  const longest = of(mix, 'greyctl')?.map(({ maxMilliseconds }) => maxMilliseconds);
  return [
    ...comparison(`${mix}: rate / postgrey's`, against(mix, 'greyctl', 'postgrey', rate), 'more', 25),
    ...comparison(`${mix}: rate / null's`, against(mix, 'greyctl', 'null', rate), 'more', 0.5),
    ...comparison(`${mix}, full: rate / postgrey's`, against(mix, full, 'postgrey', rate), 'more', 20),
    ...comparison(`${mix}: p99 / null's`, against(mix, 'greyctl', 'null', p99), 'less', 6),
    ...comparison(`${mix}: longest`, longest && Math.max(...longest), 'less', 50, 'ms'),
    ...comparison("known/1/tcp: p50 / null's", against('known/1/tcp', 'greyctl', 'null', p50), 'less', 4),
  ];
}

/** Says where the load generator was busier than the null server: then the null server could have done more. */
function checkGenerator(
  name: string,
  rounds: ReadonlyMap<string, readonly Round[]>,
  say: Situation['say'],
): void {
  const nulls = rounds.get('null') ?? [];
  const busy = medianOf(nulls, (round) => round.busy) ?? 0;
  const server = medianOf(nulls, ({ cpuShare }) => cpuShare) ?? 1;
  if (busy > 0.95 && server < 0.9)
    say(
      `${name}: the load generator was the bottleneck of the null server (busy ${Math.round(busy * 100)} %, the server ${Math.round(server * 100)} %)`,
    );
}

/** Those that can take part, with folders in which they find the known triplets. */
async function sidesOf(situation: Situation, plan: Plan, missing: Row[]): Promise<Side[]> {
  const sides: Side[] = [];
  for (const contender of contenders) {
    const why = await contender.missing();
    if (why !== undefined) {
      missing.push({ what: contender.name, missing: why, values: [] });
      continue;
    }
    // Slow to measure and no part of a target.
    if (situation.isQuick && contender.name === 'sqlgrey') continue;
    situation.say(`${contender.name} learns the known triplets …`);
    const prepared = path.join(situation.folder, 'serve', contender.name.replaceAll(' ', ''));
    await prepare(contender, prepared, plan.loaders);
    sides.push({ contender, prepared });
  }
  return sides;
}

async function run(situation: Situation): Promise<Report> {
  const { isQuick, runs, say } = situation;
  const cells = (isQuick ? quickCells : allCells()).filter((each) => isWanted(situation, cellName(each)));
  const loaders = startLoaders(os.cpus().length >= 4 ? 2 : 1);
  const plan: Plan = { runs, seconds: isQuick ? 0.8 : 2, loaders, say };
  // Servers that take another user must get through to their own folders.
  chmodSync(situation.folder, 0o755);
  const rounds = new Map<string, Map<string, Round[]>>();
  const missing: Row[] = [];
  try {
    const sides = await sidesOf(situation, plan, missing);
    for (const each of cells) {
      const name = cellName(each);
      const ofCell = await measureCell(each, sides, plan);
      checkGenerator(name, ofCell, say);
      rounds.set(name, ofCell);
    }
  } finally {
    loaders.stop();
  }
  const tables = [...rounds].map(([name, ofCell]) => tableOf(name, ofCell));
  return {
    tables: missing.length > 0 ? [...tables, { title: 'not measured', columns: [], rows: missing }] : tables,
    comparisons: comparisonsOf(rounds),
  };
}

/** Answering Postfix. */
export const serveBench: Bench = { name: 'serve', run };
