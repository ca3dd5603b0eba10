/**
 * A growing log as blocks of bytes, across the ways in which logs are rotated.
 *
 * A file that is open stays open, whatever becomes of its name: what is still written to it after it was renamed or removed is
 * read to its end before its successor is begun. It is left when a successor holds something and it has itself been quiet for
 * two looks, as loggers open a new file before they stop writing to the old one. A file that shrinks (copytruncate) is read from its
 * start. While no file has the name, or something else that cannot be followed, one is waited for; what has the name at the end
 * is told then. Half a line ends where its file is cut short or left: what comes next is another line.
 *
 * The package `tail` reads what is appended. It is given the open file (/dev/fd), not the name, which may belong to another file by
 * then, and is told when to look: its own watching loses lines when a file is renamed or shrinks.
 *
 * Known gaps: what is written between the last look and a copytruncate is lost, as is a copytruncate after which the file grows
 * beyond its old size before the next look, and a file that comes and goes between two looks.
 */
import { constants } from 'node:fs';
import { open, stat, type FileHandle } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Tail } from 'tail';
import { codeOf, Failure, reasonOf } from '../greylist/failure.js';

/** What `tail` 2.2.6 has beyond its types. */
interface AppendReader extends Tail {
  /** Reads what was appended since the last time. */
  readonly change: () => void;
  /** Blocks that are being read. */
  readonly queue: readonly unknown[];
  /** Where the next block will begin. */
  readonly currentCursorPos: number;
}

interface OpenFile {
  /** Device and inode. */
  readonly identity: string;
  readonly isEmpty: () => Promise<boolean>;
  /** All that was written since the last time, from the start of the file if it has shrunk. */
  readonly news: () => AsyncGenerator<Buffer, void, undefined>;
  /** The end of the line that is begun; empty where none is. */
  readonly lineEnd: () => Buffer;
  readonly close: () => Promise<void>;
}

const lookMilliseconds = 200;
const blockMilliseconds = 5;
const blockBytes = 262_144;
const newline = 10;

async function* range(file: FileHandle, from: number, to: number): AsyncGenerator<Buffer, void, undefined> {
  const buffer = Buffer.allocUnsafe(Math.min(blockBytes, to - from));
  for (let at = from; at < to;) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, to - at), at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** A reader that stands at the end of the file and looks only when it is told to. */
function createAppendReader(
  file: FileHandle,
  onBlock: (block: Buffer) => void,
  onError: (error: unknown) => void,
): AppendReader {
  const options = { separator: null, encoding: 'latin1', useWatchFile: true };
  // The types leave out what the class has beside its documented methods.
  const reader = new Tail(`/dev/fd/${file.fd}`, options) as AppendReader;
  reader.unwatch();
  reader.on('line', (text: string) => {
    onBlock(Buffer.from(text, 'latin1'));
  });
  reader.on('error', onError);
  return reader;
}

async function openFile(name: string): Promise<OpenFile> {
  // What is no file must not keep us waiting.
  const file = await open(name, constants.O_RDONLY | constants.O_NONBLOCK);
  const status = await file.stat();
  if (!status.isFile()) {
    await file.close();
    throw new Failure('is not a plain file; only those can be followed');
  }
  let reader: AppendReader | undefined;
  let arrived: Buffer[] = [];
  let failure: unknown;
  let lastByte = newline;

  const lineEnd = () => Buffer.from(lastByte === newline ? '' : '\n');
  const takeArrived = (): Buffer[] => {
    const blocks = arrived;
    arrived = [];
    if (failure !== undefined) throw new Failure(reasonOf(failure), { cause: failure });
    return blocks;
  };
  const begin = () =>
    createAppendReader(
      file,
      (block) => arrived.push(block),
      (error) => {
        failure = error;
      },
    );

  async function* appended(): AsyncGenerator<Buffer, void, undefined> {
    const { size } = await file.stat();
    if (!reader || size < reader.currentCursorPos) {
      yield lineEnd();
      reader = begin();
      yield* range(file, 0, reader.currentCursorPos);
      return;
    }
    reader.change();
    while (reader.queue.length > 0) {
      await sleep(blockMilliseconds);
      yield* takeArrived();
    }
    yield* takeArrived();
  }
  async function* news(): AsyncGenerator<Buffer, void, undefined> {
    for await (const block of appended()) {
      if (block.length === 0) continue;
      lastByte = block.at(-1) ?? newline;
      yield block;
    }
  }

  return {
    identity: `${status.dev} ${status.ino}`,
    isEmpty: async () => (await file.stat()).size === 0,
    news,
    lineEnd,
    close: () => file.close(),
  };
}

/** The file that has the name now, if it is another than `last`; throws what keeps it from being followed. */
async function openSuccessor(name: string, last: OpenFile | undefined): Promise<OpenFile | undefined> {
  try {
    const { dev, ino } = await stat(name);
    return last?.identity === `${dev} ${ino}` ? undefined : await openFile(name);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function areEmpty(files: readonly OpenFile[]): Promise<boolean> {
  for (const file of files) if (!(await file.isEmpty())) return false;
  return true;
}

async function pause(stop: AbortSignal): Promise<void> {
  try {
    await sleep(lookMilliseconds, undefined, { signal: stop });
  } catch (error) {
    if (!stop.aborted) throw error;
  }
}

/**
 * The blocks of the file, and of those that take its name later, until `stop`; then what is there is read to its end. `caughtUp`
 * is called, again and again, when all that was there has been given out and taken.
 */
export async function* followFile(
  name: string,
  stop: AbortSignal,
  caughtUp: () => void,
): AsyncGenerator<Buffer, void, undefined> {
  const chain = [await openFile(name)];
  let quietLooks = 0;
  let obstacle: Failure | undefined;
  const look = async () => {
    obstacle = undefined;
    try {
      const successor = await openSuccessor(name, chain.at(-1));
      if (successor) chain.push(successor);
    } catch (error) {
      // Rotation may make a file first and give it its owner and mode afterwards.
      obstacle = new Failure(reasonOf(error), { cause: error });
    }
  };
  try {
    for (let file = chain[0]; file; file = chain[0]) {
      const isLastLook = stop.aborted;
      await look();
      const isSucceeded = !(await areEmpty(chain.slice(1)));
      quietLooks += 1;
      for await (const block of file.news()) {
        quietLooks = 0;
        yield block;
      }
      if (isLastLook || (isSucceeded && quietLooks >= 2)) {
        chain.shift();
        quietLooks = 0;
        await file.close();
        if (chain.length > 0) yield file.lineEnd();
        continue;
      }
      if (chain.length === 1) caughtUp();
      await pause(stop);
    }
    if (obstacle) throw obstacle;
  } finally {
    for (const file of chain) await file.close();
  }
}

/** `blocks` until they fail because of `stop`. */
export async function* untilStopped(
  blocks: AsyncIterable<Buffer>,
  stop: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  try {
    yield* blocks;
  } catch (error) {
    if (!stop.aborted) throw error;
  }
}
