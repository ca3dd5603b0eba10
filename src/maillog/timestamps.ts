/**
 * Time stamps to epoch seconds, line by line. Stamps without a year get the one that fits: the first of a file the
 * latest that is not after the file's own date, each further one the year nearest to the line before, so that
 * December to January is a step forward and February 29 lies in a leap year. Stamps without a zone are local time;
 * in the hour that a clock repeats at the end of summer time, a step back means the second pass.
 *
 * Known gap: a file without years that spans more than one, or is older than its date by more than one, is a whole number of
 * years late unless its year is given. A file that begins in the second pass of a repeated hour is taken for one that begins in the
 * first, an hour early. A February 29 that its year does not have is March 1, and told.
 */
import { priorityEnd, scanStamp, wrapperEnd, type Stamp } from './stamp.js';

/** Epoch seconds at which this hour of local time begins; `month` 0–11, `hour` may be 24. */
export type LocalTime = (year: number, month: number, day: number, hour: number) => number;

export interface StampOptions {
  /** Epoch seconds not long before which the last line was written: the file's date, or now. */
  readonly writtenAt: number;
  /** Lines are still being written: only the first ones are older than `writtenAt`. */
  readonly isGrowing?: boolean | undefined;
  /** Default: the zone of this process. */
  readonly localTime?: LocalTime | undefined;
}

export interface StampReader {
  /**
   * Index of the first character behind the stamp, and its blank, of the line that begins at `start`; −1 when it has no
   * stamp. Sets `time`.
   */
  read: (text: string, start: number) => number;
  /** Epoch seconds of the latest stamp read; undefined before the first. */
  time: number | undefined;
  /** The year that the first line was given; undefined when its stamp tells one, or none was read. */
  readonly firstYear: () => number | undefined;
  /** Takes the first line, which is to be read again, for one of so many years later, and the others with it. */
  readonly shiftYears: (years: number) => void;
  /** A year without February 29 that such lines were given; undefined when there was none. */
  readonly yearWithoutLeapDay: () => number | undefined;
}

const day = 86_400;

/** The zone of this process. */
const processLocalTime: LocalTime = (year, month, dayOfMonth, hour) =>
  Math.floor(new Date(year, month, dayOfMonth, hour).getTime() / 1000);

function isLeap(year: number): boolean {
  return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
}

/** The hour a stamp lies in, found once for all its lines. */
interface Hour {
  /** Hours since the year 0, if all months had 31 days. */
  readonly key: number;
  readonly start: number;
  /** Clocks show it twice. */
  readonly isRepeated: boolean;
  isSecondPass: boolean;
}

