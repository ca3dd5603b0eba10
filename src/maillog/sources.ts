/**
 * Log files, standard input and gzip to blocks of bytes: with follow.ts, the only I/O of this room.
 *
 * What a file is, its content says: gzip is unpacked, other compressions are named and refused. Blocks come as fast as they are
 * asked for. What can be read before an error is given out before the error.
 */
import { closeSync, constants, createReadStream, openSync, readSync } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { Socket } from 'node:net';
import { addAbortSignal } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { codeOf, Failure, reasonOf } from '../greylist/failure.js';
import { followFile, untilStopped } from './follow.js';
import { gunzipped } from './gzip.js';

/** Why a source, or the rest of it, could not be read. */
export interface SourceProblem {
  readonly source: string;
  readonly message: string;
  /** What can be done about it: a program that unpacks what its arguments name, or leave to read. */
  readonly remedy?: { readonly unpack: string } | 'permission';
}

/** A source that is compressed in a way that greyctl does not unpack. */
class Compressed extends Failure {
  readonly unpack: string;

  constructor([, program, unpack]: Packing) {
    super(`is compressed; unpack it with ${program} first`);
    this.unpack = unpack;
  }
}

/** Why the source of this name could not be read, out of what was thrown. */
export function problemOf(source: string, error: unknown): SourceProblem {
  const problem = { source, message: reasonOf(error) };
  if (error instanceof Compressed) return { ...problem, remedy: { unpack: error.unpack } };
  const code = codeOf(error instanceof Failure ? error.cause : error);
  return code === 'EACCES' ? { ...problem, remedy: 'permission' } : problem;
}

export interface Source {
  /** As named by the caller. */
  readonly name: string;
  /** Epoch seconds, with fraction; undefined for standard input. */
  readonly modifiedAt: number | undefined;
  /** Blocks of unpacked bytes, each valid until the next is asked for. Ends with a Failure when it can't be read on. */
  readonly blocks: AsyncGenerator<Buffer, void, undefined>;
}

/** Bytes read at once: large enough that reading costs little, small enough to stay in a processor's cache. */
const blockBytes = 262_144;

type Packing = readonly [magic: string, program: string, unpack: string];

const packings: readonly Packing[] = [
  ['1f8b', 'gzip', 'gzip -dc'],
  ['fd377a585a00', 'xz', 'xz -dc'],
  ['28b52ffd', 'zstd', 'zstd -dc'],
  ['425a68', 'bzip2', 'bzip2 -dc'],
  ['504b0304', 'unzip', 'unzip -p'],
];
/** So many bytes at its start tell what a file is. */
const magicBytes = 6;

/** The compression that begins like this; undefined for what is not compressed. */
function packingOf(start: Buffer): Packing | undefined {
  const magic = start.toString('hex', 0, magicBytes);
  return packings.find(([bytes]) => magic.startsWith(bytes));
}

/** A named pipe is waited for without a thread: one that waits in open(2) would keep the process from ending. */
function pipeBlocks(name: string): Socket {
  const fd = openSync(name, constants.O_RDONLY | constants.O_NONBLOCK);
  return new Socket({ fd, readable: true, writable: false });
}

/** A pipe or a device may let its reader wait, until `stop`. */
function streamBlocks(name: string, isPipe: boolean, stop: AbortSignal | undefined): AsyncIterable<Buffer> {
  const stream = isPipe ? pipeBlocks(name) : createReadStream(name);
  return stop ? untilStopped(addAbortSignal(stop, stream), stop) : stream;
}

/** A plain file has its bytes at hand: to read them is faster than to have another thread read them (measured). */
async function* fileBlocks(name: string): AsyncGenerator<Buffer, void, undefined> {
  const file = openSync(name, 'r');
  const buffer = Buffer.allocUnsafe(blockBytes);
  try {
    for (let length = readSync(file, buffer); length > 0; length = readSync(file, buffer)) {
      yield buffer.subarray(0, length);
      // Signals, and what else waits, have their turn.
      await setImmediate();
    }
  } finally {
    closeSync(file);
  }
}

/** `first`, then the rest of `blocks`; closes `blocks` at the end. */
async function* chained(
  first: Buffer[],
  blocks: AsyncIterator<Buffer>,
): AsyncGenerator<Buffer, void, undefined> {
  try {
    yield* first;
    for (let next = await blocks.next(); !next.done; next = await blocks.next()) yield next.value;
  } finally {
    await blocks.return?.();
  }
}

