/** Servers side by side under one load: started on copies of prepared folders, loaded in turn, round after round. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { freePort } from '../support/free-port.js';
import type { NewOfTen } from './load.js';
import type { Loaders, Measured } from './loaders.js';
import { allCpuSeconds } from './processors.js';
import type { Round } from './rounds.js';
import { startServer, type Running } from './running.js';
import { delaySeconds, type Contender } from './servers.js';

/** One kind of load. */
export interface Cell {
  readonly load: keyof typeof loads;
  readonly connections: number;
  readonly transport: 'tcp' | 'unix';
}

/** How many of ten questions are about new triplets. */
export const loads = { new: 10, known: 0, mix: 7 } as const satisfies Record<string, NewOfTen>;

/** `mix/50/tcp` */
export function cellName({ load, connections, transport }: Cell): string {
  return `${load}/${connections}/${transport}`;
}

/** Loads a running server and looks at what that cost. */
export async function measure(running: Running, load: () => Promise<Measured>): Promise<Round> {
  const [before, allBefore] = [running.usage(), allCpuSeconds()];
  const measured = await load();
  const [after, allAfter] = [running.usage(), allCpuSeconds()];
  const spent = (name: 'cpuSeconds' | 'writtenBytes' | 'handedBytes') =>
    before && after && after[name] - before[name];
  const perAnswer = (amount: number | undefined) =>
    amount === undefined ? undefined : amount / measured.answers;
  const cpuSeconds = spent('cpuSeconds');
  const others =
    allBefore && allAfter && cpuSeconds && allAfter - allBefore - cpuSeconds - measured.generatorCpuSeconds;
  return {
    ...measured,
    cpuMicrosecondsPerAnswer: perAnswer(cpuSeconds && cpuSeconds * 1e6),
    cpuShare: cpuSeconds && cpuSeconds / measured.seconds,
    othersShare: others && Math.max(0, others / measured.seconds),
    peakMegabytes: after?.peakMegabytes,
    writtenPerAnswer: perAnswer(spent('writtenBytes')),
    handedPerAnswer: perAnswer(spent('handedBytes')),
  };
}

/** Starts a server on a folder; the caller stops it. */
export async function startOn(
  contender: Contender,
  folder: string,
  transport: Cell['transport'] = 'tcp',
): Promise<Running> {
  const listen = transport === 'tcp' ? await freePort() : path.join(folder, 'socket');
  const endpoint = typeof listen === 'number' ? `inet:127.0.0.1:${listen}` : `unix:${listen}`;
  return startServer(contender.program({ folder, listen }), endpoint);
}

/** Makes a folder in which a server finds the known triplets. */
export async function prepare(contender: Contender, folder: string, loaders: Loaders): Promise<void> {
  mkdirSync(folder, { recursive: true });
  contender.prepare(folder);
  if (contender.learns === 'not at all') return;
  const running = await startOn(contender, folder);
  try {
    if (contender.learns === 'by asking') {
      await loaders.askKnown(running.endpoint);
      // Times are whole seconds: the last of them may have been counted as the next.
      await setTimeout((delaySeconds + 1) * 1000);
      const { wrong } = await loaders.askKnown(running.endpoint);
      if (wrong > 0) throw new Error(`${contender.name} did not learn ${wrong} of the known triplets`);
    }
  } finally {
    await running.stop();
  }
  if (typeof contender.learns === 'function') contender.learns(folder);
}

/** A copy of a folder with its owners. */
export function copyFolder(from: string, to: string): string {
  rmSync(to, { recursive: true, force: true });
  execFileSync('cp', ['-a', from, to]);
  return to;
}

export interface Side {
  readonly contender: Contender;
  /** See `prepare`. */
  readonly prepared: string;
}

/** How a cell is measured. */
export interface Plan {
  readonly runs: number;
  readonly seconds: number;
  readonly loaders: Loaders;
  readonly say: (text: string) => void;
}

/** All sides under the load of a cell: their rounds in order. Each has been loaded for as long as a round before the first counts. */
export async function measureCell(
  cell: Cell,
  sides: readonly Side[],
  { runs, seconds, loaders, say }: Plan,
): Promise<Map<string, Round[]>> {
  const { connections, load, transport } = cell;
  const rounds = new Map<string, Round[]>();
  const started: { name: string; running: Running; folder: string }[] = [];
  try {
    for (const { contender, prepared } of sides) {
      const folder = copyFolder(prepared, `${prepared}.running`);
      const running = await startOn(contender, folder, transport);
      started.push({ name: contender.name, running, folder });
      rounds.set(contender.name, []);
    }
    for (let run = 0; run <= runs; run += 1) {
      for (const { name, running } of started) {
        const questions = { endpoint: running.endpoint, connections, newOfTen: loads[load], seconds };
        const round = await measure(running, () => loaders.run(questions));
        if (run === 0) continue;
        rounds.get(name)?.push(round);
        const rate = Math.round(round.answersPerSecond).toLocaleString('en');
        say(`${cellName(cell)} ${name}, run ${run} of ${runs}: ${rate}/s`);
      }
    }
    return rounds;
  } finally {
    for (const { running, folder } of started) {
      await running.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  }
}
