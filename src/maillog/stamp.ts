/**
 * The shapes of time stamps at the head of a log line, without a calendar.
 *
 *     Nov 21 17:16:10  Nov  1 17:16:10  Nov 1 17:16:10  Nov 01 17:16:10.298222     syslog, postlogd, journalctl -o short
 *     Nov 21 2026 17:16:10   2026 Nov 21 17:16:10.298                              with a year
 *     2026-11-21T17:16:10.298222+01:00   …+0100  …+01  …Z  2026-11-21 17:16:10     RFC 3339, ISO 8601, journalctl -o short-iso
 *     Sat 2026-11-21 17:16:10 UTC                                                  journalctl -o short-full
 *     1795277770.298222                                                            journalctl -o short-unix
 *     mail-1  | STAMP                                                              docker compose logs
 */

export interface Stamp {
  /** Undefined where the format has none. */
  readonly year?: number | undefined;
  /** 0–11. */
  readonly month: number;
  readonly day: number;
  /** Seconds since local midnight. */
  readonly clockSeconds: number;
  /** Seconds east of UTC; undefined: local time. */
  readonly zoneSeconds?: number | undefined;
  /** Index behind the seconds; a fraction and a zone may follow. */
  readonly clockEnd: number;
  /** Index behind the fraction, where the zone begins if there is one. */
  readonly zoneStart: number;
  /** Index behind the stamp: of a blank or of the end of the line. */
  readonly end: number;
}

/** A stamp that is a count of seconds. */
export interface EpochStamp {
  readonly epochSeconds: number;
  readonly end: number;
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const blank = 32;

/** The number written by exactly `count` digits at `at`; −1 when they are no digits. */
function digits(line: string, at: number, count: number): number {
  let value = 0;
  for (let index = at; index < at + count; index += 1) {
    const digit = line.charCodeAt(index) - 48;
    if (!(digit >= 0 && digit <= 9)) return -1;
    value = value * 10 + digit;
  }
  return value;
}

/** Seconds since midnight of `hh:mm:ss` at `at`; −1 when it is none. A leap second is the second before it. */
function clock(line: string, at: number): number {
  if (line.charCodeAt(at + 2) !== 58 || line.charCodeAt(at + 5) !== 58) return -1;
  const hour = digits(line, at, 2);
  const minute = digits(line, at + 3, 2);
  const second = digits(line, at + 6, 2);
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) return -1;
  return hour * 3600 + minute * 60 + Math.min(second, 59);
}

/** Index behind `.123` or `,123` at `at`; `at` itself where there is no fraction. */
function fractionEnd(line: string, at: number): number {
  const mark = line.charCodeAt(at);
  if (mark !== 46 && mark !== 44) return at;
  let end = at + 1;
  for (let code = line.charCodeAt(end); code >= 48 && code <= 57; code = line.charCodeAt(end)) end += 1;
  return end > at + 1 ? end : at;
}

/** True at a blank and at the end of the line, which may be one of many in a text. */
function endsAt(line: string, at: number): boolean {
  const code = line.charCodeAt(at);
  return code === blank || code === 10 || code === 13 || Number.isNaN(code);
}

/** `Z`, `±hh:mm`, `±hhmm`, `±hh`, or nothing. */
function zone(line: string, at: number): { seconds?: number; end: number } | undefined {
  const sign = line.charCodeAt(at);
  if (sign === 90 || sign === 122) return { seconds: 0, end: at + 1 };
  if (sign !== 43 && sign !== 45) return { end: at };
  const hours = digits(line, at + 1, 2);
  if (hours < 0) return undefined;
  const colon = line.charCodeAt(at + 3) === 58 ? 1 : 0;
  const minutes = digits(line, at + 3 + colon, 2);
  const seconds = (hours * 60 + Math.max(0, minutes)) * 60;
  return { seconds: sign === 45 ? -seconds : seconds, end: at + 3 + (minutes < 0 ? 0 : colon + 2) };
}

function daysIn(month: number): number {
  return month === 1 ? 29 : [3, 5, 8, 10].includes(month) ? 30 : 31;
}

function isDate(month: number, day: number): boolean {
  return month >= 0 && month <= 11 && day >= 1 && day <= daysIn(month);
}

