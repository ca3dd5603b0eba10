/**
 * The key an attempt is remembered by. Its text is postgrey's (1.37): `192.0.2.0`, `2001:db8:1:2:0:0:0:0`,
 * with the whole address `192.0.2.5/32`; sender and recipient in lower case.
 */
import { addressText, ipv6Groups, networkAddress, type Address } from './address.js';
import type { Attempt } from './attempt.js';
import type { KeySettings } from './settings.js';

export interface Triplet {
  readonly client: string;
  readonly sender: string;
  readonly recipient: string;
}

/** Drops trailing empty fields, as Perl's split does and postgrey's count of `prvs` parts relies on. */
function splitLikePerl(text: string, separator: string): string[] {
  const parts = text.split(separator);
  while (parts.length > 0 && parts.at(-1) === '') parts.pop();
  return parts;
}

/**
 * BATV (draft-levine-smtp-batv): `prvs=tag-val=loc-core`, sometimes seen as `prvs=loc-core=tag-val`. The part
 * that does not begin like a ten-character tag is the address; when that does not tell, the last one is.
 */
function withoutBatvTag(localPart: string): string {
  if (!localPart.startsWith('prvs=')) return localPart;
  const [, first = '', second = '', ...more] = splitLikePerl(localPart, '=');
  if (second === '' || more.length > 0) return localPart;
  const tag = /^[0-9a-z]{10}/;
  return tag.test(second) && !tag.test(first) ? first : second;
}

/**
 * A sender with what changes from mail to mail taken out, as postgrey does it: BATV tags, `+extension`, and numbers
 * that stand alone in the local part (VERP) become `#`. A sender without `@` is left as it is.
 */
export function foldSender(sender: string): string {
  const at = sender.indexOf('@');
  const whole = at < 0 ? '' : sender.slice(0, at);
  if (!/^prvs=|[+\d]/.test(whole)) return sender.toLowerCase();
  const localPart = withoutBatvTag(whole)
    .replace(/\+.*/s, '')
    .replace(/\b\d+\b/g, '#');
  return (localPart + sender.slice(at)).toLowerCase();
}

/**
 * True when `name` carries the address it belongs to, as providers name dial-up and cloud lines: the last two octets
 * as separate numbers, or the whole address in hexadecimal or zero-padded decimal; for IPv6 at least four
 * of its groups that are not zero, or all 32 digits.
 */
export function looksDynamic(name: string, address: Address): boolean {
  const text = name.toLowerCase();
  const hex = address.bytes.map((byte) => byte.toString(16).padStart(2, '0'));
  if (text.includes(hex.join('')) || text.includes(hex.toReversed().join(''))) return true;
  if (address.family === 6) {
    const groups = ipv6Groups(address).filter((group) => group !== '0');
    const words = new Set(text.split(/[-.]/).map((word) => word.replace(/^0+(?=.)/, '')));
    return (
      groups.length >= 3 && groups.filter((group) => words.has(group)).length >= Math.min(4, groups.length)
    );
  }
  if (text.includes(address.bytes.map((byte) => String(byte).padStart(3, '0')).join(''))) return true;
  const numbers = (text.match(/\d+/g) ?? []).map(Number);
  return address.bytes.slice(2).every((octet) => {
    const found = numbers.indexOf(octet);
    if (found >= 0) numbers.splice(found, 1);
    return found >= 0;
  });
}

/** What stands for a client without a verified domain: its network, or its whole address. */
export function networkKey(client: Address, settings: KeySettings): string {
  if (settings.clientKey === 'host') return `${addressText(client)}/${client.bytes.length * 8}`;
  return addressText(networkAddress(client, client.family === 4 ? settings.ipv4Prefix : settings.ipv6Prefix));
}

/** What stands for the client in a triplet: its network, its whole address, or its verified domain. */
export function clientKey(attempt: Attempt, settings: KeySettings): string {
  const { client } = attempt;
  if (settings.clientKey === 'domain' && attempt.clientDomain && !looksDynamic(attempt.clientName, client)) {
    return attempt.clientDomain.toLowerCase();
  }
  return networkKey(client, settings);
}

/** The triplet of an attempt under these settings. */
export function tripletOf(attempt: Attempt, settings: KeySettings): Triplet {
  return {
    client: clientKey(attempt, settings),
    sender: foldSender(attempt.sender),
    recipient: attempt.recipient.toLowerCase(),
  };
}

const separator = '\0';

/** The triplet as one text, for maps; `tripletOfText` takes it apart again. */
export function tripletText({ client, sender, recipient }: Triplet): string {
  // Joined, not added: a sum would stay in memory beside its parts.
  return [client, sender, recipient].join(separator);
}

/** The triplet that `tripletText` made a text of. */
export function tripletOfText(text: string): Triplet {
  const [client = '', sender = '', recipient = ''] = text.split(separator);
  return { client, sender, recipient };
}
