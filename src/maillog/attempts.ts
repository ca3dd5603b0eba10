import type { Attempt } from '../greylist/attempt.js';

/** What the log says happened to an attempt. */
export type Logged = 'accepted' | 'greylisted';

/** An attempt and what the log says of it. */
export interface LoggedAttempt {
  readonly attempt: Attempt;
  readonly logged: Logged;
}

/** With whose lines tell it: the policy server's own, smtpd's refusal, or the delivery of the accepted mail. */
export interface ToldAttempt extends LoggedAttempt {
  readonly evidence: 'policy' | 'smtpd' | 'delivery';
  /** The policy server's reason, where it logged one: `new`, `triplet found`, `client whitelist` … */
  readonly policyReason?: string | undefined;
}
