/**
 * The load generator, a process of its own: each of its connections asks, waits for the answer, and asks again. It is told what to
 * do by messages from loaders.ts and answers each with an `Outcome`.
 */
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

function perform(task: Task): Promise<Outcome> {
  const histogram = createHistogram();
  const next = createNumbers(task);
  const toNew: Answers = { passed: 0, deferred: 0, other: 0 };
  const toKnown: Answers = { passed: 0, deferred: 0, other: 0 };
  let [longest, asked, open, lastAnswer] = [0, 0, 0, 0];
  const sockets: net.Socket[] = [];

  return new Promise((resolve) => {
    let begin = 0;
    let end = Infinity;
    let before = performance.eventLoopUtilization();
    let cpu = process.cpuUsage();
    let isOver = false;
    const finish = (error?: string) => {
      if (isOver) return;
      isOver = true;
      for (const socket of sockets) socket.destroy();
      const { user, system } = process.cpuUsage(cpu);
      resolve({
        ...{ seconds: (lastAnswer - begin) / 1000, toNew, toKnown, counts: Array.from(histogram.counts) },
        ...{ maxMicroseconds: longest, busy: performance.eventLoopUtilization(before).utilization },
        cpuSeconds: (user + system) / 1e6,
        ...(error !== undefined && { error }),
      });
    };

    const connect = (): (() => void) => {
      const question = createQuestion();
      let sentAt = 0;
      let isNew = false;
      let partial = '';
      const ask = () => {
        if (asked >= task.questions || performance.now() >= end) {
          open -= 1;
          if (open === 0) finish();
          return;
        }
        asked += 1;
        const what = next();
        isNew = what.isNew;
        question.become(what.number);
        sentAt = performance.now();
        socket.write(question.bytes);
      };
      const receive = (size: number, bytes: Uint8Array): boolean => {
        let reply = bytes;
        if (partial !== '' || size < 9 || bytes[size - 1] !== 10 || bytes[size - 2] !== 10) {
          partial += Buffer.from(bytes.buffer, bytes.byteOffset, size).toString('latin1');
          if (!partial.endsWith('\n\n')) return true;
          reply = Buffer.from(partial, 'latin1');
          partial = '';
        }
        lastAnswer = performance.now();
        const took = Math.round((lastAnswer - sentAt) * 1000);
        histogram.add(took);
        if (took > longest) longest = took;
        (isNew ? toNew : toKnown)[classify(reply[actionAt] ?? 0, reply[actionAt + 1] ?? 0)] += 1;
        ask();
        return true;
      };
      const buffer = Buffer.allocUnsafeSlow(receiveBytes);
      const socket = net.connect({ ...socketAddress(task.endpoint), onread: { buffer, callback: receive } });
      socket.setNoDelay(true);
      sockets.push(socket);
      socket.on('error', (error) => {
        finish(error.message);
      });
      socket.on('close', () => {
        finish(`${task.endpoint} closed a connection`);
      });
      socket.on('connect', () => {
        open += 1;
        if (open < task.connections) return;
        before = performance.eventLoopUtilization();
        cpu = process.cpuUsage();
        begin = performance.now();
        end = begin + task.seconds * 1000;
        for (const start of starts) start();
      });
      return ask;
    };
    const starts = Array.from({ length: task.connections }, connect);
  });
}

process.on('message', (task: Task) => {
  void perform(task).then((outcome) => process.send?.(outcome));
});
// The bench has ended, however it did.
process.on('disconnect', () => process.exit());
