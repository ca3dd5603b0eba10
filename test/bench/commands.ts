/** How long the commands take: to start, beside a bare `node -e 0`, and on a large database. */
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { repositoryRoot } from '../support/greyctl.js';
import { median, type Bench, type Comparison, type Report, type Row, type Situation } from './bench.js';
import { cost, type Command, type Cost } from './measure.js';

const leastRuns = 5;

const time = (epochSeconds: number) => new Date(epochSeconds * 1000).toISOString().replace('.000', '');

/** Lines of an export: entries, every fourth of them waiting, of the last weeks, and the counts of 90 days. */
function* lines(entries: number, now: number): Generator<string> {
  const line = (document: object) => `${JSON.stringify(document)}\n`;
  yield line({ greyctl_export: 1, exported_at: time(now), hashed: false });
  for (let index = 0; index < entries; index += 1) {
    const isWaiting = index % 4 === 0;
    const firstSeen = now - (index % (isWaiting ? 2 * 86_400 : 30 * 86_400)) - 1;
    yield line({
      type: 'entry',
      client: `${10 + (index % 200)}.${(index >> 8) & 255}.${(index >> 4) & 255}.0`,
      sender: `sender${index}@domain${index % 50_000}.example`,
      recipient: `user${index % 5000}@example.org`,
      first_seen: time(firstSeen),
      last_seen: time(Math.min(now, firstSeen + 600)),
      deferrals: 1,
      passed_at: isWaiting ? null : time(Math.min(now, firstSeen + 600)),
      passes: isWaiting ? 0 : 1,
      released_at: null,
    });
  }
  const hour = now - (now % 3600);
  for (let back = 0; back < 90 * 24; back += 1) {
    for (const [verdict, reason] of [
      ['greylist', 'new'],
      ['greylist', 'early-retry'],
      ['pass', 'triplet found'],
      ['pass', 'client whitelist'],
    ])
      yield line({ type: 'tally', hour: time(hour - back * 3600), verdict, reason, count: 100 });
    for (let seconds = 300; seconds < 3000; seconds += 100)
      yield line({ type: 'delay', hour: time(hour - back * 3600), seconds, count: 3 });
  }
}

function greyctl(...args: string[]): Command {
  return { program: process.execPath, args: [path.join(repositoryRoot, 'bin/greyctl.js'), ...args] };
}

/** Runs all in turn, so that what else the machine does touches all alike. */
async function inTurn(
  commands: ReadonlyMap<string, Command>,
  { runs, say }: Situation,
): Promise<Map<string, Cost[]>> {
  const costs = new Map(Array.from(commands.keys(), (name): [string, Cost[]] => [name, []]));
  for (let run = 0; run < Math.max(leastRuns, runs); run += 1) {
    for (const [name, command] of commands) costs.get(name)?.push(await cost(command));
  }
  for (const [name, all] of costs) say(`${name}: ${median(all.map((one) => one.seconds)).toFixed(3)} s`);
  return costs;
}

function rowOf(what: string, costs: readonly Cost[]): Row {
  return {
    what,
    values: [
      median(costs.map((one) => one.seconds)) * 1000,
      median(costs.flatMap((one) => one.cpuSeconds ?? [])) * 1000,
      Math.max(...costs.flatMap((one) => one.peakMegabytes ?? [])),
    ],
  };
}

const node = 'node -e 0';
const starts = ['--help', 'completion bash', 'completion zsh'];
const onDatabase = [
  'stats',
  'stats --since=90d',
  'db info',
  'db list --limit=20',
  'db list --recipient=user1@example.org',
  'db purge --dry-run',
  'db purge --yes',
];

async function makeDatabase(file: string, entries: number): Promise<void> {
  const output = createWriteStream(file);
  await pipeline(lines(entries, Math.floor(Date.now() / 1000)), output);
  if (!output.closed) await once(output, 'close');
}

async function run(situation: Situation): Promise<Report> {
  const { folder, isQuick, say } = situation;
  const entries = isQuick ? 50_000 : 1_000_000;
  const db = `--db=${path.join(folder, 'commands.db')}`;
  const file = path.join(folder, 'export.jsonl');
  say(`writing and importing ${entries} entries …`);
  await makeDatabase(file, entries);
  const imported = await cost(greyctl('db', 'import', db, file));
  const commands = new Map<string, Command>([
    [node, { program: process.execPath, args: ['-e', '0'] }],
    ...starts.map((name): [string, Command] => [name, greyctl(...name.split(' '))]),
    ...onDatabase.map((name): [string, Command] => [name, greyctl(...name.split(' '), db)]),
  ]);
  const costs = await inTurn(commands, situation);
  const exported = await cost(greyctl('db', 'export', db, path.join(folder, 'again.jsonl')));

  const secondsOf = (name: string) => median(costs.get(name)?.map((one) => one.seconds) ?? []);
  const ratios = starts.map((name): Comparison => ({
    what: `greyctl ${name}, times ${node}`,
    value: secondsOf(name) / secondsOf(node),
    better: 'less',
    target: 2.2,
  }));
  const stats: Comparison = {
    what: 'greyctl stats on 1,000,000 entries',
    value: secondsOf('stats'),
    unit: 's',
    better: 'less',
    target: 1,
  };
  return {
    tables: [
      {
        title: `commands, with ${entries.toLocaleString('en')} entries`,
        columns: [
          { title: 'ms', digits: 0 },
          { title: 'CPU ms', digits: 0 },
          { title: 'peak MB', digits: 0 },
        ],
        rows: [
          ...Array.from(costs, ([name, all]) => rowOf(name === node ? name : `greyctl ${name}`, all)),
          rowOf('greyctl db import, once', [imported]),
          rowOf('greyctl db export, once', [exported]),
        ],
      },
    ],
    comparisons: isQuick ? ratios : [...ratios, stats],
  };
}

/** Start-up, and commands on a large database. */
export const commandsBench: Bench = { name: 'commands', run };
