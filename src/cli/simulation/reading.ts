/** Reading a log beside what is done with its attempts: in a thread of its own, which shortens both by up to half. */
import { on } from 'node:events';
import { Worker } from 'node:worker_threads';
import { contains, type Network } from '../../greylist/address.js';
import type { LoggedAttempt } from '../../maillog/attempts.js';
import { createCounts, type ReadingCounts } from '../../maillog/counts.js';
import { unpack, type PackedAttempts } from '../../maillog/packed.js';
import { readAttempts, type FollowOptions, type Reading, type ReadOptions } from '../../maillog/read.js';
import type { SourceProblem } from '../../maillog/sources.js';
import { parsePattern } from '../../whitelist/pattern.js';

/** A log and how it is to be read; plain data, which can be given to a thread. */
export interface Log {
  readonly names: readonly string[];
  readonly year: number | undefined;
  /** Default: loopback. */
  readonly ownNetworks: readonly Network[] | undefined;
  /** A regular expression for greylisting replies, beside the known wordings. */
  readonly greylistPattern: string | undefined;
}

/** What the thread is given. */
export interface ThreadTask {
  readonly log: Log;
  readonly now: number;
}

/** What the thread says; it goes on reading when it is answered, with anything. */
export type ThreadMessage =
  | { readonly type: 'batch'; readonly attempts: PackedAttempts; readonly bytes: number }
  | { readonly type: 'end'; readonly counts: ReadingCounts; readonly problems: readonly SourceProblem[] };

/** How the reader is to read this log. */
export function readOptions({ year, ownNetworks, greylistPattern }: Log, now: number): ReadOptions {
  return {
    now,
    year,
    isLocal: ownNetworks && ((address) => ownNetworks.some((network) => contains(network, address))),
    greylistPattern: greylistPattern === undefined ? undefined : parsePattern(greylistPattern),
  };
}

/** Lines live shortly: with twice the room of Node's default, hardly any of them is still there when it is tidied. */
const youngMegabytes = 32;

function readInThread(log: Log, now: number): Reading {
  const workerData: ThreadTask = { log, now };
  const worker = new Worker(new URL('thread.js', import.meta.url), {
    workerData,
    resourceLimits: { maxYoungGenerationSizeMb: youngMegabytes },
  });
  const messages = on(worker, 'message') as AsyncIterable<[ThreadMessage]>;
  // Until somebody waits for it, it keeps nobody from ending.
  worker.unref();
  const counts = createCounts();
  const problems: SourceProblem[] = [];

  async function* batches(): AsyncGenerator<LoggedAttempt[], void, undefined> {
    worker.ref();
    try {
      for await (const [message] of messages) {
        if (message.type === 'end') {
          Object.assign(counts, message.counts);
          problems.push(...message.problems);
          return;
        }
        counts.bytes = message.bytes;
        yield unpack(message.attempts);
        worker.postMessage('taken');
      }
    } finally {
      await worker.terminate();
    }
  }
  return { batches: batches(), counts, problems, isLive: () => false, following: () => undefined };
}

/** Reads a log, or follows it; `stdin` is asked for where `-` is read. */
export function readLog(
  log: Log,
  now: number,
  stdin: () => AsyncIterable<Buffer>,
  follow?: FollowOptions,
): Reading {
  const hasStdin = log.names.includes('-');
  if (!follow && !hasStdin) return readInThread(log, now);
  return readAttempts(log.names, {
    ...readOptions(log, now),
    follow,
    ...(hasStdin && { stdin: stdin() }),
  });
}
