/**
 * Events to attempts, by queue id: the rules of what is an attempt and what is told twice.
 *
 * An attempt is one RCPT command that a policy service at the end of smtpd_recipient_restrictions is asked about. A
 * policy server's line is the attempt itself. Without one, a greylisting refusal by smtpd is an attempt, and so is every
 * recipient of an accepted message: time and client from smtpd's `client=`, sender from qmgr, recipients from the
 * deliveries. Authenticated and local clients, local submission, notices and what a content filter gives back are none.
 *
 * Known gap: queue ids of different hosts share one name space; short ones may meet when logs of several hosts are merged.
 */
import { addressText, parseAddress, type Address } from '../greylist/address.js';
import type { Logged, LoggedAttempt } from './attempts.js';
import { countRefusal, type ReadingCounts } from './counts.js';
import type {
  ClientEvent,
  DeliveryEvent,
  LogEvent,
  PolicyEvent,
  ProxiedEvent,
  QueuedEvent,
  RefusalEvent,
} from './events.js';
import { detached, readable } from './fields.js';
import { isGreylisting, replyCodes, type TextPattern } from './greylisting.js';
import type { TimeOrder } from './order.js';
import type { Pairing } from './pairing.js';
import type { Recent } from './recent.js';

/** A client address as it stands in the log, and what it means. */
export interface KnownClient {
  readonly address: Address;
  /** One text for one address, however the log writes it. */
  readonly text: string;
  readonly isLocal: boolean;
}

/** When and by whom a message was begun. */
export interface Opening {
  readonly time: number;
  /** Number of the line that says so. */
  readonly line: number;
  readonly client: KnownClient;
  readonly clientName: string;
}

/** A message whose recipients are not all known. */
export interface Message extends Opening {
  sender: string | undefined;
  /** Recipients in the queue, aliases expanded; 0 while unknown. */
  expected: number;
  readonly recipients: Set<string>;
  readonly mailboxes: Set<string>;
  /** Recipients that were told before the sender. */
  readonly waiting: string[];
  settled: boolean;
}

/** A message on its way through a before-queue proxy. */
export interface ProxySession extends Opening {
  readonly policed: boolean;
  claimed: boolean;
}

/** `excluded`: of no concern, or told by a policy server's lines. `local`: from a local client, maybe a proxy. */
export type OpenMessage = Message | 'excluded' | 'local';

/** All that the joining of lines remembers. */
export interface Joining {
  readonly counts: ReadingCounts;
  readonly isLocal: (address: Address) => boolean;
  readonly greylistPattern: TextPattern | undefined;
  readonly clients: Map<string, KnownClient | undefined>;
  readonly open: Recent<OpenMessage>;
  /** By client address. */
  readonly sessions: Recent<ProxySession[]>;
  /** By smtpd's process id. */
  readonly sessionsOfProcess: Recent<ProxySession>;
  readonly pairing: Pairing;
  readonly order: TimeOrder;
  /** Messages that hold back younger attempts, oldest first. */
  pending: Message[];
  /** Number of the line at hand. */
  line: number;
}

/** Client addresses whose meaning is kept; then all are forgotten at once. */
const mostClients = 65_536;

function clientOf(joining: Joining, text: string): KnownClient | undefined {
  const known = joining.clients.get(text);
  if (known !== undefined || joining.clients.has(text)) return known;
  const address = parseAddress(text);
  const client = address && { address, text: addressText(address), isLocal: joining.isLocal(address) };
  if (joining.clients.size >= mostClients) joining.clients.clear();
  joining.clients.set(detached(text), client);
  return client;
}

function addAttempt(
  joining: Joining,
  opening: Opening,
  more: { sender: string; recipient: string; queueId?: string } & Omit<LoggedAttempt, 'attempt'>,
): void {
  const { sender, recipient, queueId, ...told } = more;
  const attempt = {
    time: opening.time,
    client: opening.client.address,
    clientName: readable(opening.clientName),
    sender: readable(sender),
    recipient: readable(recipient),
    ...(queueId && { queueId: detached(queueId) }),
  };
  const held = joining.order.add({ attempt, ...told }, opening.line);
  if (told.evidence !== 'policy') joining.pairing.told(told.logged, opening.client.text, recipient, held);
}

