/**
 * Attempts and decisions on their way between the threads, in flat lists: to copy them as objects costs as much as to decide. The lists
 * are filled with `push`: what `map` gives counts as sparse, which is several times slower to copy.
 */
import type { Decision, ExemptAttempt, PreparedAttempt, Reason, Verdict } from '../../greylist/decide.js';
import type { Rules } from '../../greylist/settings.js';

/** Of each attempt the time and the rules, or the attempt itself when it is exempt; of those with a key the four texts in a row. */
export interface PackedAttempts {
  readonly times: number[];
  readonly abouts: (Rules | ExemptAttempt)[];
  readonly texts: string[];
}

export interface PackedDecisions {
  readonly verdicts: Verdict[];
  readonly reasons: Reason[];
  readonly waits: number[];
  readonly delays: (number | undefined)[];
  /** Where those are that put their client on the auto-whitelist. */
  readonly joined: number[];
}

export function packAttempts(attempts: readonly PreparedAttempt[]): PackedAttempts {
  const packed: PackedAttempts = { times: [], abouts: [], texts: [] };
  for (const attempt of attempts) {
    packed.times.push(attempt.time);
    if (attempt.exemption !== undefined) {
      packed.abouts.push(attempt);
      continue;
    }
    const { client, sender, recipient } = attempt.triplet;
    packed.abouts.push(attempt.rules);
    packed.texts.push(client, sender, recipient, attempt.address);
  }
  return packed;
}

export function unpackAttempts({ times, abouts, texts }: PackedAttempts): PreparedAttempt[] {
  let place = 0;
  const next = () => texts[place++] ?? '';
  return abouts.map((about, index): PreparedAttempt => {
    if ('exemption' in about) return about;
    const triplet = { client: next(), sender: next(), recipient: next() };
    return { time: times[index] ?? 0, triplet, address: next(), rules: about };
  });
}

export function packDecisions(decisions: readonly Decision[]): PackedDecisions {
  const packed: PackedDecisions = { verdicts: [], reasons: [], waits: [], delays: [], joined: [] };
  for (const [index, { verdict, reason, waitSeconds, delaySeconds, joinedAwl }] of decisions.entries()) {
    packed.verdicts.push(verdict);
    packed.reasons.push(reason);
    packed.waits.push(waitSeconds);
    packed.delays.push(delaySeconds);
    if (joinedAwl) packed.joined.push(index);
  }
  return packed;
}

export function unpackDecisions({ verdicts, reasons, waits, delays, joined }: PackedDecisions): Decision[] {
  return verdicts.map((verdict, index) => ({
    verdict,
    reason: reasons[index] ?? 'new',
    waitSeconds: waits[index] ?? 0,
    delaySeconds: delays[index],
    ...(joined.includes(index) && { joinedAwl: true }),
  }));
}
