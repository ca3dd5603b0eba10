/** Severities of syslog (RFC 5424, section 6.2.1) that greyctl uses. */
export const severities = { error: 3, warning: 4, notice: 5, info: 6 } as const;

export type Severity = keyof typeof severities;

/** Takes one line without its end; never waits and never throws. */
export type Log = (severity: Severity, line: string) => void;

/**
 * Warnings that strangers or a failing disk could cause by the thousand: each kind is said at most once in `intervalSeconds`, with the
 * number of those left out since. `now` gives epoch seconds.
 */
export function createThrottle(log: Log, now: () => number, intervalSeconds = 60) {
  const kinds = new Map<string, { since: number; suppressed: number }>();
  return (kind: string, line: string): void => {
    const time = now();
    const before = kinds.get(kind);
    if (before && time >= before.since && time - before.since < intervalSeconds) {
      before.suppressed += 1;
      return;
    }
    const more = before && before.suppressed > 0 ? ` (and ${before.suppressed} more like it)` : '';
    kinds.set(kind, { since: time, suppressed: 0 });
    log('warning', line + more);
  };
}

/** Says a warning of some kind, or counts it. */
export type Warn = ReturnType<typeof createThrottle>;
