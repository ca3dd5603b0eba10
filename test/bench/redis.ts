/** greyctl on Redis: one server, and three that share it, beside greyctl on SQLite and postgrey. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync } from 'node:fs';
import path from 'node:path';
import { defaultSettings } from '#src/greylist/settings.js';
import { repositoryRoot } from '../support/greyctl.js';
import { freePort } from '../support/free-port.js';
import { find, packageOf } from '../support/programs.js';
import { openRedisStore, redisCli } from '../support/redis.js';
import {
  isWanted,
  median,
  type Bench,
  type Comparison,
  type Report,
  type Situation,
  type Table,
} from './bench.js';
import { measure, measureCell, prepare, startOn, type Cell, type Plan, type Side } from './cells.js';
import { startLoaders } from './loaders.js';
import { askedBy } from './question.js';
import { aimed, medianOf, p99, rate, ratioOf, tableOf, type Round, type Rounds } from './rounds.js';
import { delaySeconds, greyctl, postgreyServer, type Contender } from './servers.js';

const cell: Cell = { load: 'mix', connections: 50, transport: 'tcp' };
const sharing = 3;

interface Redis {
  readonly port: number;
  readonly process: ChildProcess;
}

async function startRedis(program: string, folder: string): Promise<Redis> {
  const port = await freePort();
  const fixed = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', ''];
  // As the manual asks for it.
  const child = spawn(program, [...fixed, '--appendonly', 'yes'], { stdio: ['ignore', 'pipe', 'ignore'] });
  process.on('exit', () => child.kill('SIGKILL'));
  let said = '';
  for await (const chunk of child.stdout) {
    said += String(chunk);
    if (said.includes('eady to accept connections')) break;
  }
  return { port, process: child };
}

interface Effort {
  /** How often servers asked Redis and waited: each batch is read or guessed, and runs a script at least once. */
  readonly roundTrips: number;
  readonly cpuSeconds: number;
}

async function effort({ port }: Redis): Promise<Effort> {
  const stats = await redisCli(port, ['INFO', 'commandstats']);
  const cpu = await redisCli(port, ['INFO', 'cpu']);
  const sum = (text: string, pattern: RegExp) =>
    [...text.matchAll(pattern)].reduce((all, [, value]) => all + Number(value), 0);
  return {
    roundTrips: sum(stats, /^cmdstat_(?:mget|evalsha):calls=(\d+)/gm),
    cpuSeconds: sum(cpu, /^used_cpu_(?:user|sys):([\d.]+)/gm),
  };
}

function onRedis({ port }: Redis): Contender {
  return {
    name: 'greyctl on Redis',
    missing: () => Promise.resolve(undefined),
    program: ({ folder, listen }) => ({
      program: process.execPath,
      args: [
        ...[path.join(repositoryRoot, 'bin/greyctl.js'), 'serve', `--db=redis://127.0.0.1:${port}`],
        ...[`--inet=127.0.0.1:${listen}`, `--delay=${delaySeconds}`],
        ...['clients', 'recipients', 'senders'].map((kind) => `--whitelist-${kind}=${folder}/none.local`),
      ],
    }),
    prepare: () => undefined,
    learns: 'by asking',
  };
}

interface Shared {
  /** Of each server. */
  readonly rounds: Map<string, Round[]>;
  readonly tripsPerAnswer: number;
  /** Of Redis. */
  readonly cpuMicrosecondsPerAnswer: number;
}

/** So many servers on one Redis, all loaded at the same time. */
async function loadTogether(
  redis: Redis,
  folder: string,
  servers: number,
  { runs, seconds, say }: Plan,
): Promise<Shared> {
  const contender = onRedis(redis);
  const rounds = new Map<string, Round[]>();
  const trips: number[] = [];
  const costs: number[] = [];
  // New triplets of one are not those of another.
  const loaders = Array.from({ length: servers }, (_, index) => startLoaders(20 * (servers + index)));
  const running = await Promise.all(loaders.map(() => startOn(contender, folder)));
  try {
    for (let run = 0; run <= runs; run += 1) {
      const before = await effort(redis);
      const measured = await Promise.all(
        running.map((server, index) => {
          const questions = {
            endpoint: server.endpoint,
            connections: cell.connections,
            newOfTen: 7,
            seconds,
          } as const;
          return measure(
            server,
            () => loaders[index]?.run(questions) ?? Promise.reject(new Error('no load')),
          );
        }),
      );
      const answers = measured.reduce((sum, round) => sum + round.answers, 0);
      const after = await effort(redis);
      const tripsPerAnswer = (after.roundTrips - before.roundTrips) / answers;
      if (run === 0) continue;
      trips.push(tripsPerAnswer);
      costs.push(((after.cpuSeconds - before.cpuSeconds) / answers) * 1e6);
      for (const [index, round] of measured.entries()) {
        const name = `greyctl ${index + 1} of ${servers} on one Redis`;
        rounds.set(name, [...(rounds.get(name) ?? []), round]);
      }
      const rates = measured
        .map((round) => Math.round(round.answersPerSecond).toLocaleString('en'))
        .join(' + ');
      say(
        `${servers} on one Redis, run ${run} of ${runs}: ${rates}/s, ${tripsPerAnswer.toFixed(3)} round trips an answer`,
      );
    }
    return { rounds, tripsPerAnswer: median(trips), cpuMicrosecondsPerAnswer: median(costs) };
  } finally {
    for (const server of running) await server.stop();
    for (const each of loaders) await each.stop();
  }
}

