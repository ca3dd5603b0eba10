/** Lines with their times to attempts in time order: unfolds repeated lines, and remembers no more than is open. */
import { isLoopback, type Address } from '../greylist/address.js';
import type { ToldAttempt } from './attempts.js';
import { createCounts, type ReadingCounts } from './counts.js';
import { readEvent } from './grammar.js';
import type { TextPattern } from './greylisting.js';
import { readHeader, type Header } from './header.js';
import {
  closeMessage,
  dropMessage,
  exclude,
  type Joining,
  type OpenMessage,
  type ProxySession,
} from './joining.js';
import { onClient, onDelivery, onProxied, onQueued } from './messages.js';
import { onPolicy, onRefusal } from './verdicts.js';
import type { LogEvent } from './events.js';
import { createTimeOrder } from './order.js';
import { createPairing } from './pairing.js';
import { createRecent } from './recent.js';
import { wrapperEnd } from './stamp.js';

export interface JoinOptions {
  /** Clients whose mail is never greylisted (Postfix: mynetworks). Default: loopback addresses. */
  readonly isLocal?: ((address: Address) => boolean) | undefined;
  /** Replies that are greylisting beside the known wordings. */
  readonly greylistPattern?: TextPattern | undefined;
  /** An open message untouched for so long (up to twice) is given up. Default one day: a deferred one is tried at least every maximal_backoff_time, 4000 s. */
  readonly horizonSeconds?: number | undefined;
  /** Attempts are held back at most so long for one that is older but not yet told. Default 15 minutes. */
  readonly windowSeconds?: number | undefined;
  /** Attempts held at most. */
  readonly mostHeld?: number | undefined;
}

export interface Joiner {
  /** A line, the index of its header (behind the time stamp), and its time in epoch seconds. */
  push: (line: string, at: number, time: number) => void;
  /** The lines that follow are of log number `log`: what its logger says of the last line concerns no other's. */
  from: (log: number) => void;
  /** A line without a time stamp: a policy server's has the time of the line before, others are skipped. */
  pushUnstamped: (line: string, time: number | undefined) => void;
  /** So many lines without meaning, the last of them at `time`; none: the time has come without a line. */
  pass: (lines: number, time: number) => void;
  /** The attempts that are ready, in time order; each is given once. */
  take: () => ToldAttempt[];
  /** Gives out what is held; from now on attempts are held back at most so long. */
  hold: (windowSeconds: number) => void;
  /** Ends the log: `take` then gives the rest. */
  finish: () => void;
  readonly counts: ReadingCounts;
}

/** Lines of one moment may come swapped: attempts younger than this are always held. */
const settleSeconds = 3;

/** Copies taken for one folded line; loggers fold some hundreds at most. */
const mostRepeats = 10_000;

function createJoining(options: JoinOptions): Joining {
  const counts = createCounts();
  const horizon = options.horizonSeconds ?? 86_400;
  const giveUp = (sessions: ProxySession[]) => {
    counts.incomplete += sessions.filter((session) => !session.claimed && !session.policed).length;
  };
  const joining: Joining = {
    counts,
    isLocal: options.isLocal ?? isLoopback,
    greylistPattern: options.greylistPattern,
    client: undefined,
    open: createRecent<OpenMessage>(horizon, (message) => {
      closeMessage(joining, message);
    }),
    sessions: createRecent<ProxySession[]>(horizon, giveUp),
    sessionsOfProcess: createRecent<ProxySession>(horizon),
    pairing: createPairing(),
    order: createTimeOrder(options.mostHeld ?? 100_000),
    pending: [],
    line: 0,
  };
  return joining;
}

/** How many more times the line before was logged: `last message repeated N times` (sysklogd). */
function repeatsOfLast(line: string, at: number): number {
  const mark = line.indexOf('last message repeated ', at);
  return mark < 0 ? 0 : Number.parseInt(line.slice(mark + 22, mark + 32), 10) || 0;
}

