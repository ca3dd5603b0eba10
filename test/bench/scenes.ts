/** greyctl where there is much of something: entries, expired entries, whitelist entries, clients, attempts. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { isWanted, median, type Report, type Situation } from './bench.js';
import {
  copyFolder,
  loads,
  measure,
  measureCell,
  prepare,
  startOn,
  type Cell,
  type Plan,
  type Side,
} from './cells.js';
import { crowd } from './crowd.js';
import { entriesIn, fill, type Filling } from './filling.js';
import { aimed, largestOf, p99, rate, ratioOf, tableOf, type Round } from './rounds.js';
import type { Scene, Scenery } from './scenery.js';
import { greyctl, type Contender } from './servers.js';

const mix: Cell = { load: 'mix', connections: 50, transport: 'tcp' };
const day = 86_400;

function database(folder: string): string {
  return path.join(folder, 'greyctl.db');
}

/** A prepared folder of greyctl with so many more entries. */
async function filled({ folder, prepared, say }: Scenery, name: string, filling: Filling): Promise<string> {
  say(`${name}: writing ${filling.entries.toLocaleString('en')} entries …`);
  const place = copyFolder(prepared, path.join(folder, name));
  await fill(database(place), filling, Math.floor(Date.now() / 1000));
  return place;
}

/** Medians of the seconds from the start of the process to the first answer. */
async function readySeconds(contender: Contender, folder: string, runs: number): Promise<number> {
  const seconds: number[] = [];
  for (let run = 0; run < runs; run += 1) {
    const running = await startOn(contender, folder);
    seconds.push(running.readySeconds);
    await running.stop();
  }
  return median(seconds);
}

async function large(scenery: Scenery): Promise<Report> {
  const [few, many] = [greyctl('empty database'), greyctl('5,000,000 entries')];
  // Fewer wait than greyctl lets wait (--max-waiting).
  const filling = { entries: 5_000_000, ageSeconds: day, passedOfTen: 7 };
  const place = await filled(scenery, 'large', filling);
  const ready = await readySeconds(many, place, scenery.runs);
  const sides = [
    { contender: few, prepared: scenery.prepared },
    { contender: many, prepared: place },
  ];
  const rounds = await measureCell(mix, sides, scenery);
  rmSync(place, { recursive: true });
  const peak = largestOf(rounds.get(many.name), ({ peakMegabytes }) => peakMegabytes);
  return {
    tables: [tableOf('large: mix/50/tcp', rounds, [few.name])],
    comparisons: [
      ...aimed("5,000,000 entries: rate / empty's", ratioOf(rounds, many.name, few.name, rate), 'more', 0.8),
      ...aimed('5,000,000 entries: peak memory', peak, 'less', 300, 'MB'),
      ...aimed('5,000,000 entries: ready after', ready, 'less', 2, 's'),
    ],
  };
}

/** A round of a server that has just been started, and how many entries it removed in it. */
async function freshRound({ contender, prepared }: Side, { loaders }: Scenery) {
  const folder = copyFolder(prepared, `${prepared}.running`);
  const before = await entriesIn(database(folder));
  const running = await startOn(contender, folder);
  const load = (seconds: number) =>
    loaders.run({ endpoint: running.endpoint, connections: 50, newOfTen: loads.mix, seconds });
  // The purge begins a second after the start.
  const warmUp = await load(1.5);
  const round = await measure(running, () => load(4));
  await running.stop();
  // What was new in the load is in the database, too.
  const added = [warmUp, round].reduce((sum, { answers, passed }) => sum + answers - passed, 0);
  const removed = before + added - (await entriesIn(database(folder)));
  rmSync(folder, { recursive: true });
  return { round, removed };
}

/** Both begin anew for each round: in the same seconds after the start one of them cleans its database. */
async function purge(scenery: Scenery): Promise<Report> {
  const { runs, say } = scenery;
  const filling = { entries: 1_000_000, passedOfTen: 0 };
  const sides: (Side & { rounds: Round[]; removed: number[] })[] = [];
  for (const [name, ageSeconds] of [
    ['none expired', day],
    ['1,000,000 expired', 10 * day],
  ] as const) {
    const prepared = await filled(scenery, name.replaceAll(' ', '-'), { ...filling, ageSeconds });
    sides.push({ contender: greyctl(name), prepared, rounds: [], removed: [] });
  }
  for (let run = 1; run <= runs; run += 1) {
    for (const side of sides) {
      const { round, removed } = await freshRound(side, scenery);
      side.rounds.push(round);
      side.removed.push(removed);
      const told = `p99 ${round.p99Milliseconds} ms, ${removed} removed`;
      say(`purge, ${side.contender.name}, run ${run} of ${runs}: ${told}`);
    }
  }
  for (const { prepared } of sides) rmSync(prepared, { recursive: true });
  const [without = '', purging = ''] = sides.map(({ contender }) => contender.name);
  const rounds = new Map(sides.map((side) => [side.contender.name, side.rounds]));
  const table = tableOf('purge: mix/50/tcp', rounds, [without]);
  const gone = { what: 'expired entries removed', values: [median(sides[1]?.removed ?? [])] };
  return {
    tables: [{ ...table, rows: [...table.rows, gone] }],
    comparisons: aimed(
      "purging 1,000,000: p99 / without's",
      ratioOf(rounds, purging, without, p99),
      'less',
      2,
    ),
  };
}

