/** Log files to attempts in time order, to their ends or as they grow. */
import { Failure, reasonOf } from '../greylist/failure.js';
import type { LoggedAttempt, ToldAttempt } from './attempts.js';
import type { ReadingCounts } from './counts.js';
import { createCursor, type Cursor } from './cursor.js';
import { createJoiner, type Joiner, type JoinOptions } from './join.js';
import { createLiveClock, paced, type LiveClock } from './live.js';
import { findStart, inOrder, mergeLines, type LineSink } from './merge.js';
import { newestOf, openFollowed, openSource, problemOf, type SourceProblem } from './sources.js';
import type { LocalTime } from './timestamps.js';

/** How a log is followed. */
export interface FollowOptions {
  /** Ends the following: what has been written until then is still read. `stdin` must fail then. */
  readonly stop: AbortSignal;
  /** Epoch seconds. */
  readonly clock: () => number;
}

export interface ReadOptions extends JoinOptions {
  /** Epoch seconds: what standard input without years is dated by. */
  readonly now: number;
  /** What `-` stands for. */
  readonly stdin?: AsyncIterable<Buffer> | undefined;
  /** The year of the first line of all sources, for stamps without one. Default: by the files' dates. */
  readonly year?: number | undefined;
  /** Default: the zone of this process. */
  readonly localTime?: LocalTime | undefined;
  /** Goes on with the newest source when all has been read. */
  readonly follow?: FollowOptions | undefined;
}

export interface Reading<Told = LoggedAttempt> {
  /** The attempts, in batches, in time order; batches of a log without mail are empty. */
  readonly batches: AsyncGenerator<Told[], void, undefined>;
  /** Grows while reading. */
  readonly counts: ReadingCounts;
  /** Sources that could not be read, or not to their end. Grows while reading. */
  readonly problems: SourceProblem[];
  /** True from the first batch on that was told by lines that were not there when reading began. */
  readonly isLive: () => boolean;
  /** The source that is followed, once it is open. */
  readonly following: () => string | undefined;
}

/**
 * Attempts of a log that is being followed are held back at most so long for an older one: longer than lines of one moment get
 * swapped, and no longer than people care to wait.
 */
const liveWindowSeconds = 5;

function notALog(cursor: Cursor): string {
  return cursor.hasNuls ? 'is a binary file, not a mail log' : 'holds no line with a time stamp';
}

function misdated(year: number): string {
  return `holds lines of February 29, which ${year} does not have; give the year of the first line with --year`;
}

function sinkInto(joiner: Joiner, failed: (cursor: Cursor, error: unknown) => void): LineSink {
  const { counts } = joiner;
  return {
    push: joiner.push,
    pushUnstamped: joiner.pushUnstamped,
    passed: joiner.pass,
    from: joiner.from,
    duplicate: (time) => {
      joiner.pass(1, time);
      counts.duplicateLines += 1;
    },
    failed,
  };
}

/** Tells the counts of bytes so far. */
function sum(cursors: readonly Cursor[], counts: ReadingCounts): void {
  counts.bytes = cursors.reduce((bytes, cursor) => bytes + cursor.bytes, 0);
  counts.cutBytes = cursors.reduce((bytes, cursor) => bytes + cursor.cutBytes(), 0);
}

/** Rotated files do not begin eleven months apart: those that seem to are of one year, and were copied, so that their dates mislead. */
const longestPauseSeconds = 330 * 86_400;

/** Dates lines without years so that the first of all is of this year. */
function dateFrom(year: number, cursors: readonly Cursor[]): void {
  const dated = inOrder(cursors).filter((cursor) => cursor.firstYear() !== undefined);
  const pauseAt = dated.findIndex(
    ({ time = 0 }, index) => time - (dated[index - 1]?.time ?? time) > longestPauseSeconds,
  );
  const misled = new Set(dated.slice(0, Math.max(0, pauseAt)));
  const years = year - (dated[misled.size]?.firstYear() ?? year);
  for (const cursor of cursors) cursor.shiftYears(years + (misled.has(cursor) ? 1 : 0));
}

/** What is being read. */
interface Course {
  readonly cursors: Cursor[];
  /** The source that is followed, once it is open. */
  followed: Cursor | undefined;
  /** It is read when all others have been: there is no telling yet what its lines begin with. */
  isFollowedLater: boolean;
}

/**
 * Reads files, gzip or not, and `-`, in any order. Nothing is opened before the first batch is asked for, and nothing is read but
 * while a batch is asked for.
 */
