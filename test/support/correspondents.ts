/**
 * Who writes to whom: clients, senders and recipients that vary from one attempt to the next the way real ones do
 * (pools, VERP, BATV, extensions, spelling), chosen by a seeded source.
 */
import type { random } from './random.js';

export type Dice = ReturnType<typeof random>;

export interface Client {
  readonly address: string;
  /** The verified name, or `unknown`. */
  readonly name: string;
}

/** Each call gives the value of the next attempt. */
export interface Correspondence {
  readonly client: () => Client;
  readonly sender: () => string;
  readonly recipient: () => string;
}

const letters = 'abcdefghijklmnopqrstuvwxyz';

function word(dice: Dice, length = 8): string {
  return Array.from({ length }, () => letters.charAt(dice.pick(26))).join('');
}

function mixedCase(dice: Dice, text: string): string {
  return text.replace(/[a-z]/g, (letter) => (dice.pick(2) === 0 ? letter.toUpperCase() : letter));
}

// 198.18.0.0/15 (RFC 2544) has room for enough clients that meet only by intent.
function network(dice: Dice): string {
  return `198.${18 + dice.pick(2)}.${dice.pick(256)}`;
}

function named(dice: Dice, address: string): Client {
  return { address, name: dice.pick(4) === 0 ? 'unknown' : `${word(dice, 5)}.example.net` };
}

/** One address for all attempts. */
export function singleHost(dice: Dice): () => Client {
  const client = named(dice, `${network(dice)}.${1 + dice.pick(254)}`);
  return () => client;
}

function pool(dice: Dice, networks: readonly [string, ...string[]]): () => Client {
  return () => named(dice, `${dice.oneOf(networks)}.${dice.pick(256)}`);
}

/** An IPv6 host, or a pool within its /64, each time in another spelling. */
function ipv6(dice: Dice, hosts: number): () => Client {
  const site = `2001:db8:${dice.pick(0x10000).toString(16)}:${dice.pick(0x10000).toString(16)}`;
  return () => {
    const host = (1 + dice.pick(hosts)).toString(16);
    const spellings = [
      `${site}::${host}`,
      `${site}:0:0:0:${host}`,
      `${site.toUpperCase()}::${host}`,
    ] as const;
    return named(dice, dice.oneOf(spellings));
  };
}

function ipv6Site(dice: Dice): () => Client {
  const site = `2001:db8:${dice.pick(0x10000).toString(16)}`;
  return () => named(dice, `${site}:${dice.pick(3)}::${1 + dice.pick(9)}`);
}

/** IPv4-mapped IPv6 addresses in several networks. */
export function mappedPool(dice: Dice): () => Client {
  return () => named(dice, `::ffff:${network(dice)}.${1 + dice.pick(254)}`);
}

/** Clients whose name or address is on the list of `hand-lists.ts`, or nearly. */
export function listedClient(dice: Dice): () => Client {
  const clients: [Client, ...Client[]] = [
    { name: 'listed.example', address: '198.51.100.1' },
    { name: 'OUT3.Listed.Example', address: '198.51.100.2' },
    { name: 'unlisted.example', address: '198.51.100.3' },
    { name: 'mta17.pool.example', address: '198.51.100.4' },
    { name: 'mtax.pool.example', address: '198.51.100.5' },
    { name: 'unknown', address: '203.0.113.7' },
    { name: 'unknown', address: '203.0.113.8' },
    { name: 'unknown', address: '203.0.113.255' },
    { name: 'unknown', address: '203.0.113.127' },
    { name: 'unknown', address: '192.88.99.200' },
    { name: 'unknown', address: '192.88.98.200' },
    { name: 'unknown', address: '2001:db8:feed:1::5' },
    { name: 'unknown', address: '2001:DB8:FEEE:1::5' },
  ];
  return () => dice.oneOf(clients);
}

