/** The load generator's processes, and what they measured as one. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { environment } from '../support/background.js';
import { quantileOf, sumOf } from './histogram.js';
import type { Answers, NewOfTen, Outcome, Task } from './load.js';
import { ofGenerator, pinned } from './processors.js';
import type { Program } from './running.js';

export interface Load {
  readonly endpoint: string;
  readonly connections: number;
  readonly newOfTen: NewOfTen;
  readonly seconds: number;
  /** It ends earlier after so many; Infinity unless given. */
  readonly questions?: number;
}

export interface Measured {
  readonly seconds: number;
  readonly answers: number;
  readonly answersPerSecond: number;
  readonly p50Milliseconds: number;
  readonly p99Milliseconds: number;
  readonly maxMilliseconds: number;
  /** Answers that a greylister should not have given: a new triplet passed, a known one was deferred. */
  readonly wrong: number;
  readonly passed: number;
  /** Share of the time in which the busiest process of the generator had something to do. */
  readonly busy: number;
  /** Of all processes. */
  readonly generatorCpuSeconds: number;
}

export interface Loaders {
  /** Asks with all processes at once; new triplets are such as no run before has asked about. */
  readonly run: (load: Load) => Promise<Measured>;
  /** Asks once about each of the known triplets. */
  readonly askKnown: (endpoint: string) => Promise<Measured>;
  readonly stop: () => Promise<void>;
}

/** Triplets that are prepared to be known: the numbers from 0. */
export const knownTriplets = 2000;

/** More than a process can ask about in a run; 255 runs have numbers of their own, below 2³², and the known triplets theirs. */
const numbersOfRun = 2 ** 24;
const runsOfTheirOwn = 255;

function ask(child: ChildProcess, task: Task): Promise<Outcome> {
  const answer = once(child, 'message') as Promise<[Outcome]>;
  child.send(task);
  return answer.then(([outcome]) => {
    if (outcome.error !== undefined) throw new Error(`load on ${task.endpoint}: ${outcome.error}`);
    return outcome;
  });
}

/** So much of `total` as the part with this index gets. */
function share(total: number, parts: number, index: number): number {
  return Math.floor(total / parts) + (index < total % parts ? 1 : 0);
}

function total({ passed, deferred, other }: Answers): number {
  return passed + deferred + other;
}

function combine(outcomes: readonly Outcome[]): Measured {
  const sum = (value: (outcome: Outcome) => number) =>
    outcomes.reduce((all, outcome) => all + value(outcome), 0);
  const counts = sumOf(outcomes.map((outcome) => outcome.counts));
  const seconds = Math.max(...outcomes.map((outcome) => outcome.seconds));
  const answers = sum(({ toNew, toKnown }) => total(toNew) + total(toKnown));
  return {
    seconds,
    answers,
    answersPerSecond: answers / seconds,
    p50Milliseconds: quantileOf(counts, 0.5) / 1000,
    p99Milliseconds: quantileOf(counts, 0.99) / 1000,
    maxMilliseconds: Math.max(...outcomes.map(({ maxMicroseconds }) => maxMicroseconds)) / 1000,
    wrong: sum(({ toNew, toKnown }) => total(toNew) - toNew.deferred + total(toKnown) - toKnown.passed),
    passed: sum(({ toNew, toKnown }) => toNew.passed + toKnown.passed),
    busy: Math.max(...outcomes.map(({ busy }) => busy)),
    generatorCpuSeconds: sum(({ cpuSeconds }) => cpuSeconds),
  };
}

function startOne({ program, args }: Program): ChildProcess {
  const file = path.join(import.meta.dirname, 'load.js');
  return fork(file, [], {
    env: environment(),
    serialization: 'advanced',
    execPath: program,
    execArgv: [...args],
  });
}

/** Starts the processes; the caller stops them. `run` is the number before that of the first run: no two ask for the same new triplets. */
export function startLoaders(run = 0): Loaders {
  const node = { program: process.execPath, args: [] };
  const children = ofGenerator.map((processor) => startOne(pinned(node, [processor])));
  const askAll = async (load: Load, used: readonly ChildProcess[]): Promise<Measured> => {
    const tasks = used.map((child, index): [ChildProcess, Task] => {
      run += 1;
      const { endpoint, newOfTen, seconds } = load;
      const questions = share(load.questions ?? Infinity, used.length, index);
      const numbers = {
        firstKnown: 0,
        known: knownTriplets,
        firstNew: (1 + (run % runsOfTheirOwn)) * numbersOfRun,
      };
      const connections = share(load.connections, used.length, index);
      return [child, { endpoint, newOfTen, seconds, questions, connections, ...numbers }];
    });
    return combine(await Promise.all(tasks.map(([child, task]) => ask(child, task))));
  };
  return {
    run: (load) => askAll(load, children.slice(0, load.connections)),
    askKnown: (endpoint) =>
      askAll(
        { endpoint, connections: 20, newOfTen: 0, seconds: Infinity, questions: knownTriplets },
        children.slice(0, 1),
      ),
    stop: async () => {
      const ends = children.map((child) => once(child, 'exit'));
      for (const child of children) child.disconnect();
      await Promise.all(ends);
    },
  };
}
