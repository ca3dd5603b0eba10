/**
 * Accepted messages to attempts, by queue id: time and client from smtpd's `client=`, the sender from qmgr, the recipients from
 * the deliveries. What authenticated and local clients bring, local submissions, notices and what a content filter gives back
 * are no attempts.
 *
 * Known gap: queue ids of different hosts share one name space; short ones may meet when logs of several hosts are merged.
 */
import type { ClientEvent, DeliveryEvent, ProxiedEvent, QueuedEvent } from './events.js';
import { detached } from './fields.js';
import { cameLate } from './late.js';
import {
  addAttempt,
  clientOf,
  closeMessage,
  exclude,
  type Joining,
  type KnownClient,
  type Message,
  type Opening,
} from './joining.js';

function keptClient(client: KnownClient): KnownClient {
  return { address: client.address, text: detached(client.text), isLocal: client.isLocal };
}

function openMessage(
  joining: Joining,
  queueId: string,
  opening: Opening & Partial<Pick<Message, 'late'>>,
  sender?: string,
): void {
  const message: Message = {
    time: opening.time,
    line: opening.line,
    client: keptClient(opening.client),
    clientName: detached(opening.clientName),
    sender: sender === undefined ? undefined : detached(sender),
    expected: 0,
    late: opening.late,
    recipients: [],
    mailboxes: undefined,
    waiting: undefined,
    settled: false,
  };
  joining.open.set(detached(queueId), message);
  joining.pending.push(message);
  joining.pairing.unclaimed(message);
}

/** A content filter gives a message back: it is that of a before-queue proxy's session, or was seen before. */
function onReinjected(joining: Joining, event: ClientEvent, originAddress: string): void {
  const client = clientOf(joining, originAddress);
  const sessions = client && joining.sessions.get(client.text);
  let session = sessions?.shift();
  while (session?.claimed) session = sessions?.shift();
  exclude(joining, event.queueId);
  if (!session) {
    joining.counts.reinjected += 1;
    return;
  }
  session.claimed = true;
  if (!session.policed) openMessage(joining, event.queueId, session);
}

/** smtpd opened a message. */
export function onClient(joining: Joining, event: ClientEvent, time: number): void {
  const { queueId } = event;
  if (queueId !== 'NOQUEUE') closeMessage(joining, joining.open.take(queueId));
  if (event.authenticated) {
    joining.counts.authenticated += 1;
    exclude(joining, queueId);
    return;
  }
  if (event.originAddress !== undefined) {
    onReinjected(joining, event, event.originAddress);
    return;
  }
  const client = clientOf(joining, event.clientAddress);
  if (!client || client.isLocal) {
    joining.counts[client ? 'local' : 'unaddressed'] += 1;
    exclude(joining, queueId, client ? 'local' : 'excluded');
    return;
  }
  const opening = { time, line: joining.line, client, clientName: event.clientName };
  const policed = joining.pairing.claim(client.text, time);
  if (queueId === 'NOQUEUE') openSession(joining, event.processId, opening, policed);
  else if (policed) exclude(joining, queueId);
  else openMessage(joining, queueId, opening);
}

function openSession(joining: Joining, processId: string, opening: Opening, policed: boolean): void {
  const session = {
    ...opening,
    client: keptClient(opening.client),
    clientName: detached(opening.clientName),
    late: undefined,
    policed,
    claimed: false,
  };
  if (!policed) joining.pairing.unclaimed(session);
  const key = session.client.text;
  const sessions = joining.sessions.get(key);
  if (sessions) sessions.push(session);
  else joining.sessions.set(key, [session]);
  joining.sessionsOfProcess.set(detached(processId), session);
}

/** The proxy took the message: of one that comes back without its client's name, this line tells what can be known. */
export function onProxied(joining: Joining, event: ProxiedEvent): void {
  const session = joining.sessionsOfProcess.take(event.processId);
  if (!session || session.claimed) return;
  session.claimed = true;
  if (session.policed) return;
  const { queueId, sender, recipient } = event;
  if (sender !== undefined && recipient !== undefined) {
    if (cameLate(session, recipient.toLowerCase())) return;
    addAttempt(joining, session, { sender, recipient, queueId, logged: 'accepted', evidence: 'delivery' });
  } else if (joining.open.get(queueId) === 'local') {
    joining.counts.local -= 1;
    openMessage(joining, queueId, session, sender);
  } else {
    joining.counts.incomplete += 1;
  }
}

function addRecipient(joining: Joining, message: Message, queueId: string, recipient: string): void {
  const folded = detached(recipient.toLowerCase());
  if (message.recipients.includes(folded)) return;
  message.recipients.push(folded);
  if (cameLate(message, folded)) {
    message.settled = true;
    exclude(joining, queueId);
    return;
  }
  if (joining.pairing.isTold('accepted', message.client.text, recipient, message.time)) return;
  const sender = message.sender ?? '';
  addAttempt(joining, message, { sender, recipient, queueId, logged: 'accepted', evidence: 'delivery' });
}

/** qmgr tells the sender. */
export function onQueued(joining: Joining, event: QueuedEvent): void {
  const message = joining.open.get(event.queueId);
  if (message === undefined) {
    const isNotice = event.sender === '' || event.sender.startsWith('double-bounce@');
    joining.counts[isNotice ? 'internal' : 'withoutClient'] += 1;
    exclude(joining, event.queueId);
  } else if (typeof message === 'object' && message.sender === undefined) {
    message.sender = detached(event.sender);
    message.expected = event.recipients;
    for (const recipient of message.waiting ?? []) {
      if (joining.open.get(event.queueId) !== message) break;
      addRecipient(joining, message, event.queueId, recipient);
    }
    message.waiting = undefined;
  }
}

function areAllKnown(message: Message, mailbox: string): boolean {
  message.mailboxes ??= new Set();
  message.mailboxes.add(detached(mailbox.toLowerCase()));
  return message.expected > 0 && message.mailboxes.size >= message.expected;
}

/** A delivery tells a recipient, whatever became of it. */
export function onDelivery(joining: Joining, event: DeliveryEvent): void {
  const message = joining.open.get(event.queueId);
  if (message === undefined) {
    joining.counts.withoutClient += 1;
    exclude(joining, event.queueId);
  } else if (typeof message === 'object') {
    if (message.sender === undefined) {
      message.waiting = [...(message.waiting ?? []), detached(event.recipient)];
      return;
    }
    addRecipient(joining, message, event.queueId, event.recipient);
    message.settled ||= message.expected === 1 || areAllKnown(message, event.mailbox);
  }
}
