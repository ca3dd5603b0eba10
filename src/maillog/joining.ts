/** What the joining of lines remembers, and what all kinds of lines do to it. */
import { parseAddress, type Address } from '../greylist/address.js';
import type { Logged, ToldAttempt } from './attempts.js';
import type { ReadingCounts } from './counts.js';
import { detached, readableTriple } from './fields.js';
import type { TextPattern } from './greylisting.js';
import type { Unclaimed } from './late.js';
import type { TimeOrder } from './order.js';
import type { Pairing } from './pairing.js';
import type { Recent } from './recent.js';

/** A client address as it stands in the log, and what it means. */
export interface KnownClient {
  readonly address: Address;
  /** As in the log, where Postfix writes an address in one way only; to be kept, it must be detached. */
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
  /** What a policy server logged behind its beginning. */
  late: Unclaimed['late'];
  sender: string | undefined;
  /** Recipients in the queue, aliases expanded; 0 while unknown. */
  expected: number;
  /** In lower case; mostly one. */
  readonly recipients: string[];
  /** What was delivered to, of a message with several recipients. */
  mailboxes: Set<string> | undefined;
  /** Recipients that were told before the sender. */
  waiting: string[] | undefined;
  settled: boolean;
}

/** A message on its way through a before-queue proxy. */
export interface ProxySession extends Opening {
  late: Unclaimed['late'];
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
  /** The latest client. */
  client: KnownClient | undefined;
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

/** The client at this address; undefined when it is none, as `unknown`. */
export function clientOf(joining: Joining, text: string): KnownClient | undefined {
  // A policy server's line and smtpd's follow each other.
  if (joining.client?.text === text) return joining.client;
  const address = parseAddress(text);
  if (!address) return undefined;
  joining.client = { address, text, isLocal: joining.isLocal(address) };
  return joining.client;
}

/** An attempt as the lines tell it: pieces of them. */
interface Told {
  readonly sender: string;
  readonly recipient: string;
  /** Empty or NOQUEUE when there is none. */
  readonly queueId: string;
  readonly logged: Logged;
  readonly evidence: ToldAttempt['evidence'];
  readonly policyReason?: string;
}

/** Holds an attempt until its turn comes. */
export function addAttempt(joining: Joining, opening: Opening, told: Told): void {
  const hasQueueId = told.queueId !== '' && told.queueId !== 'NOQUEUE';
  const [clientName, sender, recipient] = readableTriple(opening.clientName, told.sender, told.recipient);
  const value: ToldAttempt = {
    attempt: {
      time: opening.time,
      client: opening.client.address,
      clientName,
      sender,
      recipient,
      queueId: hasQueueId ? detached(told.queueId) : undefined,
    },
    logged: told.logged,
    evidence: told.evidence,
    policyReason: told.policyReason,
  };
  const held = joining.order.add(value, opening.line);
  if (told.evidence !== 'policy') joining.pairing.told(opening.client.text, told.recipient, held);
}

/** What else is logged of this message is of no concern. */
export function exclude(joining: Joining, queueId: string, as: 'excluded' | 'local' = 'excluded'): void {
  if (queueId !== 'NOQUEUE') joining.open.set(detached(queueId), as);
}

/** The message is over: what is not known of it now will never be. */
export function closeMessage(joining: Joining, message: OpenMessage | undefined): void {
  if (typeof message !== 'object' || message.settled) return;
  message.settled = true;
  if (message.recipients.length === 0 && !message.late) joining.counts.incomplete += 1;
}

/** The message is over, and why has been counted. */
export function dropMessage(joining: Joining, queueId: string): void {
  const message = joining.open.take(queueId);
  if (typeof message === 'object') message.settled = true;
  if (message !== undefined) exclude(joining, queueId);
}
