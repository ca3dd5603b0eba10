/** Severities of syslog (RFC 5424, section 6.2.1) that greyctl uses. */
export const severities = { error: 3, warning: 4, notice: 5, info: 6 } as const;

export type Severity = keyof typeof severities;

/** Takes one line without its end; never waits and never throws. */
export type Log = (severity: Severity, line: string) => void;

/** Lesser warnings that are further apart are not of one trouble. */
const gapSeconds = 10;

interface Kind {
  /** When it was said last. */
  since: number;
  suppressed: number;
  /** The row of lesser warnings that is under way. */
  lesserFrom: number;
  lesserLast: number;
}

/**
 * Says a warning of some kind, or counts it. One that `isLesser` (of a database that is away: what is not done in the background) is said
 * only where for an interval no other of its kind was.
 */
export type Warn = (kind: string, line: string, isLesser?: boolean) => void;

/**
 * Warnings that strangers or a failing disk could cause by the thousand: each kind is said at most once in `intervalSeconds`, with the
 * number of those left out since. `now` gives epoch seconds.
 */
export function createThrottle(log: Log, now: () => number, intervalSeconds = 60): Warn {
  const kinds = new Map<string, Kind>();

  /** Lesser warnings have gone on for an interval, without another. */
  function isDue(kind: Kind, time: number): boolean {
    if (time < kind.lesserLast || time - kind.lesserLast > gapSeconds) kind.lesserFrom = time;
    kind.lesserLast = time;
    return time - Math.max(kind.lesserFrom, kind.since + intervalSeconds) >= intervalSeconds;
  }

  return (name, line, isLesser = false) => {
    const time = now();
    const none = -Infinity;
    const kind = kinds.get(name) ?? { since: none, suppressed: 0, lesserFrom: none, lesserLast: none };
    kinds.set(name, kind);
    if (isLesser ? !isDue(kind, time) : time >= kind.since && time - kind.since < intervalSeconds) {
      kind.suppressed += 1;
      return;
    }
    const more = kind.suppressed > 0 ? ` (and ${kind.suppressed} more like it)` : '';
    kind.since = time;
    kind.suppressed = 0;
    log('warning', line + more);
  };
}
