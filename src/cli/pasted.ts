/** An attempt out of a line of mail.log that somebody pasted: a policy server's `action=` line, or a refusal of smtpd. */
import { parseAddress } from '../greylist/address.js';
import { Failure } from '../greylist/failure.js';
import { readable } from '../maillog/fields.js';
import { readEvent } from '../maillog/grammar.js';
import { readHeader, type Header } from '../maillog/header.js';
import { createStampReader } from '../maillog/timestamps.js';
import type { AttemptTexts } from './attempt.js';

/** Of lines that were cut at both ends by the selection, the text is what is left. */
const bare: Header = { program: 'postfix', processStart: 0, processEnd: 0, text: 0 };

function headers(line: string, now: number): Header[] {
  const at = createStampReader({ writtenAt: now }).read(line, 0);
  const header = readHeader(line, Math.max(0, at));
  return header ? [header, bare] : [bare];
}

/** Reads a pasted line; a Failure where it tells of no attempt. */
export function readPasted(text: string, now: number): AttemptTexts {
  // The grammar reads bytes, one a character.
  const line = Buffer.from(text.trim(), 'utf8').toString('latin1');
  for (const header of headers(line, now)) {
    const event = readEvent(line, header);
    if (event?.type !== 'policy' && event?.type !== 'refusal') continue;
    const { sender, recipient } = event;
    if (sender === undefined || recipient === undefined || !parseAddress(event.clientAddress)) continue;
    return {
      client: event.clientAddress,
      clientName: readable(event.clientName) || 'unknown',
      sender: readable(sender),
      recipient: readable(recipient),
    };
  }
  throw new Failure(
    '--log: the line names no client with sender and recipient: it must be an action= line of a policy server, or a reject line of smtpd with from=<…> to=<…>',
    { kind: 'usage' },
  );
}
