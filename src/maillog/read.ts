/** Log files to attempts in time order. */
import { reasonOf } from '../greylist/failure.js';
import type { LoggedAttempt } from './attempts.js';
import type { ReadingCounts } from './counts.js';
import { createCursor, type Cursor } from './cursor.js';
import { createJoiner, type JoinOptions } from './join.js';
import { findStart, mergeLines, type LineSink } from './merge.js';
import { openSource, type SourceProblem } from './sources.js';
import type { LocalTime } from './timestamps.js';

export interface ReadOptions extends JoinOptions {
  /** Epoch seconds: what standard input without years is dated by. */
  readonly now: number;
  /** What `-` stands for. */
  readonly stdin?: AsyncIterable<Buffer> | undefined;
  /** The year of each source's first line, for stamps without one. Default: by the file's date. */
  readonly year?: number | undefined;
  /** Default: the zone of this process. */
  readonly localTime?: LocalTime | undefined;
}

export interface Reading {
  /** The attempts, in batches, in time order; batches of a log without mail are empty. Reads only while it is asked. */
  readonly batches: AsyncGenerator<LoggedAttempt[], void, undefined>;
  /** Grows while reading. */
  readonly counts: ReadingCounts;
  /** Sources that could not be read, or not to their end. Grows while reading. */
  readonly problems: SourceProblem[];
}

function notALog(cursor: Cursor): string {
  return cursor.hasNuls ? 'is a binary file, not a mail log' : 'holds no line with a time stamp';
}

/** Reads files, gzip or not, and `-`, in any order. Nothing is opened before the first batch is asked for. */
export function readAttempts(names: readonly string[], options: ReadOptions): Reading {
  const joiner = createJoiner(options);
  const { counts } = joiner;
  const problems: SourceProblem[] = [];
  const failed = new Set<Cursor>();
  const sink: LineSink = {
    push: joiner.push,
    pushUnstamped: joiner.pushUnstamped,
    passed: joiner.pass,
    duplicate: () => {
      counts.lines += 1;
      counts.duplicateLines += 1;
    },
    failed: (cursor, error) => {
      failed.add(cursor);
      problems.push({ source: cursor.source.name, message: reasonOf(error) });
    },
  };

  const openAll = async (): Promise<Cursor[]> => {
    const cursors: Cursor[] = [];
    for (const name of names) {
      try {
        const source = await openSource(name, options.stdin);
        const cursor = createCursor(source, options, options.now);
        cursors.push(cursor);
        await findStart(cursor, sink);
      } catch (error) {
        problems.push({ source: name, message: reasonOf(error) });
      }
    }
    return cursors;
  };

  const sum = (cursors: Cursor[]) => {
    counts.bytes = cursors.reduce((bytes, cursor) => bytes + cursor.bytes, 0);
    counts.cutBytes = cursors.reduce((bytes, cursor) => bytes + cursor.cutBytes(), 0);
  };

  const finish = (cursors: Cursor[]) => {
    for (const cursor of cursors) {
      if (cursor.fragment !== undefined) joiner.pushUnstamped(cursor.fragment, undefined);
      const isUnused = cursor.stamped === 0 && cursor.bytes > 0 && !failed.has(cursor);
      if (isUnused && (cursor.fragment !== undefined || cursor.rest !== '')) {
        problems.push({ source: cursor.source.name, message: notALog(cursor) });
      }
    }
    joiner.finish();
  };

  async function* read(): AsyncGenerator<LoggedAttempt[], void, undefined> {
    const cursors = await openAll();
    try {
      const lines = mergeLines(cursors, sink);
      while (!(await lines.next()).done) {
        sum(cursors);
        yield joiner.take();
      }
      finish(cursors);
      yield joiner.take();
    } finally {
      for (const cursor of cursors) await cursor.source.blocks.return(undefined);
    }
  }

  return { batches: read(), counts, problems };
}