/** As many networks as names, none of which the load is about. */
function whitelistLines(count: number): string {
  return Array.from({ length: count / 2 }, (_, index) => {
    const network = [10 + (index >>> 14), (index >>> 7) & 127, index & 127].join('.');
    return `${network}.0/24\nmx${index}.customer${index % 977}.example.net\n`;
  }).join('');
}

async function whitelist({ folder, prepared, ...plan }: Scenery): Promise<Report> {
  const list = path.join(folder, 'whitelist');
  writeFileSync(list, whitelistLines(100_000));
  const [none, many] = [
    greyctl('no whitelist'),
    greyctl('100,000 whitelist entries', [`--whitelist-clients=${list}`]),
  ];
  const sides = [none, many].map((contender, index) => ({
    contender,
    prepared: copyFolder(prepared, path.join(folder, `whitelist-${index}`)),
  }));
  const rounds = await measureCell(mix, sides, plan);
  return {
    tables: [tableOf('whitelist: mix/50/tcp', rounds, [none.name])],
    comparisons: aimed(
      "100,000 whitelist entries: rate / none's",
      ratioOf(rounds, many.name, none.name, rate),
      'more',
      0.95,
    ),
  };
}

async function endurance({ folder, prepared, loaders, say }: Scenery): Promise<Report> {
  const place = copyFolder(prepared, path.join(folder, 'endurance'));
  const running = await startOn(greyctl('greyctl'), place);
  const peaks: number[] = [];
  const rows: { what: string; values: (number | undefined)[] }[] = [];
  for (let million = 1; million <= 10; million += 1) {
    running.forgetPeak();
    const load = { endpoint: running.endpoint, connections: 50, newOfTen: loads.mix };
    const round = await measure(running, () =>
      loaders.run({ ...load, seconds: Infinity, questions: 1_000_000 }),
    );
    const usage = running.usage();
    const { answersPerSecond, p99Milliseconds, maxMilliseconds, wrong } = round;
    peaks.push(usage?.peakMegabytes ?? NaN);
    const values = [answersPerSecond, p99Milliseconds, maxMilliseconds];
    rows.push({
      what: `${million} M`,
      values: [...values, usage?.peakMegabytes, usage?.residentMegabytes, wrong],
    });
    say(`endurance: ${million} M attempts, peak ${Math.round(usage?.peakMegabytes ?? NaN)} MB`);
  }
  await running.stop();
  const columns = [
    { title: 'answers/s', digits: 0 },
    { title: 'p99 ms', digits: 2 },
    { title: 'max ms', digits: 1 },
    { title: 'peak MB', digits: 0 },
    { title: 'resident MB', digits: 0 },
    // From the time on when too many wait (--max-waiting), new ones pass.
    { title: 'new ones passed', digits: 0 },
  ];
  const [first = NaN, ...later] = peaks;
  return {
    tables: [{ title: 'endurance: mix/50/tcp', columns, rows }],
    comparisons: aimed(
      "10,000,000 attempts: memory / first million's",
      Math.max(...later) / first,
      'less',
      1.1,
    ),
  };
}

const scenes: readonly Scene[] = [
  { name: 'large', run: large },
  { name: 'purge', run: purge },
  { name: 'whitelist', run: whitelist },
  { name: 'crowd', run: crowd },
  { name: 'endurance', isLong: true, run: endurance },
];

/** All scenes that were asked for. */
export async function runScenes(situation: Situation, plan: Plan): Promise<Report[]> {
  const wanted = scenes.filter(
    ({ name, isLong }) => isWanted(situation.parts, name) && (isLong !== true || situation.isLong),
  );
  if (wanted.length === 0) return [];
  const folder = path.join(situation.folder, 'scenes');
  const prepared = path.join(folder, 'prepared');
  mkdirSync(folder, { recursive: true });
  await prepare(greyctl('greyctl'), prepared, plan.loaders);
  const reports: Report[] = [];
  for (const { run } of wanted) reports.push(await run({ ...plan, folder, prepared }));
  return reports;
}