function scanIso(line: string, at: number): Stamp | undefined {
  if (line.charCodeAt(at + 4) !== 45 || line.charCodeAt(at + 7) !== 45) return undefined;
  const between = line.charCodeAt(at + 10);
  if (between !== 84 && between !== 116 && between !== blank) return undefined;
  const year = digits(line, at, 4);
  const month = digits(line, at + 5, 2) - 1;
  const day = digits(line, at + 8, 2);
  const clockSeconds = clock(line, at + 11);
  if (year < 1970 || !isDate(month, day) || clockSeconds < 0) return undefined;
  const zoneStart = fractionEnd(line, at + 19);
  const offset = zone(line, zoneStart);
  if (!offset || !endsAt(line, offset.end)) return undefined;
  return {
    year,
    month,
    day,
    clockSeconds,
    zoneSeconds: offset.seconds,
    clockEnd: at + 19,
    zoneStart,
    end: offset.end,
  };
}

function scanTraditional(line: string, at: number, yearBefore?: number): Stamp | undefined {
  const month = months.indexOf(line.slice(at, at + 3));
  if (month < 0 || line.charCodeAt(at + 3) !== blank) return undefined;
  const dayAt = line.charCodeAt(at + 4) === blank ? at + 5 : at + 4;
  const width = digits(line, dayAt, 2) >= 0 ? 2 : 1;
  const day = digits(line, dayAt, width);
  if (!isDate(month, day) || line.charCodeAt(dayAt + width) !== blank) return undefined;
  let clockAt = dayAt + width + 1;
  let year = yearBefore;
  if (line.charCodeAt(clockAt + 4) === blank && digits(line, clockAt, 4) >= 1970) {
    year = digits(line, clockAt, 4);
    clockAt += 5;
  }
  const clockSeconds = clock(line, clockAt);
  if (clockSeconds < 0) return undefined;
  const end = fractionEnd(line, clockAt + 8);
  if (!endsAt(line, end)) return undefined;
  return { year, month, day, clockSeconds, clockEnd: clockAt + 8, zoneStart: end, end };
}

/** `Sat 2026-11-21 17:16:10 UTC`: of the zone's name only UTC tells anything, others are taken as local time. */
function scanFull(line: string, at: number): Stamp | undefined {
  // The line may be one of many: behind a short one the next begins.
  const stamp = line.charCodeAt(at + 3) === blank ? scanIso(line, at + 4) : undefined;
  if (!stamp) return undefined;
  const named = /^ ([A-Z]{2,5}|[+-]\d{2,4})(?= )/.exec(line.slice(stamp.end, stamp.end + 7));
  if (!named) return stamp;
  const end = stamp.end + named[0].length;
  const zoneSeconds = named[1] === 'UTC' || named[1] === 'GMT' ? 0 : stamp.zoneSeconds;
  return { ...stamp, zoneSeconds, zoneStart: stamp.end, end };
}

function scanEpoch(line: string, at: number): EpochStamp | undefined {
  const seconds = digits(line, at, 10);
  const end = fractionEnd(line, at + 10);
  if (seconds < 0 || end === at + 10 || !endsAt(line, end)) return undefined;
  return { epochSeconds: seconds, end };
}

/** The time stamp at `at`, or undefined when there is none. */
export function scanStamp(line: string, at: number): Stamp | EpochStamp | undefined {
  const first = line.charCodeAt(at);
  if (first >= 48 && first <= 57) {
    const mark = line.charCodeAt(at + 4);
    if (mark === 45) return scanIso(line, at);
    return mark === blank ? scanTraditional(line, at + 5, digits(line, at, 4)) : scanEpoch(line, at);
  }
  if (first < 65 || first > 87) return undefined;
  return line.charCodeAt(at + 8) === 45 ? scanFull(line, at) : scanTraditional(line, at);
}

/** Index behind `<22>` or RFC 5424's `<22>1 ` of the line that begins at `start`; `start` where there is neither. */
export function priorityEnd(text: string, start: number): number {
  if (text.charCodeAt(start) !== 60) return start;
  let close = start + 1;
  while (close < start + 4 && digits(text, close, 1) >= 0) close += 1;
  if (close === start + 1 || text.charCodeAt(close) !== 62) return start;
  return isVersion(text, close) ? close + 3 : close + 1;
}

function isVersion(text: string, close: number): boolean {
  return text.charCodeAt(close + 1) === 49 && text.charCodeAt(close + 2) === blank;
}

/** True for a line of RFC 5424: a priority and version 1. */
export function isStructured(line: string): boolean {
  if (line.charCodeAt(0) !== 60) return false;
  const close = line.indexOf('>', 1);
  return close <= 4 && isVersion(line, close);
}

const wrapper = /[\w.-]{1,64} *\| /y;

/** Index behind the container's name that `docker compose logs` puts before the line that begins at `start`; `start` without one. */
export function wrapperEnd(text: string, start: number): number {
  wrapper.lastIndex = start;
  return wrapper.test(text) ? wrapper.lastIndex : start;
}
