import type { Decision, PreparedAttempt } from '../greylist/decide.js';

/** The start of the hour that `time` lies in, epoch seconds. */
export function tallyHour(time: number): number {
  return time - (time % 3600);
}

/** One key for all decisions that are counted together. */
export function tallyKey(time: number, decision: Pick<Decision, 'verdict' | 'reason'>): string {
  return `${tallyHour(time)} ${decision.verdict} ${decision.reason}`;
}

/** How many attempts a prepared one stands for. */
export function attemptsOf(attempt: PreparedAttempt): number {
  return attempt.exemption === undefined ? 1 : (attempt.count ?? 1);
}

/** A delay rounded to two significant digits: few classes an hour, and no more than 5 % off. */
export function delayClass(seconds: number): number {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(1, seconds))) - 1);
  return Math.round(seconds / unit) * unit;
}

/** The newest hour of these counts: when that is forgotten, all are. */
export function newestHour(counts: readonly { readonly hour: number }[]): number {
  return counts.reduce((newest, { hour }) => Math.max(newest, hour), 0);
}
