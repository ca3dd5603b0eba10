/** Is this SMTP reply greylisting? Its text is the administrator's, so that only known wordings can be told. */

/** Anything that can test a text: a RegExp, or one of a safer engine. */
export interface TextPattern {
  readonly test: (text: string) => boolean;
}

/** Wordings of postgrey, sqlgrey, milter-greylist, policyd, gld and rspamd, in reply texts seen in public logs. */
const wording = /gr[ea]y[-_ ]?list|postgrey/i;

/** rspamd's greylist module and rmilter say nothing else; Postfix's own `Service unavailable - try again later` is no greylisting. */
const milterWording = /^try again later\.?$/i;

/** Enhanced codes of temporary refusals that are something else, whatever addresses their texts quote. */
const otherCodes = new Set([
  '4.1.1', // reject_unverified_recipient
  '4.1.7', // reject_unverified_sender
  '4.1.8', // reject_unknown_sender_domain
  '4.3.1', // out of space
  '4.3.2', // postscreen's tests, all ports busy
  '4.3.5', // the policy server did not answer: Server configuration problem
  '4.7.25', // reject_unknown_client_hostname (RFC 7372)
]);

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

/** Index behind a reply code, or an enhanced one, at `at`; `at` where there is none. */
function codeEnd(reply: string, at: number): number {
  let end = at;
  let code = reply.charCodeAt(end);
  while (isDigit(code) || (code === 46 && end > at)) {
    end += 1;
    code = reply.charCodeAt(end);
  }
  return end < reply.length && code !== 32 ? at : end;
}

/** `450 4.2.0`, `4.7.1`, `450` …: the codes that a reply begins with; empty when it has none. */
export function replyCodes(reply: string): string {
  const basic = codeEnd(reply, 0);
  const isBasic = basic === 3 && isDigit(reply.charCodeAt(1));
  const enhanced = isBasic ? codeEnd(reply, 4) : basic;
  const isEnhanced = enhanced > (isBasic ? 8 : 4) && reply.charCodeAt(isBasic ? 5 : 1) === 46;
  if (isEnhanced) return reply.slice(0, enhanced);
  return isBasic ? reply.slice(0, 3) : '';
}

/** The reply's reason, without what quotes the client: `<address>: Recipient address rejected: `. */
function reasonOf(reply: string, codes: string): string {
  const rejected = reply.lastIndexOf(' rejected: ');
  if (rejected >= 0) return reply.slice(rejected + 11);
  const text = reply.slice(codes.length).trimStart();
  return text.startsWith('<') ? text.slice(text.lastIndexOf('>: ') + 1) : text;
}

/** True when `reply` (codes and text, without the envelope) defers a client by greylisting. `extra` sees the whole reply. */
export function isGreylisting(reply: string, byMilter: boolean, extra?: TextPattern): boolean {
  if (!reply.startsWith('4')) return false;
  if (extra?.test(reply)) return true;
  const codes = replyCodes(reply);
  if (codes === '' || otherCodes.has(codes.slice(codes.indexOf(' ') + 1))) return false;
  const reason = reasonOf(reply, codes);
  if (byMilter && milterWording.test(reason)) return true;
  return wording.test(reason) && !reason.includes('blocked using');
}
