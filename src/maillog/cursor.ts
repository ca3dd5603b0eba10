/** One source as a row of lines, each with its time. */
import { readJournalEntry } from './journal.js';
import { createLineSplitter } from './lines.js';
import type { Source } from './sources.js';
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
  /** Lines without meaning that were passed over before the one at hand, since it was last set to 0. */
  passed: number;
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
  /** Moves to the next line of the block at hand; false when there is none left: then `fill`. */
  readonly step: (mayPass: boolean) => boolean;
  /** Puts another line in the place of the one at hand. */
  readonly replace: (line: string) => void;
  /** Reads on, to the next line; at the end `line` becomes undefined. Throws the source's Failure, after all lines before it. */
  readonly fill: () => Promise<void>;
  readonly cutBytes: () => number;
  /** The year that the first line was given, when its stamp tells none and it is at hand or gone by. */
  readonly firstYear: () => number | undefined;
  /** Dates lines so many years later; before the first is gone by. */
  readonly shiftYears: (years: number) => void;
  /** A year without February 29 that such lines were given. */
  readonly yearWithoutLeapDay: () => number | undefined;
}

/**
 * True for what makes up half a log and says nothing: smtpd's lines about connections, and cleanup's Message-IDs. Only what
 * the grammar does not know may be passed over here.
 */
function isMeaningless(text: string, at: number, end: number): boolean {
  const mark = text.indexOf(']: ', at);
  if (mark < 0 || mark >= end) return false;
  const first = text.charCodeAt(mark + 3);
  if (first === 99 && text.startsWith('connect from ', mark + 3)) return true;
  if (first === 100 && text.startsWith('disconnect from ', mark + 3)) return true;
  const colon = text.indexOf(': ', mark + 3);
  return colon > 0 && colon < end && text.startsWith('message-id=', colon + 2);
}

/** Bytes made a string at once: V8 keeps larger strings apart, where they cost more to make and to drop (measured). */
const pieceBytes = 65_536;

/** What some editors and programs put before UTF-8. */
const byteOrderMark = Buffer.from('\ufeff');

/** A cursor before the first line of a source: call `fill` first. */
export function createCursor(source: Source, stamps: Omit<StampOptions, 'writtenAt'>, now: number): Cursor {
  const splitter = createLineSplitter();
  const reader = createStampReader({ ...stamps, writtenAt: source.modifiedAt ?? now });

  let block: Buffer = Buffer.alloc(0);
  let position = 0;

  const take = (next: Buffer) => {
    if (cursor.bytes === 0) cursor.hasNuls = next.includes(0);
    const isMarked = cursor.bytes === 0 && next.subarray(0, byteOrderMark.length).equals(byteOrderMark);
    position = isMarked ? byteOrderMark.length : 0;
    cursor.bytes += next.length;
    block = next;
  };
  const nextLine = (): boolean => {
    while (!splitter.next()) {
      if (position >= block.length) return false;
      splitter.feed(block.subarray(position, position + pieceBytes));
      position += pieceBytes;
    }
    cursor.lines += 1;
    return true;
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
    passed: 0,
    fragment: undefined,
    rest: '',
    atStart: true,
    lines: 0,
    bytes: 0,
    stamped: 0,
    hasNuls: false,
    step: (mayPass) => {
      while (nextLine()) {
        const { text, start } = splitter;
        if (text.charCodeAt(start) === 123) {
          cursor.replace(text.slice(start, splitter.end));
          return true;
        }
        const at = reader.read(text, start);
        cursor.time = reader.time;
        if (at >= 0) {
          cursor.stamped += 1;
          if (mayPass && isMeaningless(text, at, splitter.end)) {
            cursor.passed += 1;
            continue;
          }
        }
        cursor.line = text.slice(start, splitter.end);
        cursor.at = at < 0 ? -1 : at - start;
        return true;
      }
      return false;
    },
    replace: (line) => {
      const entry = line.charCodeAt(0) === 123 ? readJournalEntry(line) : undefined;
      cursor.line = entry?.line ?? line;
      cursor.at = entry ? 0 : reader.read(line, 0);
      if (entry) reader.time = entry.time;
      cursor.time = reader.time;
      if (cursor.at >= 0) cursor.stamped += 1;
    },
    fill: async () => {
      try {
        do {
          const next = await source.blocks.next();
          if (next.done) {
            end();
            return;
          }
          take(next.value);
        } while (!cursor.step(false));
      } catch (error) {
        end();
        // Who knows what the rest of this line was.
        cursor.rest = '';
        throw error;
      }
    },
    cutBytes: () => splitter.cutBytes,
    firstYear: reader.firstYear,
    yearWithoutLeapDay: reader.yearWithoutLeapDay,
    shiftYears: (years) => {
      const isDated = reader.firstYear() !== undefined;
      if (reader.time !== undefined && !isDated) return;
      reader.shiftYears(years);
      if (isDated && cursor.line !== undefined) reader.read(cursor.line, 0);
      cursor.time = reader.time;
    },
  };
  return cursor;
}