async function* plainOrUnpacked(input: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  const blocks = input[Symbol.asyncIterator]();
  const head: Buffer[] = [];
  let start = Buffer.alloc(0);
  // A pipe may bring the first bytes one by one.
  while (start.length < magicBytes) {
    const next = await blocks.next();
    if (next.done) break;
    head.push(next.value);
    start = Buffer.concat([start, next.value.subarray(0, magicBytes)]);
    if (start.length < magicBytes) head[head.length - 1] = Buffer.from(next.value);
  }
  const packing = packingOf(start);
  const isGzip = packing?.[1] === 'gzip';
  if (packing && !isGzip) {
    await blocks.return?.();
    throw new Compressed(packing);
  }
  const all = chained(head, blocks);
  yield* isGzip ? gunzipped(all) : all;
}

async function* explained(blocks: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  try {
    yield* blocks;
  } catch (error) {
    throw error instanceof Failure ? error : new Failure(reasonOf(error), { cause: error });
  }
}

/** Opens a file, or `-` for `stdin`; a pipe ends at `stop`. Throws a Failure, without the name, when there is nothing to read. */
export async function openSource(
  name: string,
  stdin: AsyncIterable<Buffer> | undefined,
  stop?: AbortSignal,
): Promise<Source> {
  if (name === '-') {
    if (!stdin) throw new Failure('there is no standard input');
    return { name, modifiedAt: undefined, blocks: explained(plainOrUnpacked(stdin)) };
  }
  try {
    const status = await stat(name);
    if (status.isDirectory()) throw new Failure('is a directory');
    const blocks = status.isFile() ? fileBlocks(name) : streamBlocks(name, status.isFIFO(), stop);
    return { name, modifiedAt: status.mtimeMs / 1000, blocks: explained(plainOrUnpacked(blocks)) };
  } catch (error) {
    throw error instanceof Failure ? error : new Failure(reasonOf(error), { cause: error });
  }
}

/** What is to be read on when the end is reached. */
export interface FollowedSource extends Source {
  /** Nothing was in it when it was opened; of standard input nothing is known. */
  readonly isEmpty: boolean;
}

/**
 * Opens a file, or `-` for `stdin`, whose blocks do not end before `stop`; `stdin` must fail by then. `caughtUp` is called when all
 * that was in the file has been taken. Throws like `openSource`.
 */
export async function openFollowed(
  name: string,
  stdin: AsyncIterable<Buffer> | undefined,
  stop: AbortSignal,
  caughtUp: () => void,
): Promise<FollowedSource> {
  const source = await openSource(name, stdin && untilStopped(stdin, stop));
  if (name === '-') return { ...source, isEmpty: true };
  const { size } = await stat(name);
  const blocks = explained(plainOrUnpacked(followFile(name, stop, caughtUp)));
  return { ...source, blocks, isEmpty: size === 0 };
}

/** When a file was written to last, epoch milliseconds. Throws what keeps it from being followed. */
async function lastWritten(name: string): Promise<number> {
  const status = await stat(name);
  if (status.isDirectory()) throw new Failure('is a directory');
  if (!status.isFile()) throw new Failure('is not a plain file');
  const file = await open(name, 'r');
  try {
    const { buffer } = await file.read(Buffer.alloc(magicBytes), 0, magicBytes, 0);
    if (packingOf(buffer))
      throw new Failure('is compressed; only a log that is being written can be followed');
  } finally {
    await file.close();
  }
  return status.mtimeMs;
}

/** The name of the source that is written to: `-`, or the plain file that was written to last. Throws a Failure when there is none. */
export async function newestOf(names: readonly string[]): Promise<string> {
  if (names.includes('-')) return '-';
  let newest: { readonly name: string; readonly writtenAt: number } | undefined;
  const reasons: string[] = [];
  for (const name of names) {
    try {
      const writtenAt = await lastWritten(name);
      if (!newest || writtenAt >= newest.writtenAt) newest = { name, writtenAt };
    } catch (error) {
      reasons.push(`${name}: ${reasonOf(error)}`);
    }
  }
  if (newest) return newest.name;
  if (reasons.length === 1) throw new Failure(`cannot follow ${reasons.join('')}`);
  throw new Failure(['none of these can be followed:', ...reasons].join('\n  '));
}
