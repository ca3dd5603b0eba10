/** One source as a row of lines, each with its time. */
import type { Source } from './sources.js';
import { createLineSplitter } from './lines.js';
import { readJournalEntry } from './journal.js';
import { createStampReader, type StampOptions } from './timestamps.js';

/** A position in a source. */
export interface Cursor {
  readonly source: Source;
  /** The line at hand; undefined at the end. */
  line: string | undefined;
  /** Index behind its time stamp; −1 when it has none. */
  at: number;
  /** Its time, or that of the line before; undefined before the first stamp. Epoch seconds. */
  time: number | undefined;
  /** The source's first line if it has no stamp: maybe the rest of another file's last line. */
  fragment: string | undefined;
  /** What follows the last line end; told at the end. */
  rest: string;
  /** True until the first stamped line is gone by. */
  atStart: boolean;
  lines: number;
  bytes: number;
  stamped: number;
  /** The first block holds NUL bytes. */
  hasNuls: boolean;
  /** True when the block at hand has another line: then `step` may be called. */
  readonly hasLine: () => boolean;
  readonly step: () => void;
  /** Puts another line in the place of the one at hand. */
  readonly replace: (line: string) => void;
  /** Reads on; at the end `line` becomes undefined. Throws the source's Failure, after all lines before it. */
  readonly fill: () => Promise<void>;
  readonly cutBytes: () => number;
}

/** A cursor before the first line of a source: call `fill` first. */
export function createCursor(source: Source, stamps: Omit<StampOptions, 'writtenAt'>, now: number): Cursor {
  const splitter = createLineSplitter();
  const reader = createStampReader({ ...stamps, writtenAt: source.modifiedAt ?? now });
  let batch: string[] = [];
  let next = 0;

  const take = (block: Buffer) => {
    if (cursor.bytes === 0) cursor.hasNuls = block.includes(0);
    cursor.bytes += block.length;
    batch = splitter.push(block);
    cursor.lines += batch.length;
    next = 0;
  };
  const end = () => {
    cursor.rest = splitter.finish();
    cursor.line = undefined;
  };

  const cursor: Cursor = {
    source,
    line: undefined,
    at: -1,
    time: undefined,
    fragment: undefined,
    rest: '',
    atStart: true,
    lines: 0,
    bytes: 0,
    stamped: 0,
    hasNuls: false,
    hasLine: () => next < batch.length,
    step: () => {
      const line = batch[next] ?? '';
      next += 1;
      cursor.replace(line);
    },
    replace: (line) => {
      const entry = line.charCodeAt(0) === 123 ? readJournalEntry(line) : undefined;
      cursor.line = entry?.line ?? line;
      cursor.at = entry ? 0 : reader.read(line);
      if (entry) reader.time = entry.time;
      cursor.time = reader.time;
      if (cursor.at >= 0) cursor.stamped += 1;
    },
    fill: async () => {
      try {
        do {
          const block = await source.blocks.next();
          if (block.done) {
            end();
            return;
          }
          take(block.value);
        } while (batch.length === 0);
      } catch (error) {
        end();
        throw error;
      }
      cursor.step();
    },
    cutBytes: splitter.cutBytes,
  };
  return cursor;
}
