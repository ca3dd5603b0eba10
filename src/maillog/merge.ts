/**
 * Several sources in time order: files that follow each other one after the other, files of the same period merged by
 * time. A file that ends within a line goes on in the next one that begins without a time stamp.
 */
import type { Cursor } from './cursor.js';
import { createDuplicates } from './duplicates.js';

/** Takes the lines, in time order. */
export interface LineSink {
  readonly push: (line: string, at: number, time: number) => void;
  readonly pushUnstamped: (line: string, time: number | undefined) => void;
  /** A line that another source brought. */
  readonly duplicate: (time: number) => void;
  /** The lines that follow are of log number `log`; a source that goes on where another ended is of the same. */
  readonly from: (log: number) => void;
  /** Lines without meaning, the last of them at `time`. */
  readonly passed: (lines: number, time: number) => void;
  readonly failed: (cursor: Cursor, error: unknown) => void;
}

/** What has no stamp in so many bytes is no log. */
const mostUnstampedBytes = 67_108_864;

async function fill(cursor: Cursor, sink: LineSink): Promise<void> {
  try {
    await cursor.fill();
  } catch (error) {
    sink.failed(cursor, error);
  }
}

/** Reads on to the first line with a time stamp. */
export async function findStart(cursor: Cursor, sink: LineSink): Promise<void> {
  await fill(cursor, sink);
  let isFirst = true;
  while (cursor.line !== undefined && cursor.at < 0 && cursor.bytes < mostUnstampedBytes) {
    if (isFirst) cursor.fragment = cursor.line;
    else sink.pushUnstamped(cursor.line, undefined);
    isFirst = false;
    if (!cursor.step(false)) await fill(cursor, sink);
  }
  if (cursor.at < 0 && cursor.line !== undefined) {
    cursor.line = undefined;
    await cursor.source.blocks.return(undefined);
  }
}

/** The first line's time; a file without one is the end, or the beginning, of another's line. */
function startOf(cursor: Cursor): number {
  return cursor.time ?? (cursor.lines === 0 ? -Infinity : Infinity);
}

function compareStarts(a: Cursor, b: Cursor): number {
  const starts = [startOf(a), startOf(b)] as const;
  if (starts[0] !== starts[1]) return starts[0] < starts[1] ? -1 : 1;
  if ((a.fragment === undefined) !== (b.fragment === undefined)) return a.fragment === undefined ? -1 : 1;
  return (a.source.modifiedAt ?? Infinity) - (b.source.modifiedAt ?? Infinity) || 0;
}

/** The cursors, which are at their starts, in the order in which they are read. */
export function inOrder(cursors: readonly Cursor[]): Cursor[] {
  return cursors.toSorted(compareStarts);
}

/** What may stand before the time stamp of a line. */
const priority = /^<\d{0,3}(?:>|>1 ?)?$/;

/** The last line of a source that ended without a line end, with what another source holds of it. */
function endLine(ended: Cursor, following: Cursor | undefined, sink: LineSink): void {
  const { rest } = ended;
  if (rest === '') return;
  if (following?.fragment !== undefined) {
    ended.replace(rest + following.fragment);
    following.fragment = undefined;
  } else {
    ended.replace(rest);
    if (priority.test(rest) && following?.atStart && following.line !== undefined) {
      following.replace(rest + following.line);
      ended.rest = '';
      return;
    }
  }
  if (ended.line !== undefined) emit(ended, ended.line, sink);
}

function emit(cursor: Cursor, line: string, sink: LineSink): void {
  if (cursor.at >= 0 && cursor.time !== undefined) sink.push(line, cursor.at, cursor.time);
  else sink.pushUnstamped(line, cursor.time);
}

function earliest(active: readonly Cursor[]): Cursor | undefined {
  let first = active[0];
  for (const cursor of active) if ((cursor.time ?? 0) < (first?.time ?? 0)) first = cursor;
  return first;
}

/** The time up to which `cursor` may go on before another one has its turn. */
function limitOf(cursor: Cursor, active: readonly Cursor[], waiting: Cursor | undefined): number {
  let limit = waiting?.time ?? Infinity;
  for (const other of active) if (other !== cursor) limit = Math.min(limit, other.time ?? Infinity);
  return limit;
}

/** Gives all lines to `sink`; yields after each block, when the sink may be emptied. `cursors` are at their starts. */
export async function* mergeLines(cursors: Cursor[], sink: LineSink): AsyncGenerator<void, void, undefined> {
  const order = inOrder(cursors);
  const waiting = [...order];
  const active: Cursor[] = [];
  const logs = [...order.keys()];
  const isDuplicate = createDuplicates();
  // The last second of a source that has just ended counts as well.
  let sharedUntil = -Infinity;

  const give = (cursor: Cursor, line: string) => {
    const time = cursor.time ?? 0;
    cursor.atStart = false;
    if (active.length > 1) sharedUntil = time;
    const isShared = active.length > 1 || time <= sharedUntil;
    if (isShared && isDuplicate(order.indexOf(cursor), line, time)) sink.duplicate(time);
    else emit(cursor, line, sink);
  };
  const goOn = async (cursor: Cursor, limit: number) => {
    const isAlone = active.length === 1;
    const index = order.indexOf(cursor);
    const isSequel = cursor.atStart && index > 0 && order[index - 1]?.line === undefined;
    if (isSequel) logs[index] = logs[index - 1] ?? 0;
    sink.from(logs[index] ?? 0);
    while (cursor.line !== undefined) {
      give(cursor, cursor.line);
      const isMore = cursor.step(isAlone);
      if (cursor.passed > 0) {
        sink.passed(cursor.passed, cursor.time ?? 0);
        cursor.passed = 0;
      }
      if (!isMore) {
        await fill(cursor, sink);
        return;
      }
      if ((cursor.time ?? 0) >= limit) return;
    }
  };

  for (;;) {
    let cursor = earliest(active);
    for (let next = waiting[0]; next && (!cursor || startOf(next) <= (cursor.time ?? 0)); next = waiting[0]) {
      active.push(next);
      waiting.shift();
      cursor = earliest(active);
    }
    if (!cursor) return;
    await goOn(cursor, limitOf(cursor, active, waiting[0]));
    if (cursor.line === undefined) {
      active.splice(active.indexOf(cursor), 1);
      endLine(cursor, order[order.indexOf(cursor) + 1], sink);
    }
    yield;
  }
}
