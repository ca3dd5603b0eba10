/**
 * The load generator, a process of its own: each of its connections asks, waits for the answer, and asks again. It is told what to
 * do by messages from loaders.ts and answers each with an `Outcome`.
 */
import { once } from 'node:events';
import net from 'node:net';
import { performance } from 'node:perf_hooks';
import { socketAddress } from '../support/conversation.js';
import { createHistogram } from './histogram.js';
import { createQuestion } from './question.js';

/** How many of ten questions are about triplets never seen before. */
export type NewOfTen = 0 | 7 | 10;

export interface Task {
  readonly endpoint: string;
  readonly connections: number;
  readonly newOfTen: NewOfTen;
  /** Known triplets are the numbers from `firstKnown`, so many. */
  readonly firstKnown: number;
  readonly known: number;
  /** New triplets are the numbers from here. */
  readonly firstNew: number;
  /** It ends after so many seconds, or so many questions, whichever comes first. */
  readonly seconds: number;
  readonly questions: number;
}

/** How answers begin: a pass (DUNNO or PREPEND), a deferral, or something else. */
export interface Answers {
  passed: number;
  deferred: number;
  other: number;
}

export interface Outcome {
  /** From the first question to the last answer. */
  readonly seconds: number;
  readonly toNew: Answers;
  readonly toKnown: Answers;
  /** See histogram.ts. */
  readonly counts: readonly number[];
  readonly maxMicroseconds: number;
  /** Share of the time in which this process had something to do. */
  readonly busy: number;
  readonly cpuSeconds: number;
  readonly error?: string;
}

const letter = (text: string) => text.charCodeAt(0);
/** Where the action begins in `action=`. */
const actionAt = 7;
const receiveBytes = 4096;
const lineFeed = 10;

/** DUNNO, dunno, PREPEND; DEFER_IF_PERMIT, defer_if_permit, 450. */
function classify(first: number, second: number): keyof Answers {
  const [one, two] = [first | 32, second | 32];
  if (one === letter('p') || (one === letter('d') && two === letter('u'))) return 'passed';
  if (one === (letter('4') | 32) || (one === letter('d') && two === letter('e'))) return 'deferred';
  return 'other';
}

/** Says which number to ask next, and whether it is a new one. */
function createNumbers({ newOfTen, firstKnown, known, firstNew }: Task) {
  let asked = 0;
  let fresh = firstNew;
  let turn = 0;
  return () => {
    // 7 is prime to 10: the new ones are spread among the ten.
    const isNew = (asked * 7) % 10 < newOfTen;
    asked += 1;
    if (isNew) {
      fresh += 1;
      return { isNew, number: fresh - 1 };
    }
    turn = turn + 1 === known ? 0 : turn + 1;
    return { isNew, number: firstKnown + turn };
  };
}

/** Counts answers and times; tells what they were like. */
function createTally() {
  const histogram = createHistogram();
  const toNew: Answers = { passed: 0, deferred: 0, other: 0 };
  const toKnown: Answers = { passed: 0, deferred: 0, other: 0 };
  let maxMicroseconds = 0;
  return {
    add: (isNew: boolean, microseconds: number, answer: keyof Answers) => {
      histogram.add(microseconds);
      if (microseconds > maxMicroseconds) maxMicroseconds = microseconds;
      (isNew ? toNew : toKnown)[answer] += 1;
    },
    told: () => ({ toNew, toKnown, maxMicroseconds, counts: Array.from(histogram.counts) }),
  };
}

/** What the connections of a task share. */
interface Talk {
  /** Undefined when no more is to be asked. */
  readonly next: () => { readonly isNew: boolean; readonly number: number } | undefined;
  readonly answered: (isNew: boolean, microseconds: number, answer: keyof Answers) => void;
  /** This connection has nothing more to ask. */
  readonly done: () => void;
  readonly failed: (why: string) => void;
}

/** Opens a connection; `ask` begins its questions. */
function openConnection(endpoint: string, talk: Talk): { socket: net.Socket; ask: () => void } {
  const question = createQuestion();
  let sentAt = 0;
  let isNew = false;
  let partial = '';

  const ask = () => {
    const asked = talk.next();
    if (!asked) {
      talk.done();
      return;
    }
    isNew = asked.isNew;
    question.become(asked.number);
    sentAt = performance.now();
    socket.write(question.bytes);
  };
  const receive = (size: number, bytes: Uint8Array): boolean => {
    let reply = bytes;
    if (partial !== '' || bytes[size - 1] !== lineFeed || bytes[size - 2] !== lineFeed) {
      partial += Buffer.from(bytes.buffer, bytes.byteOffset, size).toString('latin1');
      if (!partial.endsWith('\n\n')) return true;
      reply = Buffer.from(partial, 'latin1');
      partial = '';
    }
    const microseconds = Math.round((performance.now() - sentAt) * 1000);
    talk.answered(isNew, microseconds, classify(reply[actionAt] ?? 0, reply[actionAt + 1] ?? 0));
    ask();
    return true;
  };
  const buffer = Buffer.allocUnsafeSlow(receiveBytes);
  const socket = net.connect({ ...socketAddress(endpoint), onread: { buffer, callback: receive } });
  socket.setNoDelay(true);
  socket.on('error', (error) => {
    talk.failed(error.message);
  });
  socket.on('close', () => {
    talk.failed(`${endpoint} closed a connection`);
  });
  return { socket, ask };
}

/** Opens all connections, then asks over all of them until time or questions are used up and the last answer is there. */
async function perform(task: Task): Promise<Outcome> {
  const tally = createTally();
  const next = createNumbers(task);
  let end = Infinity;
  let asked = 0;
  let talking = task.connections;
  let finish: (error?: string) => void = () => undefined;
  const finished = new Promise<string | undefined>((resolve) => (finish = resolve));
  const talk: Talk = {
    next: () => {
      if (asked >= task.questions || performance.now() >= end) return undefined;
      asked += 1;
      return next();
    },
    answered: tally.add,
    done: () => {
      talking -= 1;
      if (talking === 0) finish();
    },
    failed: (why) => {
      finish(why);
    },
  };
  const connections = Array.from({ length: task.connections }, () => openConnection(task.endpoint, talk));
  const connected = Promise.all(connections.map(({ socket }) => once(socket, 'connect')));
  await connected.catch(() => undefined);

  const utilization = performance.eventLoopUtilization();
  const cpu = process.cpuUsage();
  const begin = performance.now();
  end = begin + task.seconds * 1000;
  for (const { ask } of connections) ask();
  const error = await finished;
  const seconds = (performance.now() - begin) / 1000;
  for (const { socket } of connections) socket.destroy();
  const { user, system } = process.cpuUsage(cpu);
  return {
    ...{ seconds, ...tally.told(), cpuSeconds: (user + system) / 1e6 },
    busy: performance.eventLoopUtilization(utilization).utilization,
    ...(error !== undefined && { error }),
  };
}

process.on('message', (task: Task) => {
  void perform(task).then((outcome) => process.send?.(outcome));
});
// The bench has ended, however it did.
process.on('disconnect', () => process.exit());