function effortTable(together: readonly Shared[]): Table {
  return {
    title: 'redis: what an answer costs Redis',
    columns: [
      { title: 'CPU µs/answer', digits: 1 },
      { title: 'round trips/answer', digits: 3 },
    ],
    rows: together.map(({ rounds, tripsPerAnswer, cpuMicrosecondsPerAnswer }) => ({
      what: `${rounds.size} at the same time`,
      values: [cpuMicrosecondsPerAnswer, tripsPerAnswer],
    })),
  };
}

function comparisonsOf(alone: Rounds, together: readonly Shared[]): Comparison[] {
  const postgrey = medianOf(alone.get('postgrey'), rate);
  const name = 'greyctl on Redis';
  return [
    ...aimed("redis: rate / postgrey's", ratioOf(alone, name, 'postgrey', rate), 'more', 15),
    ...aimed("redis: p99 / SQLite's", ratioOf(alone, name, 'greyctl', p99), 'less', 2),
    ...together.flatMap(({ rounds, tripsPerAnswer }) => {
      const slowest = Math.min(...[...rounds.values()].map((each) => medianOf(each, rate) ?? 0));
      const what = `redis, ${rounds.size} together`;
      return [
        ...aimed(`${what}: rate of the slowest / postgrey's`, postgrey && slowest / postgrey, 'more', 15),
        ...aimed(`${what}: round trips / answers`, tripsPerAnswer, 'less', 0.2),
      ];
    }),
  ];
}

/** What so many entries cost Redis: triplets as the load asks about, of which a tenth passes. */
async function measureMemory(redis: Redis, entries: number, say: Situation['say']): Promise<Table> {
  const used = async () =>
    Number(/^used_memory:(\d+)/m.exec(await redisCli(redis.port, ['INFO', 'memory']))?.[1]);
  await redisCli(redis.port, ['FLUSHALL']);
  const store = await openRedisStore(redis.port);
  const empty = await used();
  const batch = 500;
  const seconds = { settle: 0, scan: 0 };
  const time = 1_800_000_000;
  for (let from = 0; from < entries; from += batch) {
    const attempts = Array.from({ length: batch }, (_, index) => {
      const { clientAddress, sender, recipient } = askedBy(2 ** 20 + from + index);
      const client = clientAddress.replace(/\d+$/, '0');
      const rules = { ...defaultSettings, awlClients: 0, ...(index % 10 === 0 && { delaySeconds: 0 }) };
      return { time, triplet: { client, sender, recipient }, address: clientAddress, rules };
    });
    const begin = performance.now();
    await store.settle(attempts);
    seconds.settle += (performance.now() - begin) / 1000;
  }
  const begin = performance.now();
  const info = await store.info();
  seconds.scan = (performance.now() - begin) / 1000;
  const full = await used();
  const found = info.waiting + info.passed;
  await store.merge(
    [],
    Array.from({ length: entries }, (_, index) => ({
      address: `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`,
      count: 1,
      lastCounted: time,
    })),
  );
  const records = await used();
  await store.close();
  say(`memory: ${found.toLocaleString('en')} entries`);
  return {
    title: `redis: memory and speed with ${found.toLocaleString('en')} entries`,
    columns: [
      { title: 'B/entry', digits: 0 },
      { title: 'B/AWL record', digits: 0 },
      { title: 'new entries/s', digits: 0 },
      { title: 'scanned/s', digits: 0 },
    ],
    rows: [
      {
        what: 'Redis',
        values: [
          (full - empty) / found,
          (records - full) / entries,
          found / seconds.settle,
          found / seconds.scan,
        ],
      },
    ],
  };
}

async function run(situation: Situation): Promise<Report> {
  const program = find('redis-server');
  if (program === undefined) {
    const missing = `not installed: apt-get install ${packageOf('redis-server')}`;
    return {
      tables: [{ title: 'redis', columns: [], rows: [{ what: 'Redis', missing, values: [] }] }],
      comparisons: [],
    };
  }
  const { folder, isQuick, runs, say } = situation;
  chmodSync(folder, 0o755);
  const redis = await startRedis(program, folder);
  const loaders = startLoaders();
  const plan: Plan = { runs, seconds: isQuick ? 0.8 : 2, loaders, say };
  try {
    const memory = isWanted(situation.parts, 'memory')
      ? [await measureMemory(redis, isQuick ? 20_000 : 500_000, say)]
      : [];
    if (!isWanted(situation.parts, 'redis')) return { tables: memory, comparisons: [] };
    await redisCli(redis.port, ['FLUSHALL']);
    const sides: Side[] = [];
    for (const contender of [greyctl('greyctl'), onRedis(redis), postgreyServer]) {
      if ((await contender.missing()) !== undefined) continue;
      const prepared = path.join(folder, 'redis', contender.name.replaceAll(' ', ''));
      await prepare(contender, prepared, loaders);
      sides.push({ contender, prepared });
    }
    const alone = await measureCell(cell, sides, plan);
    const together = [
      await loadTogether(redis, folder, 1, plan),
      await loadTogether(redis, folder, sharing, plan),
    ];
    const tables = [
      ...memory,
      tableOf('redis: mix/50/tcp', alone, ['postgrey']),
      effortTable(together),
      ...together.map(({ rounds }) =>
        tableOf(`redis: ${rounds.size} at the same time, 50 connections each`, rounds, []),
      ),
    ];
    return { tables, comparisons: comparisonsOf(alone, together) };
  } finally {
    await loaders.stop();
    redis.process.kill();
    await once(redis.process, 'close');
  }
}

/** Several MX hosts on one Redis. */
export const redisBench: Bench = { name: 'redis', run };
