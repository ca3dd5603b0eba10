import type { Decision } from '../greylist/decide.js';
import { printable } from '../greylist/printable.js';
import type { PolicyRequest } from './parser.js';
import { clientText } from './request.js';

/**
 * The line postgrey 1.37 logs for a decision:
 * `[QUEUEID: ]action=pass|greylist, reason=R[, delay=N][, client_name=…][, client_address=…][, sender=…][, recipient=…]`.
 * `delay=` where the X-Greylist header is given; an attribute that is empty is left out.
 */
export function actionLine(decision: Decision, request: PolicyRequest, isNewMessage: boolean): string {
  const reason =
    decision.reason === 'early-retry' ? `early-retry (${decision.waitSeconds}s missing)` : decision.reason;
  const fields = [`action=${decision.verdict}`, `reason=${reason}`];
  if (decision.delaySeconds !== undefined && isNewMessage) fields.push(`delay=${decision.delaySeconds}`);
  if (request.client_name) fields.push(`client_name=${request.client_name}`);
  if (request.client_address) fields.push(`client_address=${clientText(request)}`);
  if (request.sender) fields.push(`sender=${request.sender}`);
  if (request.recipient) fields.push(`recipient=${request.recipient}`);
  return printable((request.queue_id ? `${request.queue_id}: ` : '') + fields.join(', '));
}
