/** Refusals of one class: how many, and what one of them said (hostile text). */
export interface RefusalCount {
  count: number;
  readonly example: string;
}

/** What was read, what became of it, and what could not be used. */
export interface ReadingCounts {
  lines: number;
  /** After decompression. */
  bytes: number;
  /** Lines without a time stamp that could be read, and not a policy server's. */
  skippedLines: number;
  /** Lines that another file of the set had already brought. */
  duplicateLines: number;
  /** Bytes of overlong lines that were dropped. */
  cutBytes: number;
  /** Epoch seconds of the earliest and latest stamp; undefined when nothing was stamped. */
  firstTime: number | undefined;
  lastTime: number | undefined;
  /** Lines of a policy server, folded ones included. */
  policyLines: number;
  accepted: number;
  greylisted: number;
  /** Attempts told so late that they come after younger ones. */
  lateAttempts: number;
  /** Refusals that are no greylisting, by who refused and the reply's codes. */
  readonly refusals: Map<string, RefusalCount>;
  /** Greylisting replies that do not tell the recipient (at DATA, of a message with several). */
  unnamedDeferrals: number;
  /** Messages and refusals of authenticated clients. */
  authenticated: number;
  /** Messages, refusals and policy lines of clients that count as local. */
  local: number;
  /** Messages a content filter gave back. */
  reinjected: number;
  /** Messages no SMTP client brought: submitted locally, notices, probes. */
  internal: number;
  /** Messages whose client is unknown because the connection had ended already (`unknown[unknown]`). */
  unaddressed: number;
  /** Messages that were accepted and then dropped by a DISCARD action. */
  discarded: number;
  /** Messages of the log's beginning whose client is not in it. */
  withoutClient: number;
  /** Messages whose recipients never came: cut off, discarded by smtpd, given up by the client, refused after DATA. */
  incomplete: number;
  /** Copies of lines that the logger folded into one. */
  repeatedLines: number;
  /** Places where the logger says that lines are missing, and how many lines, as far as it says. */
  lossMarkers: number;
  lostLines: number;
}

/** The counts before anything was read. */
export function createCounts(): ReadingCounts {
  return {
    lines: 0,
    bytes: 0,
    skippedLines: 0,
    duplicateLines: 0,
    cutBytes: 0,
    firstTime: undefined,
    lastTime: undefined,
    policyLines: 0,
    accepted: 0,
    greylisted: 0,
    lateAttempts: 0,
    refusals: new Map(),
    unnamedDeferrals: 0,
    authenticated: 0,
    local: 0,
    reinjected: 0,
    internal: 0,
    unaddressed: 0,
    discarded: 0,
    withoutClient: 0,
    incomplete: 0,
    repeatedLines: 0,
    lossMarkers: 0,
    lostLines: 0,
  };
}

/** Classes kept apart; more than Postfix has codes for. The rest is counted as `other`. */
const mostClasses = 200;

/** Counts a refusal of this class. */
export function countRefusal(counts: ReadingCounts, refusalClass: string, example: () => string): void {
  const known = counts.refusals.get(refusalClass);
  if (known) {
    known.count += 1;
  } else if (counts.refusals.size < mostClasses || refusalClass === 'other') {
    counts.refusals.set(refusalClass, { count: 1, example: example() });
  } else {
    countRefusal(counts, 'other', example);
  }
}
