/**
 * The pieces that Postfix's lines are made of. Lines are binary strings; what is taken from them is a piece of a
 * large block of the log, and must go through `readable` before it is kept.
 *
 *     client    NAME[ADDRESS] or NAME[ADDRESS]:PORT (smtpd_client_port_logging)
 *     address   <local@domain> or <"quoted local"@domain> (info_log_address_format = external, Postfix ≥ 3.5);
 *               unquoted before, whatever it holds
 *     envelope  ; from=<S> to=<R> proto=P helo=<H> sasl_…     the items that are known, at the end of a line;
 *               separated by `, ` in postscreen
 */

const quote = 34;
const backslash = 92;
const blank = 32;

export interface Client {
  readonly name: string;
  readonly address: string;
  /** Index behind the client. */
  readonly end: number;
}

/** The client at `at`, or undefined. */
export function readClient(line: string, at: number): Client | undefined {
  const open = line.indexOf('[', at);
  const close = open < 0 ? -1 : line.indexOf(']', open);
  if (close < 0) return undefined;
  const name = line.slice(at, open);
  if (name.includes(' ')) return undefined;
  let end = close + 1;
  if (line.charCodeAt(end) === 58 && isDigit(line.charCodeAt(end + 1))) {
    end += 2;
    while (isDigit(line.charCodeAt(end))) end += 1;
  }
  return { name, address: line.slice(open + 1, close), end };
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

/** Index of the `>` that ends the address whose `<` is at `at`; −1 when there is none. A quoted local part may hold `>`. */
export function addressEnd(line: string, at: number): number {
  if (line.charCodeAt(at + 1) === quote) {
    for (let index = at + 2; index < line.length; index += 1) {
      const code = line.charCodeAt(index);
      if (code === backslash) index += 1;
      else if (code === quote) return line.indexOf('>', index);
    }
  }
  return line.indexOf('>', at + 1);
}

/** An address without the quotes of its local part: the form in which policy servers are given it. */
export function internalForm(address: string): string {
  if (address.charCodeAt(0) !== quote) return address;
  let local = '';
  for (let index = 1; index < address.length; index += 1) {
    const code = address.charCodeAt(index);
    if (code === quote) return local + address.slice(index + 1);
    if (code === backslash) index += 1;
    local += address.charAt(index);
  }
  return address;
}

const beyondAscii = /[^\0-\x7f]/;

/** A piece of a line as text that can be kept: UTF-8 where it is valid, U+FFFD where it is not; without its block. */
export function readable(piece: string): string {
  return beyondAscii.test(piece) ? Buffer.from(piece, 'latin1').toString('utf8') : detached(piece);
}

/** `readable` for three pieces at once, at the price of one. */
export function readableTriple(first: string, second: string, third: string): [string, string, string] {
  // The three remain parts of one small string.
  const whole = `${first}${second}${third}`;
  if (beyondAscii.test(whole)) return [readable(first), readable(second), readable(third)];
  const afterSecond = first.length + second.length;
  return [whole.slice(0, first.length), whole.slice(first.length, afterSecond), whole.slice(afterSecond)];
}

/** The same string, but not part of the block it was cut from, which it would keep in memory. */
export function detached(piece: string): string {
  // V8 copies what is shorter than 13 characters; adding a character makes a new string of the others.
  return piece.length < 13 ? piece : ` ${piece}`.slice(1);
}

/** What the end of a line says of the SMTP transaction. */
export interface Envelope {
  /** Index behind the text that precedes the envelope. */
  readonly textEnd: number;
  readonly sender?: string | undefined;
  readonly recipient?: string | undefined;
  readonly authenticated: boolean;
}

interface Item {
  readonly value: string;
  readonly end: number;
}

function bracketed(line: string, at: number, key: string): Item | undefined {
  if (!line.startsWith(key, at)) return undefined;
  const open = at + key.length;
  const close = addressEnd(line, open);
  return close < 0 ? undefined : { value: line.slice(open + 1, close), end: close + 1 };
}

/** Index of the next item behind the one that ended at `at`. */
function nextItem(line: string, at: number): number {
  if (line.charCodeAt(at) === 44) return at + 2;
  return line.charCodeAt(at) === blank ? at + 1 : at;
}

/** The envelope if one begins with `; ` at `at` and reaches to the end of the line. */
function envelopeAt(line: string, at: number): Envelope | undefined {
  let next = at + 2;
  const from = bracketed(line, next, 'from=');
  if (from) next = nextItem(line, from.end);
  const to = bracketed(line, next, 'to=');
  if (to) next = nextItem(line, to.end);
  if (line.startsWith('proto=', next)) {
    const end = line.indexOf(' ', next);
    next = end < 0 ? line.length : end + 1;
  }
  if (line.startsWith('helo=<', next)) {
    const close = line.indexOf('>', next);
    if (close < 0) return undefined;
    next = nextItem(line, close + 1);
  }
  const authenticated = line.startsWith('sasl_', next);
  if (next !== line.length && !authenticated) return undefined;
  return {
    textEnd: at,
    sender: from && internalForm(from.value),
    recipient: to && internalForm(to.value),
    authenticated,
  };
}

/** Postfix < 3.5 does not quote: a sender may then look like ` to=<…>`, so that only the last one is to be believed. */
function envelopeFromRight(line: string, text: number): Envelope | undefined {
  const proto = line.lastIndexOf(' proto=');
  const to = line.lastIndexOf(' to=<', proto - 1);
  const from = line.lastIndexOf('; from=<', to - 1);
  if (from < text || to < from) return undefined;
  return {
    textEnd: from,
    sender: line.slice(from + 8, to - 1),
    recipient: line.slice(to + 5, line.charCodeAt(proto - 1) === 62 ? proto - 1 : proto - 2),
    authenticated: line.includes(' sasl_username=', proto),
  };
}

/**
 * The envelope at the end of a line whose text begins at `text`. The text, and the addresses in it, may hold what looks
 * like an envelope: the first that reads without a rest to the end of the line is the one.
 */
export function readEnvelope(line: string, text: number): Envelope | undefined {
  for (let at = line.indexOf('; ', text); at >= 0; at = line.indexOf('; ', at + 1)) {
    if (!line.startsWith('from=<', at + 2)) continue;
    const envelope = envelopeAt(line, at);
    if (envelope) return envelope;
  }
  return envelopeFromRight(line, text);
}

/** Of letters a queue id has upper-case ones, and no lower-case vowels (Postfix's mail_queue.h): `warning` is none. */
function isQueueIdByte(code: number): boolean {
  if (code < 97) return isDigit(code) || (code >= 65 && code <= 90);
  return code <= 122 && code !== 97 && code !== 101 && code !== 105 && code !== 111 && code !== 117;
}

/** True when `line` from `start` to `end` is a queue id, short or long, or NOQUEUE. */
export function isQueueId(line: string, start: number, end: number): boolean {
  if (end - start < 5 || end - start > 40) return false;
  for (let index = start; index < end; index += 1) if (!isQueueIdByte(line.charCodeAt(index))) return false;
  return true;
}
