/**
 * How `greyctl doctor` asks a policy server who it is: a request that names no sender, recipient or client, and an attribute that Postfix
 * never sends. Other policy servers find the request unusable and remember nothing; greyctl tells its version, and neither logs nor
 * counts it, as no mail is behind it.
 */
import type { PolicyRequest } from './parser.js';

/** The request, as it is sent. */
export const probe = ['request=smtpd_access_policy', 'protocol_state=RCPT', 'greyctl_probe=yes', '\n'].join(
  '\n',
);

/** True for the request above; one that names a recipient is an attempt, whatever else it says. */
export function isProbe(request: PolicyRequest): boolean {
  return request.greyctl_probe !== undefined && !request.recipient;
}

/** The action that answers a probe. */
export function probeAnswer(version: string): string {
  return `DUNNO greyctl ${version}`;
}

/** The version in the reply to a probe; undefined where another program answered. */
export function probedVersion(reply: string): string | undefined {
  return /^action=DUNNO greyctl (\S+)$/.exec(reply.trim())?.[1];
}
