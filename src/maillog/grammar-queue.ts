/**
 * Lines of the programs that handle a message once it is queued.
 *
 *     cleanup   QID: milter-reject|reject|discard: STAGE … from CLIENT: REPLY; ENVELOPE
 *     qmgr      QID: from=<S>, size=N, nrcpt=N (queue active)     QID: removed
 *     delivery  QID: to=<R>, [orig_to=<O>, ]relay=…, …, status=WORD (text)
 *     pickup    QID: uid=N from=<S>
 *     bounce    QID: … notification: QID
 */
import type { LogEvent } from './events.js';
import { addressEnd, internalForm, isQueueId } from './fields.js';
import { refusalEvent } from './grammar-smtpd.js';
import type { Header } from './header.js';

/** The queue id that begins the text, and where what follows it begins. */
function queueIdAt(line: string, text: number): { queueId: string; at: number } | undefined {
  const colon = line.indexOf(': ', text);
  if (colon < 0 || !isQueueId(line, text, colon)) return undefined;
  return { queueId: line.slice(text, colon), at: colon + 2 };
}

/** True for `reject: header …`, `reject: body …`; smtpd's stages are in capitals. */
function isContentAction(line: string, at: number, action: string): boolean {
  return line.startsWith(action, at) && line.charCodeAt(at + action.length) >= 97;
}

/** What a line of cleanup says. */
export function cleanupEvent(line: string, header: Header): LogEvent | undefined {
  const message = queueIdAt(line, header.text);
  if (!message) return undefined;
  const { queueId, at } = message;
  if (line.startsWith('milter-reject: ', at)) return refusalEvent(line, queueId, at + 15, 'milter', header);
  if (line.startsWith('milter-discard: ', at) || isContentAction(line, at, 'discard: ')) {
    return { type: 'discarded', queueId };
  }
  if (!isContentAction(line, at, 'reject: ')) return undefined;
  return {
    type: 'refusal',
    by: 'cleanup',
    stage: 'END-OF-MESSAGE',
    queueId,
    processId: '',
    clientName: 'unknown',
    clientAddress: '',
    reply: '',
    authenticated: false,
  };
}

/** What a line of the queue manager says. */
export function qmgrEvent(line: string, header: Header): LogEvent | undefined {
  const message = queueIdAt(line, header.text);
  if (!message) return undefined;
  const { queueId, at } = message;
  if (line.startsWith('removed', at)) return { type: 'removed', queueId };
  if (!line.startsWith('from=<', at)) return undefined;
  const close = addressEnd(line, at + 5);
  if (close < 0 || !line.startsWith(', size=', close + 1)) return undefined;
  const count = line.indexOf(', nrcpt=', close);
  return {
    type: 'queued',
    queueId,
    sender: internalForm(line.slice(at + 6, close)),
    recipients: count < 0 ? 0 : Number.parseInt(line.slice(count + 8, count + 18), 10) || 0,
  };
}

function deliveredAddress(line: string, at: number): { address: string; end: number } | undefined {
  if (line.charCodeAt(at) === 60) {
    const close = addressEnd(line, at);
    return close < 0 ? undefined : { address: internalForm(line.slice(at + 1, close)), end: close + 1 };
  }
  const comma = line.indexOf(', ', at);
  return comma < 0 ? undefined : { address: line.slice(at, comma), end: comma };
}

/** What a line of smtp, lmtp, local, virtual, pipe, discard or error says. */
export function deliveryEvent(line: string, header: Header): LogEvent | undefined {
  const message = queueIdAt(line, header.text);
  if (!message || !line.startsWith('to=', message.at)) return undefined;
  const mailbox = deliveredAddress(line, message.at + 3);
  if (!mailbox) return undefined;
  const original = line.startsWith(', orig_to=', mailbox.end)
    ? deliveredAddress(line, mailbox.end + 10)
    : undefined;
  return {
    type: 'delivery',
    queueId: message.queueId,
    recipient: (original ?? mailbox).address,
    mailbox: mailbox.address,
  };
}

/** What a line of pickup says. */
export function pickupEvent(line: string, header: Header): LogEvent | undefined {
  const message = queueIdAt(line, header.text);
  if (!message || !line.startsWith('uid=', message.at)) return undefined;
  return { type: 'internal', queueId: message.queueId };
}

/** What a line of bounce says: the message named at its end is the notice. */
export function bounceEvent(line: string): LogEvent | undefined {
  const mark = line.lastIndexOf('notification: ');
  if (mark < 0 || !isQueueId(line, mark + 14, line.length)) return undefined;
  return { type: 'internal', queueId: line.slice(mark + 14) };
}
