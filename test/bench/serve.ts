/** greyctl as a policy server beside one that decides nothing, postgrey and sqlgrey, under loads as a mail server brings them. */
import { chmodSync } from 'node:fs';
import path from 'node:path';
import { isWanted, type Bench, type Comparison, type Report, type Row, type Situation } from './bench.js';
import { cellName, measureCell, prepare, type Cell, type Plan, type Side } from './cells.js';
import { startLoaders } from './loaders.js';
import { aimed, largestOf, medianOf, p50, p99, rate, ratioOf, tableOf, type Rounds } from './rounds.js';
import { runScenes } from './scenes.js';
import { greyctl, nullServer, postgreyServer, sqlgreyServer, type Contender } from './servers.js';

const contenders: readonly Contender[] = [
  greyctl('greyctl'),
  greyctl('greyctl --durability full', ['--durability=full']),
  nullServer,
  postgreyServer,
  sqlgreyServer,
];

const cells: readonly Cell[] = (['mix', 'new', 'known'] as const).flatMap((load) =>
  (['tcp', 'unix'] as const).flatMap((transport) =>
    [50, 200, 1].map((connections) => ({ load, connections, transport })),
  ),
);

const quickCells = ['mix/50/tcp', 'known/1/tcp'];
/** Those that do not wait for a disk with each answer: their ratios are much the same from machine to machine. */
const quickNames: ReadonlySet<string> = new Set(['greyctl', nullServer.name]);

const noRounds: Rounds = new Map();

/** The targets that the cells tell about. */
function comparisonsOf(measured: ReadonlyMap<string, Rounds>): Comparison[] {
  const mix = measured.get('mix/50/tcp') ?? noRounds;
  const single = measured.get('known/1/tcp') ?? noRounds;
  const full = 'greyctl --durability full';
  const longest = largestOf(mix.get('greyctl'), ({ maxMilliseconds }) => maxMilliseconds);
  return [
    ...aimed("mix/50/tcp: rate / postgrey's", ratioOf(mix, 'greyctl', 'postgrey', rate), 'more', 25),
    ...aimed("mix/50/tcp: rate / null's", ratioOf(mix, 'greyctl', 'null', rate), 'more', 0.5),
    ...aimed("mix/50/tcp, full: rate / postgrey's", ratioOf(mix, full, 'postgrey', rate), 'more', 20),
    ...aimed("mix/50/tcp: p99 / null's", ratioOf(mix, 'greyctl', 'null', p99), 'less', 6),
    ...aimed('mix/50/tcp: longest answer', longest, 'less', 50, 'ms'),
    ...aimed("known/1/tcp: p50 / null's", ratioOf(single, 'greyctl', 'null', p50), 'less', 4),
  ];
}

/** What an answer costs, which other programs on the machine change little. */
function costsOf(measured: ReadonlyMap<string, Rounds>): Comparison[] {
  return [...measured].flatMap(([name, rounds]): Comparison[] => {
    const value = ratioOf(
      rounds,
      'greyctl',
      nullServer.name,
      ({ cpuMicrosecondsPerAnswer }) => cpuMicrosecondsPerAnswer,
    );
    if (value === undefined) return [];
    return [{ what: `${name}: processor time / null's`, value, better: 'less', isSteady: true }];
  });
}

/** Says where the load generator was busier than the null server: then the null server could have done more. */
function checkGenerator(name: string, rounds: Rounds, say: Situation['say']): void {
  const nulls = rounds.get('null');
  const percent = (share = 0) => Math.round(share * 100);
  const busy = percent(medianOf(nulls, (round) => round.busy));
  const server = percent(medianOf(nulls, ({ cpuShare }) => cpuShare));
  if (busy > 95 && server < 90)
    say(
      `${name}: the load generator held the null server back (it was busy ${busy} %, the server ${server} %)`,
    );
}

/** Those that can take part, with folders in which they find the known triplets; says why the others cannot. */
async function sidesOf(situation: Situation, plan: Plan): Promise<{ sides: Side[]; missing: Row[] }> {
  const sides: Side[] = [];
  const missing: Row[] = [];
  for (const contender of contenders) {
    if (situation.isQuick && !quickNames.has(contender.name)) continue;
    if (!isWanted(situation.servers, contender.name)) continue;
    const why = await contender.missing();
    if (why !== undefined) {
      missing.push({ what: contender.name, missing: why, values: [] });
      continue;
    }
    situation.say(`${contender.name}: preparing …`);
    const prepared = path.join(situation.folder, 'serve', contender.name.replaceAll(' ', ''));
    await prepare(contender, prepared, plan.loaders);
    sides.push({ contender, prepared });
  }
  return { sides, missing };
}

async function runCells(situation: Situation, plan: Plan): Promise<Report> {
  const wanted = cells.filter(
    (cell) =>
      isWanted(situation.parts, cellName(cell)) &&
      (!situation.isQuick || quickCells.includes(cellName(cell))),
  );
  if (wanted.length === 0) return { tables: [], comparisons: [] };
  const { sides, missing } = await sidesOf(situation, plan);
  const measured = new Map<string, Rounds>();
  for (const cell of wanted) {
    const name = cellName(cell);
    const rounds = await measureCell(cell, sides, plan);
    checkGenerator(name, rounds, situation.say);
    // It decides nothing, so it cannot be wrong.
    const nulls = rounds.get('null')?.map((round) => ({ ...round, wrong: 0 }));
    measured.set(name, nulls ? new Map([...rounds, ['null', nulls]]) : rounds);
  }
  const tables = [...measured].map(([name, rounds]) => tableOf(name, rounds, ['null', 'postgrey']));
  const absent = missing.length > 0 ? [{ title: 'not measured', columns: [], rows: missing }] : [];
  return { tables: [...tables, ...absent], comparisons: [...comparisonsOf(measured), ...costsOf(measured)] };
}

async function run(situation: Situation): Promise<Report> {
  const { isQuick, say } = situation;
  const loaders = startLoaders();
  // Many short rounds rather than few long ones: a moment in which the machine is busy spoils fewer of them.
  const plan: Plan = isQuick
    ? { runs: 3 * situation.runs, seconds: 0.4, loaders, say }
    : { runs: situation.runs, seconds: 2, loaders, say };
  // Servers that take another user must get through to their own folders.
  chmodSync(situation.folder, 0o755);
  try {
    const reports = [await runCells(situation, plan), ...(isQuick ? [] : await runScenes(situation, plan))];
    return {
      tables: reports.flatMap(({ tables }) => tables),
      comparisons: reports.flatMap(({ comparisons }) => comparisons),
    };
  } finally {
    await loaders.stop();
  }
}

/** Answering Postfix. */
export const serveBench: Bench = { name: 'serve', run };
