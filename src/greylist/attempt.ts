import type { Address } from './address.js';

/** One RCPT TO that Postfix asks about. Addresses and names are as the client sent them: hostile until cleaned. */
export interface Attempt {
  /** Epoch seconds. */
  readonly time: number;
  readonly client: Address;
  /** The forward-confirmed host name, or `unknown` (Postfix's smtpd_peer_init: a name that did not verify is `unknown`). */
  readonly clientName: string;
  /** The registrable domain of `clientName`; only needed where the client key is `domain`. */
  readonly clientDomain?: string | undefined;
  /** Empty for the null sender. */
  readonly sender: string;
  readonly recipient: string;
  /** The same for all recipients of one message (SMTPD_POLICY_README, Postfix ≥ 2.1). */
  readonly instance?: string | undefined;
  readonly queueId?: string | undefined;
}