/** Clients that only greyctl's reading of the lists knows: inside `100.64`, or matched by an expression on the address. */
export function clientListedOnlyByGreyctl(dice: Dice): () => Client {
  return () =>
    dice.oneOf([
      { name: 'unknown', address: `100.64.${1 + dice.pick(200)}.${dice.pick(256)}` },
      { name: 'unknown', address: '100.64.0.9' },
      { name: 'unknown', address: '192.0.2.99' },
    ]);
}

/** Any client that no list names. */
export function anyClient(dice: Dice): () => Client {
  switch (dice.pick(8)) {
    case 0:
      return pool(dice, [network(dice)]);
    case 1:
      return pool(dice, [network(dice), network(dice), network(dice)]);
    case 2:
      return ipv6(dice, 1);
    case 3:
      return ipv6(dice, 0xffff);
    case 4:
      return ipv6Site(dice);
    default:
      return singleHost(dice);
  }
}

function batv(dice: Dice, local: string, domain: string): () => string {
  const tag = () => `${dice.pick(10)}${String(dice.pick(1000)).padStart(3, '0')}${word(dice, 6)}`;
  switch (dice.pick(4)) {
    case 0:
      return () => `prvs=${local}=${tag()}@${domain}`;
    case 1:
      // Both parts begin like a tag.
      return () => `prvs=${tag()}=${local}longerthanten@${domain}`;
    case 2:
      return () => `prvs=${tag()}=${local}=x@${domain}`;
    default:
      return () => `prvs=${tag()}=${local}@${domain}`;
  }
}

/** Any sender: plain, mixed case, VERP, BATV, with extension, null, or of an odd form. */
export function anySender(dice: Dice): () => string {
  const local = word(dice);
  const domain = `${word(dice, 6)}.example`;
  const number = () => dice.pick(100_000);
  switch (dice.pick(14)) {
    case 0:
      return () => '';
    case 1:
      return () => mixedCase(dice, `${local}@${domain}`);
    case 2:
      return () => `bounce-${number()}-${number()}=${local}@${domain}`;
    case 3:
      return () => `${local}.${number()}.x-${number()}@${domain}`;
    case 4:
      // An underscore belongs to the word: such a number is not folded.
      return () => `b_${dice.pick(2)}_${local}@${domain}`;
    case 5:
      return () => `${local}${dice.pick(2)}@${domain}`;
    case 6:
      return () => `${local}+${word(dice, 3)}=${number()}@${domain}`;
    case 7:
      return batv(dice, local, domain);
    case 8:
      return () => `${number()}@${number()}.${domain}`;
    case 9:
      return () =>
        dice.oneOf([
          local,
          `"${local} 12"@${domain}`,
          `${local}@relay@${domain}`,
          `+@${domain}`,
          `@${domain}`,
        ]);
    default:
      return () => `${local}@${domain}`;
  }
}

/** Any recipient that no list names, sometimes in mixed case or with another extension each time. */
export function anyRecipient(dice: Dice): () => string {
  const local = word(dice);
  switch (dice.pick(8)) {
    case 0:
      return () => mixedCase(dice, `${local}@example.org`);
    case 1:
      return () => `${local}+${dice.pick(3)}@example.org`;
    default:
      return () => `${local}@example.org`;
  }
}

/** Recipients on the list of `hand-lists.ts`, or nearly. */
export function listedRecipient(dice: Dice): () => string {
  return () =>
    dice.oneOf([
      'postmaster@example.org',
      'PostMaster+x@sub.example.org',
      'notpostmaster@example.org',
      'sales@example.org',
      'sales+eu@example.org',
      'sales@example.com',
      'anyone@open.example',
      'anyone@sub.open.example',
      'anyone@notopen.example',
      'test12@example.org',
      'contest@example.org',
    ]);
}

/** A correspondence of no particular kind. */
export function anyone(dice: Dice): Correspondence {
  return { client: anyClient(dice), sender: anySender(dice), recipient: anyRecipient(dice) };
}
