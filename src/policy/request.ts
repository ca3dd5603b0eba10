import { addressText, parseAddress } from '../greylist/address.js';
import type { Attempt } from '../greylist/attempt.js';
import type { Exemption } from '../greylist/decide.js';
import { excerpt } from '../greylist/printable.js';
import { ProtocolError, type AttributeName, type PolicyRequest } from './parser.js';

/** What a request asks: an attempt to be decided, or why there is nothing to decide. */
export type Interpretation =
  | { readonly attempt: Attempt }
  | {
      readonly exemption: Extract<Exemption, 'authenticated' | 'no recipient' | 'unusable request'>;
      /** For the log, where the operator should know. */
      readonly warning?: string;
    };

const required = ['client_address', 'client_name', 'sender', 'recipient'] as const satisfies AttributeName[];

/**
 * Reads a request. Postfix asks with a recipient at RCPT; at DATA and later with several recipients there is none, and
 * greylisting has nothing to say. A request of another type than smtpd_access_policy throws a ProtocolError.
 */
export function interpret(
  request: PolicyRequest,
  time: number,
  options: {
    readonly greylistAuthenticated: boolean;
    readonly domainOf?: (name: string) => string | undefined;
  },
): Interpretation {
  if (request.request !== 'smtpd_access_policy')
    throw new ProtocolError('not a policy request', `request=${request.request ?? ''}`);
  const missing = required.filter((name) => request[name] === undefined);
  if (missing.length > 0)
    return { exemption: 'unusable request', warning: `attribute missing: ${missing.join(', ')}` };
  if (request.sasl_username && !options.greylistAuthenticated) return { exemption: 'authenticated' };
  if (!request.recipient) return { exemption: 'no recipient' };
  const client = parseAddress(request.client_address ?? '');
  if (!client) {
    return {
      exemption: 'unusable request',
      warning: `cannot parse client_address "${excerpt(request.client_address ?? '')}"`,
    };
  }
  const clientName = request.client_name ?? '';
  return {
    attempt: {
      time,
      client,
      clientName,
      clientDomain: options.domainOf?.(clientName),
      sender: request.sender ?? '',
      recipient: request.recipient,
      instance: request.instance,
      queueId: request.queue_id,
    },
  };
}

/** The client's address for people: as the request has it, in its canonical form where it is one. */
export function clientText(request: PolicyRequest): string {
  const client = parseAddress(request.client_address ?? '');
  return client?.family === 4 ? addressText(client) : (request.client_address ?? '');
}
