/** What a line of the log says, as far as greylisting is concerned. Strings are pieces of the line (see fields.ts). */
export type LogEvent =
  | PolicyEvent
  | ClientEvent
  | RefusalEvent
  | ProxiedEvent
  | QueuedEvent
  | DeliveryEvent
  | { readonly type: 'removed'; readonly queueId: string }
  | { readonly type: 'discarded'; readonly queueId: string }
  /** A message that no SMTP client brought: local submission, a bounce, a probe. */
  | { readonly type: 'internal'; readonly queueId: string }
  /** Lines are missing here; 0 when the log does not say how many. */
  | { readonly type: 'lost'; readonly lines: number };

/** A policy server's own line. */
export interface PolicyEvent {
  readonly type: 'policy';
  readonly verdict: 'pass' | 'greylist';
  /** The server's words, without the bracketed remark. */
  readonly reason: string;
  readonly clientName: string;
  readonly clientAddress: string;
  /** Empty for the null sender. */
  readonly sender: string;
  readonly recipient: string;
  /** Empty until the message has one. */
  readonly queueId: string;
}

/** smtpd opened a message: its first recipient was accepted. */
export interface ClientEvent {
  readonly type: 'client';
  /** `NOQUEUE` when a before-queue proxy takes the message. */
  readonly queueId: string;
  readonly processId: string;
  readonly clientName: string;
  readonly clientAddress: string;
  readonly authenticated: boolean;
  /** The address of the client that a content filter had the message from. */
  readonly originAddress?: string | undefined;
}

/** A command, or a whole message, was refused. */
export interface RefusalEvent {
  readonly type: 'refusal';
  readonly by: 'smtpd' | 'postscreen' | 'milter' | 'cleanup' | 'proxy';
  /** `RCPT`, `DATA`, `END-OF-MESSAGE` …; empty where the line has none. */
  readonly stage: string;
  readonly queueId: string;
  readonly processId: string;
  readonly clientName: string;
  readonly clientAddress: string;
  /** The reply, usually `CODE D.S.N text`; milters at END-OF-MESSAGE leave out the code. */
  readonly reply: string;
  readonly sender?: string | undefined;
  readonly recipient?: string | undefined;
  readonly authenticated: boolean;
}

/** A before-queue proxy took a message; it comes back as `queueId`. */
export interface ProxiedEvent {
  readonly type: 'proxied';
  readonly processId: string;
  /** Empty when the proxy's answer does not tell it. */
  readonly queueId: string;
  readonly sender?: string | undefined;
  /** Only of messages with a single recipient. */
  readonly recipient?: string | undefined;
}

/** qmgr took a message; said again at every run of a deferred one. */
export interface QueuedEvent {
  readonly type: 'queued';
  readonly queueId: string;
  /** As in the queue: rewritten by canonical maps and milters. */
  readonly sender: string;
  /** Recipients after alias expansion; 0 when not said. */
  readonly recipients: number;
}

export interface DeliveryEvent {
  readonly type: 'delivery';
  readonly queueId: string;
  /** The address of the RCPT command where the line tells it, else the one delivered to. */
  readonly recipient: string;
  /** What was delivered to. */
  readonly mailbox: string;
}