const folded = /^message repeated (\d{1,9}) times: \[ ?/;

/** Drops what no longer holds anything back. */
function trimPending(joining: Joining, tooOld: number): number {
  const { pending } = joining;
  let first = 0;
  for (; first < pending.length; first += 1) {
    const message = pending[first];
    if (message && !message.settled && message.time > tooOld) break;
  }
  if (first > 0) joining.pending = pending.slice(first);
  return joining.pending[0]?.time ?? Infinity;
}

/** A message that no client brought: what had its queue id before is over. */
function onInternal(joining: Joining, queueId: string): void {
  const message = joining.open.get(queueId);
  if (message !== undefined && typeof message !== 'object') return;
  closeMessage(joining, message);
  joining.counts.internal += 1;
  exclude(joining, queueId);
}

/** Takes in what one line says. */
function onEvent(joining: Joining, event: LogEvent, time: number): void {
  switch (event.type) {
    case 'policy':
      onPolicy(joining, event, time);
      break;
    case 'client':
      onClient(joining, event, time);
      break;
    case 'refusal':
      onRefusal(joining, event, time);
      break;
    case 'proxied':
      onProxied(joining, event);
      break;
    case 'queued':
      onQueued(joining, event);
      break;
    case 'delivery':
      onDelivery(joining, event);
      break;
    case 'removed':
      closeMessage(joining, joining.open.take(event.queueId));
      break;
    case 'discarded':
      joining.counts.discarded += 1;
      dropMessage(joining, event.queueId);
      break;
    case 'internal':
      onInternal(joining, event.queueId);
      break;
    case 'lost':
      joining.counts.lossMarkers += 1;
      joining.counts.lostLines += event.lines;
      break;
  }
}

/** Makes a joiner for one log, or one set of merged logs. */
export function createJoiner(options: JoinOptions = {}): Joiner {
  const joining = createJoining(options);
  const { counts } = joining;
  const windowSeconds = options.windowSeconds ?? 900;
  let heldSeconds = windowSeconds;
  let ready: ToldAttempt[] = [];
  /** The log's time: that of its lines, and beyond it what has passed without one. */
  let now = -Infinity;
  let lastTime = -Infinity;
  let lastLine = '';
  let lastHeader: Header | undefined;
  let currentLog = 0;
  const lastOfLogs: { line: string; header: Header | undefined }[] = [];

  const out = (value: ToldAttempt, late: boolean) => {
    counts[value.logged] += 1;
    if (late) counts.lateAttempts += 1;
    ready.push(value);
  };
  const release = () => {
    const oldest = trimPending(joining, now - heldSeconds);
    joining.order.release(Math.max(now - heldSeconds, Math.min(oldest, now - settleSeconds)), out);
  };
  const moveOn = (time: number) => {
    // Files in the wrong order: what is held belongs to a later time.
    if (time < now - windowSeconds) joining.order.release(Infinity, out);
    now = time < now - windowSeconds ? time : Math.max(now, time);
    release();
    joining.open.advance(now);
    joining.sessions.advance(now);
    joining.sessionsOfProcess.advance(now);
    joining.pairing.advance(now);
  };
  /** A line of this time has come: mostly that of the line before. */
  const advance = (time: number) => {
    if (time === lastTime) return;
    lastTime = time;
    counts.firstTime = Math.min(counts.firstTime ?? time, time);
    counts.lastTime = Math.max(counts.lastTime ?? time, time);
    moveOn(time);
  };
  const say = (line: string, header: Header, time: number, times: number) => {
    const event = readEvent(line, header);
    if (event) for (let count = 0; count < times; count += 1) onEvent(joining, event, time);
  };
  const sayFolded = (line: string, header: Header, time: number): boolean => {
    const found = folded.exec(line.slice(header.text, header.text + 40));
    if (!found) return false;
    const inner = line.slice(header.text + found[0].length, line.endsWith(']') ? -1 : undefined);
    const times = Math.min(mostRepeats, Number(found[1]));
    counts.repeatedLines += times;
    say(inner, { ...header, processStart: 0, processEnd: 0, text: 0 }, time, times);
    return true;
  };
  const sayAgain = (line: string, at: number, time: number) => {
    const times = Math.min(mostRepeats, repeatsOfLast(line, at));
    if (times === 0 || !lastHeader) return;
    counts.repeatedLines += times;
    say(lastLine, lastHeader, time, times);
  };
  const count = () => {
    counts.lines += 1;
    joining.line += 1;
  };

  return {
    counts,
    push: (line, at, time) => {
      count();
      advance(time);
      const header = readHeader(line, at);
      if (!header) {
        sayAgain(line, at, time);
        return;
      }
      lastLine = line;
      lastHeader = header;
      if (line.charCodeAt(header.text) === 109 && sayFolded(line, header, time)) {
        lastHeader = undefined;
        return;
      }
      say(line, header, time, 1);
    },
    from: (log) => {
      if (log === currentLog) return;
      lastOfLogs[currentLog] = { line: lastLine, header: lastHeader };
      lastLine = lastOfLogs[log]?.line ?? '';
      lastHeader = lastOfLogs[log]?.header;
      currentLog = log;
    },
    pushUnstamped: (line, time) => {
      count();
      const text = wrapperEnd(line, 0);
      const header: Header = { program: 'other', processStart: 0, processEnd: 0, text };
      const event = time === undefined ? undefined : readEvent(line, header);
      if (event && time !== undefined) {
        advance(time);
        onEvent(joining, event, time);
      } else if (line !== '') counts.skippedLines += 1;
    },
    pass: (lines, time) => {
      counts.lines += lines;
      joining.line += lines;
      if (lines === 0) {
        moveOn(time);
        return;
      }
      advance(time);
      lastHeader = undefined;
    },
    hold: (seconds) => {
      heldSeconds = seconds;
      joining.order.release(Infinity, out);
    },
    take: () => {
      const taken = ready;
      ready = [];
      return taken;
    },
    finish: () => {
      joining.order.release(Infinity, out);
      for (const message of joining.open.values()) closeMessage(joining, message);
      for (const sessions of joining.sessions.values()) {
        counts.incomplete += sessions.filter((session) => !session.claimed && !session.policed).length;
      }
    },
  };
}
