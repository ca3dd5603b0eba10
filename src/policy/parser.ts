/**
 * The Postfix policy delegation protocol (SMTPD_POLICY_README), without I/O.
 *
 * Grammar:  request = 1*( name "=" value EOL ) EOL ;  EOL = LF or CRLF.
 * Names that greyctl does not use are skipped; the first of several lines with one name counts; a value may be empty and may
 * hold "=". Bytes are read as UTF-8, what is not valid becomes U+FFFD.
 * Limits: 8,192 bytes a line, 200 attributes and 65,536 bytes a request (Postfix sends about 35 attributes in
 * 800 bytes). Beyond them, or with a line that has no name, `push` throws a ProtocolError and the parser is of no more use.
 */
import { excerpt } from '../greylist/printable.js';

export const maxLineBytes = 8192;
export const maxAttributes = 200;
export const maxRequestBytes = 65_536;

const used = [
  'request',
  'client_address',
  'client_name',
  'sender',
  'recipient',
  'instance',
  'queue_id',
  'sasl_username',
  'etrn_domain',
  'greyctl_probe',
] as const;

export type AttributeName = (typeof used)[number];

/** The attributes of one request that greyctl uses; an absent one is undefined, an empty one is ''. */
export type PolicyRequest = Partial<Record<AttributeName, string>>;

/** By length: of most lines that tells enough, and nothing has to be cut out of the text. */
const usedByLength: (readonly AttributeName[] | undefined)[] = [];
for (const name of used) usedByLength[name.length] = used.filter(({ length }) => length === name.length);

/** The attribute that greyctl uses whose name is what `text` has there. */
function usedName(text: string, start: number, end: number): AttributeName | undefined {
  return usedByLength[end - start]?.find((name) => text.startsWith(name, start));
}

/** The peer does not speak the protocol; `message` is one harmless line with at most 100 characters of what it sent. */
export class ProtocolError extends Error {
  /** Requests that were complete before the broken one; they are owed an answer. */
  before: readonly PolicyRequest[] = [];

  constructor(what: string, sent?: string) {
    super(sent === undefined ? what : `${what}: "${excerpt(sent)}"`);
    this.name = 'ProtocolError';
  }
}

function parseRequest(text: string): PolicyRequest {
  const request: PolicyRequest = {};
  let count = 0;
  for (let start = 0; start < text.length;) {
    const newline = text.indexOf('\n', start);
    const end = newline > start && text.charCodeAt(newline - 1) === 13 ? newline - 1 : newline;
    const equals = text.indexOf('=', start);
    if (equals <= start || equals >= end) throw new ProtocolError('not an attribute', text.slice(start, end));
    if (end - start > maxLineBytes) throw new ProtocolError('line too long', text.slice(start, end));
    count += 1;
    if (count > maxAttributes) throw new ProtocolError('too many attributes', text.slice(start, end));
    const name = usedName(text, start, equals);
    if (name !== undefined) request[name] ??= text.slice(equals + 1, end);
    start = newline + 1;
  }
  if (count === 0) throw new ProtocolError('empty request');
  return request;
}

const lineFeed = 10;
const carriageReturn = 13;

/** Turns bytes into requests, however they are cut. */
export class RequestParser {
  #pending: Buffer = Buffer.alloc(0);
  /** Where the search for the end of the request goes on. */
  #searched = 0;

  /** True between the first byte of a request and its last. */
  get isInRequest(): boolean {
    return this.#pending.length > 0;
  }

  /** The requests that `chunk` completes. */
  push(chunk: Buffer): PolicyRequest[] {
    const requests: PolicyRequest[] = [];
    try {
      this.#read(chunk, requests);
      return requests;
    } catch (error) {
      if (error instanceof ProtocolError) error.before = requests;
      throw error;
    }
  }

  #read(chunk: Buffer, requests: PolicyRequest[]): void {
    const bytes = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    let start = 0;
    let from = this.#searched;
    for (;;) {
      const end = endOfRequest(bytes, start, from);
      if (end.blank < 0) {
        from = end.searched;
        break;
      }
      if (end.next - start > maxRequestBytes)
        throw new ProtocolError('request too long', bytes.toString('utf8', start, start + 100));
      requests.push(parseRequest(bytes.toString('utf8', start, end.blank)));
      start = end.next;
      from = start;
    }
    this.#pending = bytes.subarray(start);
    this.#searched = from - start;
    const lastLine = this.#pending.length - this.#pending.lastIndexOf(lineFeed) - 1;
    if (lastLine > maxLineBytes)
      throw new ProtocolError(
        'line too long',
        this.#pending.toString('utf8', this.#pending.length - lastLine).slice(0, 100),
      );
    if (this.#pending.length > maxRequestBytes)
      throw new ProtocolError('request too long', this.#pending.toString('utf8', 0, 100));
  }
}

/** Where the blank line of the request at `start` begins (-1: not there yet) and where the next request does. */
function endOfRequest(
  bytes: Buffer,
  start: number,
  from: number,
): { blank: number; next: number; searched: number } {
  // A call for each line would cost more than going byte by byte.
  for (let at = from; at < bytes.length; at += 1) {
    if (bytes[at] !== lineFeed) continue;
    const isWithReturn = at > start && bytes[at - 1] === carriageReturn;
    const blank = isWithReturn ? at - 1 : at;
    if (blank === start || bytes[blank - 1] === lineFeed) return { blank, next: at + 1, searched: at + 1 };
  }
  return { blank: -1, next: -1, searched: bytes.length };
}
