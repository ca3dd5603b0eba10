/** A client of the Postfix policy protocol, as smtpd(8) is one: many questions over one connection. */
import { converse } from './conversation.js';
import { stepMilliseconds } from './deadline.js';

/** An attribute that is undefined is not sent. */
export type Attributes = Readonly<Record<string, string | number | undefined>>;

export interface PolicyClient {
  /** Sends one request and resolves to the action of its reply. */
  readonly ask: (attributes: Attributes) => Promise<string>;
  /** Sends bytes as they are. */
  readonly send: (bytes: string | Uint8Array) => void;
  /** The action of the next reply; for requests that were sent as bytes. */
  readonly answer: () => Promise<string>;
  /** Resolves when the server has closed without sending anything more. */
  readonly expectClosed: () => Promise<void>;
  /** Says that no more requests will come. */
  readonly end: () => void;
  readonly close: () => void;
}

/** The attributes Postfix 3.7 was seen to send at RCPT TO, in its order, and two of newer ones; about 700 bytes as a request. */
const atRcpt: Attributes = {
  request: 'smtpd_access_policy',
  protocol_state: 'RCPT',
  protocol_name: 'ESMTP',
  client_address: '192.0.2.5',
  client_name: 'mail.example.com',
  client_port: 41_234,
  reverse_client_name: 'mail.example.com',
  server_address: '198.51.100.25',
  server_port: 25,
  helo_name: 'mail.example.com',
  sender: 'alice@example.com',
  recipient: 'bob@example.org',
  recipient_count: 0,
  queue_id: '',
  instance: '2f3a.68a1c0de.5b1d2.0',
  size: 12_345,
  etrn_domain: '',
  stress: '',
  sasl_method: '',
  sasl_username: '',
  sasl_sender: '',
  ccert_subject: '',
  ccert_issuer: '',
  ccert_fingerprint: '',
  ccert_pubkey_fingerprint: '',
  encryption_protocol: 'TLSv1.3',
  encryption_cipher: 'TLS_AES_256_GCM_SHA384',
  encryption_keysize: 256,
  policy_context: '',
  compatibility_level: '3.10',
  mail_version: '3.10.5',
};

/** A full request; `changes` replaces attributes, adds some, or leaves out those that are undefined. */
export function request(changes: Attributes = {}): Attributes {
  return { ...atRcpt, ...changes };
}

/** The bytes of a request: `name=value` lines and an empty one. */
export function encode(attributes: Attributes): string {
  const lines = Object.entries(attributes).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${value}\n`],
  );
  return `${lines.join('')}\n`;
}

/** Connects to `inet:HOST:PORT` or `unix:PATH`; the caller closes. `deadline` is in milliseconds and holds for each step. */
export async function connect(endpoint: string, deadline = stepMilliseconds): Promise<PolicyClient> {
  const peer = await converse(endpoint, deadline);
  const answer = async () => {
    const reply = await peer.expect(/\n\n/, 'reply');
    const action = /^action=([^\n]*)\n\n$/.exec(reply)?.[1];
    if (action === undefined) throw new Error(`not a policy reply: ${JSON.stringify(reply)}`);
    return action;
  };
  return {
    ask(attributes) {
      peer.send(encode(attributes));
      return answer();
    },
    send: peer.send,
    answer,
    expectClosed: peer.expectClosed,
    end: peer.end,
    close: peer.close,
  };
}
