/**
 * gzip (RFC 1952) to what was packed, without I/O.
 *
 *     1f 8b 08 FLAGS time(4) xfl os [length(2) extra] [name 00] [comment 00] [crc(2)]  DEFLATE  crc32(4) size(4)
 *
 * Several members in a row are one file. Zeros behind the last one are padding; anything else there is an error, as are a sum that
 * does not fit and an end that comes too early: each is told after all that was unpacked before. Node's own reader of members
 * loses what it has just unpacked when it finds an error, and stops for good at padding; so it is given the deflated part only.
 *
 * Known gap: of damaged deflated data, what comes out of the last `packedBytes` before the damage is lost.
 */
import { crc32, createInflateRaw } from 'node:zlib';
import { codeOf, Failure, reasonOf } from '../greylist/failure.js';

/** Bytes given out at once at most. */
const blockBytes = 262_144;
/** Bytes unpacked at once; deflate makes at most 1032 times as many of them. */
const packedBytes = 16_384;
/** A header holds names and an extra field of at most 65,535 bytes. */
const mostHeaderBytes = 262_144;

/** Packed bytes. */
interface Input {
  /** Those at hand. */
  rest: Buffer;
  /** Gets more of them; false at the end. */
  readonly more: () => Promise<boolean>;
}

function damaged(reason: string, cause?: unknown): Failure {
  return new Failure(`the gzip data is damaged: ${reason}`, { cause });
}

function endsEarly(cause?: unknown): Failure {
  return new Failure('the gzip data ends too early', { cause });
}

function createInput(blocks: AsyncIterator<Buffer>): Input {
  let block: Buffer = Buffer.alloc(0);
  const input: Input = {
    rest: Buffer.alloc(0),
    more: async () => {
      // The block it is a piece of is valid until the next is asked for.
      const kept = Buffer.from(input.rest);
      while (block.length === 0) {
        const next = await blocks.next();
        if (next.done) {
          input.rest = kept;
          return false;
        }
        block = next.value;
      }
      const piece = block.subarray(0, packedBytes);
      block = block.subarray(packedBytes);
      input.rest = kept.length === 0 ? piece : Buffer.concat([kept, piece]);
      return true;
    },
  };
  return input;
}

/** Has at least so many bytes at hand, or fails. */
async function need(input: Input, bytes: number): Promise<void> {
  while (input.rest.length < bytes) if (!(await input.more())) throw endsEarly();
}

/** Index behind the zero that ends the text at `at`; beyond the bytes at hand when they do not hold it. */
function textEnd(bytes: Buffer, at: number): number {
  const zero = bytes.indexOf(0, at);
  return zero < 0 ? Math.max(bytes.length, at) + 1 : zero + 1;
}

/** Index behind the header; beyond the bytes at hand when more are needed. */
function headerEnd(bytes: Buffer): number {
  const flags = bytes[3] ?? 0;
  let end = 10;
  if (flags & 4) end += 2 + (bytes.length < 12 ? 0 : bytes.readUInt16LE(10));
  if (flags & 8) end = textEnd(bytes, end);
  if (flags & 16) end = textEnd(bytes, end);
  return flags & 2 ? end + 2 : end;
}

async function skipHeader(input: Input): Promise<void> {
  await need(input, 2);
  if (input.rest.readUInt16BE(0) !== 0x1f8b) throw new Failure('other data follows the gzip data');
  await need(input, 10);
  if (input.rest[2] !== 8) throw damaged('unknown compression method');
  for (let end = headerEnd(input.rest); ; end = headerEnd(input.rest)) {
    if (end <= input.rest.length) {
      input.rest = input.rest.subarray(end);
      return;
    }
    if (end > mostHeaderBytes) throw damaged('its header does not end');
    await need(input, end);
  }
}

/** Unpacks piece by piece, so that all that comes out of a piece is given on before the next goes in. */
async function* inflated(input: Input): AsyncGenerator<Buffer, void, undefined> {
  const inflate = createInflateRaw({ chunkSize: blockBytes });
  let out: Buffer[] = [];
  inflate.on('data', (block: Buffer) => out.push(block));
  // Bytes behind the deflated part end it, and leave their writing unanswered.
  const ended = new Promise<Error | 'ended'>((resolve) => {
    inflate.once('error', resolve);
    inflate.once('end', () => {
      resolve('ended');
    });
  });
  const put = (piece: Buffer): Promise<Error | 'ended' | 'taken'> =>
    Promise.race([
      ended,
      new Promise<Error | 'taken'>((resolve) => {
        inflate.write(piece, (error) => {
          resolve(error ?? 'taken');
        });
      }),
    ]);
  try {
    for (let outcome: Error | 'ended' | 'taken' = 'taken'; outcome === 'taken';) {
      const before = inflate.bytesWritten;
      if (input.rest.length > 0 || (await input.more())) {
        outcome = await put(input.rest);
        input.rest = input.rest.subarray(inflate.bytesWritten - before);
      } else {
        inflate.end();
        outcome = await ended;
      }
      yield* out;
      out = [];
      if (outcome instanceof Error) {
        throw codeOf(outcome) === 'Z_BUF_ERROR' ? endsEarly(outcome) : damaged(reasonOf(outcome), outcome);
      }
    }
  } finally {
    inflate.destroy();
  }
}

async function* member(input: Input): AsyncGenerator<Buffer, void, undefined> {
  await skipHeader(input);
  let sum = 0;
  let sizeBytes = 0;
  for await (const block of inflated(input)) {
    sum = crc32(block, sum);
    sizeBytes += block.length;
    yield block;
  }
  await need(input, 8);
  const isWhole = input.rest.readUInt32LE(0) === sum && input.rest.readUInt32LE(4) === sizeBytes % 2 ** 32;
  if (!isWhole) throw damaged('incorrect data check');
  input.rest = input.rest.subarray(8);
}

/** Passes over zeros; false when nothing else is left. */
async function skipPadding(input: Input): Promise<boolean> {
  for (;;) {
    const at = input.rest.findIndex((byte) => byte !== 0);
    input.rest = input.rest.subarray(at < 0 ? input.rest.length : at);
    if (at >= 0) return true;
    if (!(await input.more())) return false;
  }
}

/** Unpacks all members. Ends with a Failure where the data is not whole; closes `blocks` at the end. */
export async function* gunzipped(blocks: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  const packed = blocks[Symbol.asyncIterator]();
  const input = createInput(packed);
  try {
    do yield* member(input);
    while (await skipPadding(input));
  } finally {
    await packed.return?.();
  }
}
