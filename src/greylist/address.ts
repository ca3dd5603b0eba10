/**
 * IP addresses and networks as numbers.
 *
 * Grammar: dotted-quad IPv4 without leading signs or blanks; IPv6 as in RFC 4291 section 2.2, with `::` and an
 * embedded IPv4 tail. Zone ids (`%eth0`) are refused. An IPv4-mapped IPv6 address (::ffff:a.b.c.d) is the IPv4
 * address it carries, because that is the client Postfix talked to.
 */

/** An IP address: 4 or 16 bytes in network order. */
export interface Address {
  readonly family: 4 | 6;
  readonly bytes: readonly number[];
}

/** All addresses that share the first `prefixLength` bits (0–32 or 0–128) with `address`. */
export interface Network {
  readonly address: Address;
  readonly prefixLength: number;
}

// Without leading zeros, which some programs read as octal.
const decimal = /^(?:0|[1-9]\d{0,2})$/;
const hexadecimal = /^[0-9a-f]{1,4}$/i;

function parseIPv4(text: string): number[] | undefined {
  const bytes: number[] = [];
  let byte = 0;
  let digits = 0;
  for (let index = 0; index <= text.length; index += 1) {
    const code = index < text.length ? text.charCodeAt(index) : 46;
    if (code === 46) {
      if (digits === 0 || byte > 255) return undefined;
      bytes.push(byte);
      byte = 0;
      digits = 0;
    } else {
      digits += 1;
      // A leading zero might mean octal: node and inet_pton refuse it.
      if (code < 48 || code > 57 || digits > 3 || (digits > 1 && byte === 0)) return undefined;
      byte = byte * 10 + code - 48;
    }
  }
  return bytes.length === 4 ? bytes : undefined;
}

function parseGroups(text: string): number[] | undefined {
  if (text === '') return [];
  const bytes: number[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    if (part.includes('.')) {
      const tail = index === parts.length - 1 ? parseIPv4(part) : undefined;
      if (!tail) return undefined;
      bytes.push(...tail);
    } else {
      if (!hexadecimal.test(part)) return undefined;
      const group = Number.parseInt(part, 16);
      bytes.push(group >> 8, group & 255);
    }
  }
  return bytes;
}

function parseIPv6(text: string): number[] | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0] ?? '');
  if (!head || (halves.length === 2 && halves[0]?.includes('.'))) return undefined;
  if (halves.length === 1) return head.length === 16 ? head : undefined;
  const tail = parseGroups(halves[1] ?? '');
  if (!tail || head.length + tail.length > 14) return undefined;
  return [...head, ...new Array<number>(16 - head.length - tail.length).fill(0), ...tail];
}

/** The address written in `text`, or undefined when it is none. */
export function parseAddress(text: string): Address | undefined {
  if (!text.includes(':')) {
    const bytes = parseIPv4(text);
    return bytes && { family: 4, bytes };
  }
  const bytes = parseIPv6(text);
  if (!bytes) return undefined;
  const mapped = bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 255 && bytes[11] === 255;
  return mapped ? { family: 4, bytes: bytes.slice(12) } : { family: 6, bytes };
}

/** `ADDRESS` or `ADDRESS/LENGTH`; bits beyond the length are cleared. Undefined when it is neither. */
export function parseNetwork(text: string): Network | undefined {
  const slash = text.indexOf('/');
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash));
  if (!address) return undefined;
  const width = address.bytes.length * 8;
  if (slash < 0) return { address, prefixLength: width };
  const length = text.slice(slash + 1);
  if (!decimal.test(length)) return undefined;
  // A mapped network is written with an IPv6 length: ::ffff:192.0.2.0/120 is 192.0.2.0/24.
  const prefixLength =
    address.family === 4 && text.slice(0, slash).includes(':') ? Number(length) - 96 : Number(length);
  if (prefixLength < 0 || prefixLength > width) return undefined;
  return { address: networkAddress(address, prefixLength), prefixLength };
}

/** The first address of the network of `prefixLength` bits that `address` lies in. */
export function networkAddress(address: Address, prefixLength: number): Address {
  const bytes = address.bytes.map((byte, index) => {
    const kept = Math.min(8, Math.max(0, prefixLength - index * 8));
    return byte & (0xff << (8 - kept)) & 0xff;
  });
  return { family: address.family, bytes };
}

/** True when `address` lies in `network`; families never mix. */
export function contains(network: Network, address: Address): boolean {
  if (network.address.family !== address.family) return false;
  const masked = networkAddress(address, network.prefixLength);
  return masked.bytes.every((byte, index) => byte === network.address.bytes[index]);
}

/** True for an address that only this host reaches: 127.0.0.0/8 and ::1. */
export function isLoopback({ family, bytes }: Address): boolean {
  if (family === 4) return bytes[0] === 127;
  return bytes.every((byte, index) => byte === (index === 15 ? 1 : 0));
}

/** The eight 16-bit groups of an IPv6 address, in lower-case hexadecimal without leading zeros. */
export function ipv6Groups(address: Address): string[] {
  const { bytes } = address;
  const groups: string[] = [];
  for (let index = 0; index < bytes.length; index += 2)
    groups.push((((bytes[index] ?? 0) << 8) | (bytes[index + 1] ?? 0)).toString(16));
  return groups;
}

/** The text postgrey's keys use: IPv4 dotted, IPv6 as eight groups without `::`, lower case. */
export function addressText(address: Address): string {
  const { family, bytes } = address;
  // Added, not joined: short sums cost least.
  if (family === 4) return `${bytes[0] ?? 0}.${bytes[1] ?? 0}.${bytes[2] ?? 0}.${bytes[3] ?? 0}`;
  return ipv6Groups(address).join(':');
}