/** Gives stamps their place in time; `previous` is the time of the line before. */
function createCalendar(options: StampOptions) {
  const localTime = options.localTime ?? processLocalTime;
  const latest = options.writtenAt + day;
  let limit = options.isGrowing ? Infinity : latest;
  let shiftedBy = 0;
  let firstYear: number | undefined;
  let yearWithoutLeapDay: number | undefined;
  let yearless: { month: number; day: number; year: number } | undefined;
  let hour: Hour = { key: -1, start: 0, isRepeated: false, isSecondPass: false };

  const exists = (year: number, stamp: Stamp) => stamp.month !== 1 || stamp.day < 29 || isLeap(year);
  const fits = (year: number, stamp: Stamp, last: number) =>
    exists(year, stamp) && localTime(year, stamp.month, stamp.day, 0) <= last;

  const latestYear = (stamp: Stamp): number => {
    const last = new Date(latest * 1000).getUTCFullYear() + 1;
    // Leap years are at most eight years apart.
    for (let year = last; year > last - 10; year -= 1) if (fits(year, stamp, latest)) return year;
    return last;
  };

  const nearestYear = (stamp: Stamp, previous: number): number => {
    const around = new Date(previous * 1000).getUTCFullYear();
    const distance = (year: number) => Math.abs(localTime(year, stamp.month, stamp.day, 0) - previous);
    const years = [around, around - 1, around + 1].filter((year) => fits(year, stamp, limit));
    const nearest = years.sort((a, b) => distance(a) - distance(b))[0] ?? around;
    // Of the years around only a wrong one may have a February 29.
    return !exists(around, stamp) && distance(nearest) > 200 * day ? around : nearest;
  };

  const yearOf = (stamp: Stamp, previous: number | undefined): number => {
    if (stamp.year !== undefined) return stamp.year;
    if (yearless?.month === stamp.month && yearless.day === stamp.day) return yearless.year;
    const isFirst = previous === undefined;
    const year = isFirst ? latestYear(stamp) + shiftedBy : nearestYear(stamp, previous);
    if (isFirst) firstYear = year;
    if (!exists(year, stamp)) yearWithoutLeapDay = year;
    yearless = { month: stamp.month, day: stamp.day, year };
    return year;
  };

  const place = (stamp: Stamp, previous: number | undefined): number => {
    const year = yearOf(stamp, previous);
    if (stamp.zoneSeconds !== undefined) {
      return Date.UTC(year, stamp.month, stamp.day) / 1000 + stamp.clockSeconds - stamp.zoneSeconds;
    }
    const hours = Math.floor(stamp.clockSeconds / 3600);
    const key = ((year * 12 + stamp.month) * 31 + stamp.day - 1) * 24 + hours;
    if (key !== hour.key) {
      const start = localTime(year, stamp.month, stamp.day, hours);
      const next = localTime(year, stamp.month, stamp.day, hours + 1);
      hour = { key, start, isRepeated: next - start === 7200, isSecondPass: false };
    }
    const time = hour.start + (stamp.clockSeconds % 3600);
    if (hour.isRepeated && previous !== undefined && previous - time > 1800) hour.isSecondPass = true;
    return hour.isSecondPass ? time + 3600 : time;
  };
  const shiftYears = (years: number) => {
    shiftedBy = years;
    limit = Infinity;
    yearless = undefined;
    yearWithoutLeapDay = undefined;
  };
  return { place, shiftYears, firstYear: () => firstYear, yearWithoutLeapDay: () => yearWithoutLeapDay };
}

/** Makes a reader for the lines of one file, in their order. */
export function createStampReader(options: StampOptions): StampReader {
  const calendar = createCalendar(options);
  // Lines of the same second, fraction and zone apart, need no second look: what begins and ends like the latest full
  // stamp, and is as long, is one.
  let second = '';
  let tail = ' ';
  let tailAt = 0;

  const knownEnd = (text: string, at: number): number =>
    second !== '' && text.startsWith(second, at) && text.startsWith(tail, at + tailAt)
      ? at + tailAt + tail.length
      : -1;

  const reader: StampReader = {
    time: undefined,
    firstYear: calendar.firstYear,
    yearWithoutLeapDay: calendar.yearWithoutLeapDay,
    shiftYears: (years) => {
      calendar.shiftYears(years);
      reader.time = undefined;
      second = '';
    },
    read: (line, start) => {
      let at = priorityEnd(line, start);
      let known = knownEnd(line, at);
      if (known >= 0) return known;
      let stamp = scanStamp(line, at);
      if (!stamp) {
        at = wrapperEnd(line, start);
        if (at === start) return -1;
        known = knownEnd(line, at);
        if (known >= 0) return known;
        stamp = scanStamp(line, at);
        if (!stamp) return -1;
      }
      if ('epochSeconds' in stamp) {
        reader.time = stamp.epochSeconds;
        return stamp.end + 1;
      }
      reader.time = calendar.place(stamp, reader.time);
      second = line.slice(at, stamp.clockEnd);
      tail = `${line.slice(stamp.zoneStart, stamp.end)} `;
      tailAt = stamp.zoneStart - at;
      return stamp.end + 1;
    },
  };
  return reader;
}