/** The message is over: what is not known of it now will never be. */
export function closeMessage(joining: Joining, message: OpenMessage | undefined): void {
  if (typeof message !== 'object' || message.settled) return;
  message.settled = true;
  if (message.recipients.size === 0) joining.counts.incomplete += 1;
}

function onPolicy(joining: Joining, event: PolicyEvent, time: number): void {
  joining.counts.policyLines += 1;
  const client = clientOf(joining, event.clientAddress);
  if (!client) {
    joining.counts.unaddressed += 1;
    return;
  }
  if (client.isLocal) {
    joining.counts.local += 1;
    return;
  }
  const logged: Logged = event.verdict === 'pass' ? 'accepted' : 'greylisted';
  const { recipient, sender, queueId } = event;
  const policyReason = readable(event.reason);
  const held = joining.pairing.policy(logged, client.text, recipient, time, queueId === '');
  if (held) {
    held.value = { ...held.value, evidence: 'policy', policyReason };
  } else {
    const opening = { time, line: joining.line, client, clientName: event.clientName };
    addAttempt(joining, opening, { sender, recipient, queueId, logged, evidence: 'policy', policyReason });
  }
  const message = queueId === '' ? undefined : joining.open.get(queueId);
  if (typeof message === 'object' && message.recipients.size === 0) {
    message.settled = true;
    joining.open.set(detached(queueId), 'excluded');
  }
}

function openMessage(joining: Joining, queueId: string, opening: Opening): void {
  const message: Message = {
    time: opening.time,
    line: opening.line,
    client: opening.client,
    clientName: detached(opening.clientName),
    sender: undefined,
    expected: 0,
    recipients: new Set(),
    mailboxes: new Set(),
    waiting: [],
    settled: false,
  };
  joining.open.set(detached(queueId), message);
  joining.pending.push(message);
}

