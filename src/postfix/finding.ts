/** `problem` and `warning` are to be mended; a `note` is worth knowing; `ok` was looked at and is well. */
export type Severity = 'ok' | 'note' | 'warning' | 'problem';

/** What a look at one thing has shown. */
export interface Finding {
  /** What was looked at, in a word or three: `policy check`, `order`. */
  readonly check: string;
  readonly severity: Severity;
  readonly what: string;
  /** Why it matters. */
  readonly why?: string;
  /** What to type, or to write into which file. */
  readonly remedy?: string;
}

/** A finding of something that is well. */
export function ok(check: string, what: string): Finding {
  return { check, severity: 'ok', what };
}
