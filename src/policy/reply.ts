import type { Decision } from '../greylist/decide.js';
import { printable } from '../greylist/printable.js';
import type { PolicyRequest } from './parser.js';

/** What the operator says to clients and writes into mail. */
export interface ReplyTexts {
  /** Put in front of the text: DEFER_IF_PERMIT, DEFER, or a code such as 451. */
  readonly greylistAction: string;
  /** `%s` seconds left, `%r` the recipient's domain. */
  readonly greylistText: string;
  /** `%t` seconds waited, `%v` version, `%h` host name, `%d` date. */
  readonly header: string;
  readonly hostname: string;
  readonly version: string;
}

function fill(template: string, values: Readonly<Record<string, string>>): string {
  return printable(template.replace(/%[a-z]/g, (variable) => values[variable] ?? variable));
}

const weekdays = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** A date as mail headers write it (RFC 5322, section 3.3), in local time. */
export function mailDate(epochSeconds: number): string {
  const date = new Date(epochSeconds * 1000);
  const two = (value: number) => String(value).padStart(2, '0');
  const offset = -date.getTimezoneOffset();
  const zone = `${offset < 0 ? '-' : '+'}${two(Math.floor(Math.abs(offset) / 60))}${two(Math.abs(offset) % 60)}`;
  const day = `${weekdays[date.getDay()] ?? ''}, ${two(date.getDate())} ${months[date.getMonth()] ?? ''} ${date.getFullYear()}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())} ${zone}`;
}

/**
 * The action for access(5) that answers a request. `now` is epoch seconds. The header is given with a triplet's first pass, and only
 * for the first recipient of a message (`isNewMessage`).
 * Postfix ≥ 2.3, which always sends etrn_domain, takes a DSN: 4.2.0 instead of 4.7.1, because Exchange gives up on the latter.
 */
export function replyAction(
  decision: Decision,
  request: PolicyRequest,
  texts: ReplyTexts,
  now: number,
  isNewMessage: boolean,
): string {
  if (decision.verdict === 'pass') {
    if (decision.delaySeconds === undefined || !isNewMessage) return 'DUNNO';
    const values = {
      '%t': String(decision.delaySeconds),
      '%v': texts.version,
      '%h': texts.hostname,
      '%d': mailDate(now),
    };
    return `PREPEND ${fill(texts.header, values)}`;
  }
  const recipient = request.recipient ?? '';
  const text = fill(texts.greylistText, {
    '%s': String(decision.waitSeconds),
    '%r': recipient.slice(recipient.lastIndexOf('@') + 1),
  });
  const dsn = request.etrn_domain !== undefined && !/^\d/.test(text) ? '4.2.0 ' : '';
  return `${texts.greylistAction} ${dsn}${text}`;
}