function exclude(joining: Joining, queueId: string, as: 'excluded' | 'local' = 'excluded'): void {
  if (queueId !== 'NOQUEUE') joining.open.set(detached(queueId), as);
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

function onClient(joining: Joining, event: ClientEvent, time: number): void {
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
  const session = { ...opening, clientName: detached(opening.clientName), policed, claimed: false };
  const key = opening.client.text;
  const sessions = joining.sessions.get(key);
  if (sessions) sessions.push(session);
  else joining.sessions.set(key, [session]);
  joining.sessionsOfProcess.set(detached(processId), session);
}

/** The proxy took the message: of one that comes back without its client's name, this line tells what can be known. */
function onProxied(joining: Joining, event: ProxiedEvent): void {
  const session = joining.sessionsOfProcess.take(event.processId);
  if (!session || session.claimed) return;
  session.claimed = true;
  if (session.policed) return;
  const { queueId, sender, recipient } = event;
  if (sender !== undefined && recipient !== undefined) {
    addAttempt(joining, session, { sender, recipient, queueId, logged: 'accepted', evidence: 'delivery' });
  } else if (joining.open.get(queueId) === 'local') {
    joining.counts.local -= 1;
    openMessage(joining, queueId, session);
  } else {
    joining.counts.incomplete += 1;
  }
}

function addRecipient(joining: Joining, message: Message, queueId: string, recipient: string): void {
  const folded = detached(recipient.toLowerCase());
  if (message.recipients.has(folded)) return;
  message.recipients.add(folded);
  if (joining.pairing.isTold('accepted', message.client.text, recipient, message.time)) return;
  const sender = message.sender ?? '';
  addAttempt(joining, message, { sender, recipient, queueId, logged: 'accepted', evidence: 'delivery' });
}

function onQueued(joining: Joining, event: QueuedEvent): void {
  const message = joining.open.get(event.queueId);
  if (message === undefined) {
    joining.counts.withoutClient += 1;
    exclude(joining, event.queueId);
  } else if (typeof message === 'object' && message.sender === undefined) {
    message.sender = detached(event.sender);
    message.expected = event.recipients;
    for (const recipient of message.waiting) addRecipient(joining, message, event.queueId, recipient);
    message.waiting.length = 0;
  }
}

function onDelivery(joining: Joining, event: DeliveryEvent): void {
  const message = joining.open.get(event.queueId);
  if (message === undefined) {
    joining.counts.withoutClient += 1;
    exclude(joining, event.queueId);
  } else if (typeof message === 'object') {
    if (message.sender === undefined) {
      message.waiting.push(detached(event.recipient));
      return;
    }
    addRecipient(joining, message, event.queueId, event.recipient);
    if (message.expected > 1) message.mailboxes.add(detached(event.mailbox.toLowerCase()));
    if (message.expected === 1 || message.mailboxes.size >= message.expected) message.settled = true;
  }
}

function refusalClass(event: RefusalEvent): string {
  const codes = replyCodes(event.reply) || 'without code';
  return event.by === 'smtpd' ? codes : `${event.by} ${codes}`;
}

/** A greylisting refusal that no policy server's line has told. */
function onDeferral(joining: Joining, event: RefusalEvent, time: number): void {
  const { sender, recipient, queueId } = event;
  const client = clientOf(joining, event.clientAddress);
  if (event.authenticated) joining.counts.authenticated += 1;
  else if (!client) joining.counts.unaddressed += 1;
  else if (client.isLocal) joining.counts.local += 1;
  else if (sender === undefined || recipient === undefined) joining.counts.unnamedDeferrals += 1;
  else if (!joining.pairing.isTold('greylisted', client.text, recipient, time)) {
    addAttempt(
      joining,
      { time, line: joining.line, client, clientName: event.clientName },
      {
        sender,
        recipient,
        ...(queueId !== 'NOQUEUE' && { queueId }),
        logged: 'greylisted',
        evidence: 'smtpd',
      },
    );
  }
}

function onRefusal(joining: Joining, event: RefusalEvent, time: number): void {
  if (isGreylisting(event.reply, event.by === 'milter', joining.greylistPattern)) {
    onDeferral(joining, event, time);
  } else {
    countRefusal(joining.counts, refusalClass(event), () => readable(event.reply.slice(0, 100)));
  }
  if (event.by === 'proxy') joining.sessionsOfProcess.take(event.processId);
  // After RCPT the whole message is refused.
  const whole = event.stage !== 'RCPT' && event.stage !== 'VRFY' && event.stage !== 'MAIL';
  if (whole && event.queueId !== 'NOQUEUE') dropMessage(joining, event.queueId);
}

/** The message is over, and why has been counted. */
function dropMessage(joining: Joining, queueId: string): void {
  const message = joining.open.take(queueId);
  if (typeof message === 'object') message.settled = true;
  if (message !== undefined) exclude(joining, queueId);
}

/** Takes in what one line says. */
export function onEvent(joining: Joining, event: LogEvent, time: number): void {
  switch (event.type) {
    case 'policy':
      onPolicy(joining, event, time);
      break;
    case 'client':
      onClient(joining, event, time);
      break;
    case 'refusal':
      onRefusal(joining, event, time);
      break;
    case 'proxied':
      onProxied(joining, event);
      break;
    case 'queued':
      onQueued(joining, event);
      break;
    case 'delivery':
      onDelivery(joining, event);
      break;
    case 'removed':
      closeMessage(joining, joining.open.take(event.queueId));
      break;
    case 'discarded':
      joining.counts.discarded += 1;
      dropMessage(joining, event.queueId);
      break;
    case 'internal':
      if (joining.open.get(event.queueId) === undefined) {
        joining.counts.internal += 1;
        exclude(joining, event.queueId);
      }
      break;
    case 'lost':
      joining.counts.lossMarkers += 1;
      joining.counts.lostLines += event.lines;
      break;
  }
}
