/**
 * Lines of smtpd (Postfix's src/smtpd/smtpd.c, log_whatsup) and postscreen.
 *
 *     QID|NOQUEUE: client=CLIENT[, sasl_method=M][, sasl_username=U][, sasl_sender=S][, orig_queue_id=Q][, orig_client=CLIENT]
 *     QID|NOQUEUE: reject|milter-reject|proxy-reject: STAGE from CLIENT: REPLY; ENVELOPE
 *     [QID|NOQUEUE: ]proxy-accept: END-OF-MESSAGE: 250 … queued as QID; ENVELOPE
 *
 * Of the other actions none is a refusal: reject_warning, warn, hold, filter, discard, redirect, info, permit.
 */
import type { ClientEvent, LogEvent, ProxiedEvent, RefusalEvent } from './events.js';
import { isQueueId, readClient, readEnvelope } from './fields.js';
import type { Header } from './header.js';

function processIdOf(line: string, header: Header): string {
  return line.slice(header.processStart, header.processEnd);
}

type Refuser = RefusalEvent['by'];

function clientEvent(line: string, queueId: string, at: number, header: Header): ClientEvent | undefined {
  const client = readClient(line, at);
  if (!client) return undefined;
  // Mostly nothing follows the client.
  const origin = client.end === line.length ? -1 : line.lastIndexOf(', orig_client=');
  return {
    type: 'client',
    queueId,
    processId: processIdOf(line, header),
    clientName: client.name,
    clientAddress: client.address,
    authenticated:
      line.startsWith(', sasl_method=', client.end) || line.startsWith(', sasl_username=', client.end),
    originAddress: origin < client.end ? undefined : readClient(line, origin + 14)?.address,
  };
}

/** The refusal whose `STAGE from CLIENT: REPLY` begins at `at`. */
export function refusalEvent(
  line: string,
  queueId: string,
  at: number,
  by: Refuser,
  header: Header,
): RefusalEvent | undefined {
  const from = line.indexOf(' from ', at);
  const first = line.charCodeAt(at);
  // Stages are in capitals; cleanup's `reject: header …` is something else.
  if (from < 0 || from > at + 32 || first < 65 || first > 90) return undefined;
  const client = readClient(line, from + 6);
  if (!client || !line.startsWith(': ', client.end)) return undefined;
  const text = client.end + 2;
  const envelope = readEnvelope(line, text);
  const end = envelope?.textEnd ?? line.indexOf('; proto=', text);
  return {
    type: 'refusal',
    by: by === 'smtpd' && client.name === '' ? 'postscreen' : by,
    stage: line.slice(at, from),
    queueId,
    processId: processIdOf(line, header),
    clientName: client.name,
    clientAddress: client.address,
    reply: end < 0 ? line.slice(text) : line.slice(text, end),
    sender: envelope?.sender,
    recipient: envelope?.recipient,
    authenticated: envelope?.authenticated ?? false,
  };
}

function proxiedEvent(line: string, at: number, header: Header): ProxiedEvent {
  const envelope = readEnvelope(line, at);
  const end = envelope?.textEnd ?? line.length;
  const mark = line.lastIndexOf('queued as ', end);
  const start = mark + 10;
  const queueId = mark < at ? '' : line.slice(start, end).replace(/[^0-9A-Za-z].*$/s, '');
  return {
    type: 'proxied',
    processId: processIdOf(line, header),
    queueId,
    sender: envelope?.sender,
    recipient: envelope?.recipient,
  };
}

/** What a line of smtpd says, or undefined when it is of no concern. */
export function smtpdEvent(line: string, header: Header): LogEvent | undefined {
  const colon = line.indexOf(': ', header.text);
  if (colon < 0) return undefined;
  if (line.startsWith('proxy-accept: ', header.text)) return proxiedEvent(line, colon, header);
  const at = colon + 2;
  const first = line.charCodeAt(at);
  if (
    (first !== 99 && first !== 114 && first !== 109 && first !== 112) ||
    !isQueueId(line, header.text, colon)
  ) {
    return undefined;
  }
  const queueId = line.slice(header.text, colon);
  if (line.startsWith('client=', at)) return clientEvent(line, queueId, at + 7, header);
  if (line.startsWith('reject: ', at)) return refusalEvent(line, queueId, at + 8, 'smtpd', header);
  if (line.startsWith('milter-reject: ', at)) return refusalEvent(line, queueId, at + 15, 'milter', header);
  if (line.startsWith('proxy-reject: ', at)) return proxyRefusal(line, queueId, at + 14, header);
  return line.startsWith('proxy-accept: ', at) ? proxiedEvent(line, at, header) : undefined;
}

/** `proxy-reject: END-OF-MESSAGE: REPLY` comes without a client. */
function proxyRefusal(line: string, queueId: string, at: number, header: Header): RefusalEvent {
  const refusal = refusalEvent(line, queueId, at, 'proxy', header);
  if (refusal) return refusal;
  const envelope = readEnvelope(line, at);
  const colon = line.indexOf(': ', at);
  const text = colon < 0 ? at : colon + 2;
  return {
    type: 'refusal',
    by: 'proxy',
    stage: colon < 0 ? '' : line.slice(at, colon),
    queueId,
    processId: processIdOf(line, header),
    clientName: 'unknown',
    clientAddress: '',
    reply: line.slice(text, Math.max(text, envelope?.textEnd ?? line.length)),
    sender: envelope?.sender,
    recipient: envelope?.recipient,
    authenticated: false,
  };
}

/** What a line of postscreen says: `NOQUEUE: reject: RCPT from [ADDRESS]:PORT: REPLY; from=<S>, to=<R>, …`. */
export function postscreenEvent(line: string, header: Header): LogEvent | undefined {
  if (!line.startsWith('NOQUEUE: reject: ', header.text)) return undefined;
  return refusalEvent(line, 'NOQUEUE', header.text + 17, 'postscreen', header);
}
