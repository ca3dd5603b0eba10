/**
 * A policy server's own lines: postgrey's (1.28–1.37) and greyctl's, whatever tag they come under.
 *
 *     [QID: ]action=greylist|pass, reason=R[, delay=N], client_name=N, client_address=A[, sender=S], recipient=R
 *
 * The null sender has no `sender=` (postgrey ≥ 1.31). Debian's 1.36 writes the address as `A/32`. Addresses are not quoted:
 * the sender ends at the last `, recipient=`.
 */
import type { LogEvent, PolicyEvent } from './events.js';
import { isQueueId } from './fields.js';

/** Index of `action=` behind `text`, allowing for a queue id; −1 when it is not a policy server's line. */
function actionAt(line: string, text: number): number {
  if (line.startsWith('action=', text)) return text;
  const colon = line.indexOf(': ', text);
  return colon >= 0 && line.startsWith('action=', colon + 2) && isQueueId(line, text, colon) ? colon + 2 : -1;
}

function verdictAt(line: string, at: number): PolicyEvent['verdict'] | undefined {
  if (line.startsWith('greylist, ', at)) return 'greylist';
  return line.startsWith('pass, ', at) ? 'pass' : undefined;
}

/** `early-retry (12s missing)` is `early-retry`. */
function reasonBetween(line: string, start: number, end: number): string {
  const reason = line.slice(start, end);
  const comma = reason.indexOf(', ');
  const bracket = reason.indexOf(' (');
  const cut = Math.min(comma < 0 ? reason.length : comma, bracket < 0 ? reason.length : bracket);
  return reason.slice(0, cut);
}

/** What a policy server's line says; undefined when it is none. */
export function policyEvent(line: string, text: number): LogEvent | undefined {
  const action = actionAt(line, text);
  const verdict = action < 0 ? undefined : verdictAt(line, action + 7);
  if (!verdict) return undefined;
  const reason = line.indexOf(', reason=', action);
  const name = line.indexOf(', client_name=', reason);
  const address = line.indexOf(', client_address=', name);
  const recipient = line.lastIndexOf(', recipient=');
  if (reason < 0 || name < 0 || address < 0 || recipient < address) return undefined;
  const afterAddress = line.indexOf(', ', address + 17);
  const hasSender = line.startsWith(', sender=', afterAddress) && afterAddress < recipient;
  const clientAddress = line.slice(address + 17, afterAddress);
  const slash = clientAddress.indexOf('/');
  return {
    type: 'policy',
    verdict,
    reason: reasonBetween(line, reason + 9, name),
    clientName: line.slice(name + 14, address),
    clientAddress: slash < 0 ? clientAddress : clientAddress.slice(0, slash),
    sender: hasSender ? line.slice(afterAddress + 9, recipient) : '',
    recipient: line.slice(recipient + 12),
    queueId: action === text ? '' : line.slice(text, action - 2),
  };
}