export function readAttempts(names: readonly string[], options: ReadOptions): Reading<ToldAttempt> {
  const joiner = createJoiner(options);
  const { counts } = joiner;
  const problems: SourceProblem[] = [];
  const failed = new Set<Cursor>();
  const sink = sinkInto(joiner, (cursor, error) => {
    failed.add(cursor);
    problems.push(problemOf(cursor.source.name, error));
  });
  // Ends the following too when nobody asks for more batches.
  const abandoned = new AbortController();
  const stop = options.follow && AbortSignal.any([options.follow.stop, abandoned.signal]);
  let beforeLive: ToldAttempt[] | undefined;
  let isLive = false;

  const goLive = () => {
    if (isLive || beforeLive) return;
    joiner.hold(liveWindowSeconds);
    beforeLive = joiner.take();
  };

  const openOne = async (name: string, course: Course, isFollowed: boolean) => {
    const source =
      isFollowed && stop
        ? await openFollowed(name, options.stdin, stop, goLive)
        : await openSource(name, options.stdin, stop);
    // With a year of its own, a file's date says nothing.
    const stamps = { localTime: options.localTime, isGrowing: isFollowed || options.year !== undefined };
    const cursor = createCursor(source, stamps, options.now);
    course.cursors.push(cursor);
    if (isFollowed) course.followed = cursor;
    if ('isEmpty' in source && source.isEmpty) course.isFollowedLater = true;
    else await findStart(cursor, sink);
  };

  const openAll = async (course: Course) => {
    const last = options.follow && (await newestOf(names));
    const others = names.filter((name) => name !== last);
    for (const name of last === undefined ? others : [...others, last]) {
      try {
        await openOne(name, course, name === last);
      } catch (error) {
        if (name === last) throw new Failure(`cannot follow ${name}: ${reasonOf(error)}`, { cause: error });
        problems.push(problemOf(name, error));
      }
    }
  };

  const date = (cursors: readonly Cursor[]) => {
    if (options.year !== undefined) dateFrom(options.year, cursors);
  };

  async function* readLines(course: Course): AsyncGenerator<void, void, undefined> {
    await openAll(course);
    const { followed } = course;
    const later = course.isFollowedLater ? followed : undefined;
    date(course.cursors);
    yield* mergeLines(
      course.cursors.filter((cursor) => cursor !== later),
      sink,
    );
    if (!later) return;
    if (later.source.name === '-') goLive();
    await findStart(later, sink);
    if (!course.cursors.some((cursor) => cursor !== later && cursor.firstYear() !== undefined)) date([later]);
    yield* mergeLines([later], sink);
  }

  const finish = (cursors: readonly Cursor[]) => {
    for (const cursor of cursors) {
      if (cursor.fragment !== undefined) joiner.pushUnstamped(cursor.fragment, undefined);
      const isUnused = cursor.stamped === 0 && cursor.bytes > 0 && !failed.has(cursor);
      if (isUnused && (cursor.fragment !== undefined || cursor.rest !== '' || cursor.hasNuls)) {
        problems.push({ source: cursor.source.name, message: notALog(cursor) });
      }
      const year = cursor.yearWithoutLeapDay();
      if (year !== undefined) problems.push({ source: cursor.source.name, message: misdated(year) });
    }
    joiner.finish();
  };

  function* takeBatches(course: Course, clock: LiveClock | undefined) {
    sum(course.cursors, counts);
    if (beforeLive) {
      yield beforeLive;
      beforeLive = undefined;
      isLive = true;
    }
    const time = isLive && course.followed && clock?.timeAfter(course.followed);
    if (typeof time === 'number') joiner.pass(0, time);
    yield joiner.take();
  }

  const course: Course = { cursors: [], followed: undefined, isFollowedLater: false };

  async function* read(): AsyncGenerator<ToldAttempt[], void, undefined> {
    const clock = options.follow && createLiveClock(options.follow.clock);
    const steps = readLines(course);
    try {
      const turns = clock ? paced(steps) : steps;
      while (!(await turns.next()).done) yield* takeBatches(course, clock);
      finish(course.cursors);
      yield* takeBatches(course, undefined);
    } finally {
      abandoned.abort();
      for (const cursor of course.cursors) await cursor.source.blocks.return(undefined);
    }
  }

  return {
    ...{ batches: read(), counts, problems, isLive: () => isLive },
    following: () => course.followed?.source.name,
  };
}
