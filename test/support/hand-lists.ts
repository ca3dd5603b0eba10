/**
 * The whitelist of the comparisons with postgrey, and what each entry means, written down by hand: an oracle that shares
 * nothing with the project's own matcher.
 */
import type { Lists } from './postgrey.js';

/** The lines of the files both greylisters read. */
export const lists = {
  clients: [
    'listed.example # a name and what is below it',
    String.raw`/^mta\d+\.pool\.example$/`,
    '203.0.113.7',
    '203.0.113.128/25',
    '192.88.99',
    '2001:db8:feed::/48',
  ],
  recipients: ['postmaster@', 'sales@example.org', 'open.example', String.raw`/^test\d*@/`],
} as const satisfies Lists;

/** Client entries that greyctl reads in another way than postgrey, on purpose. */
export const differingClients = ['100.64', String.raw`/^192\.0\.2\.99$/`] as const;

interface Named {
  readonly clientAddress: string;
  readonly clientName: string;
  readonly recipient: string;
}

/** True when the client is listed, in both readings. */
export function isClientListed({ clientName, clientAddress }: Named): boolean {
  return (
    /(^|\.)listed\.example$/i.test(clientName) ||
    /^mta\d+\.pool\.example$/i.test(clientName) ||
    clientAddress === '203.0.113.7' ||
    /^203\.0\.113\.(12[89]|1[3-9]\d|2\d\d)$/.test(clientAddress) ||
    clientAddress.startsWith('192.88.99.') ||
    clientAddress.toLowerCase().startsWith('2001:db8:feed:')
  );
}

/** True when the recipient is listed. */
export function isRecipientListed({ recipient }: Named): boolean {
  return (
    /^postmaster(\+[^@]+)?@/i.test(recipient) ||
    /^sales(\+[^@]+)?@example\.org$/i.test(recipient) ||
    /[@.]open\.example$/i.test(recipient) ||
    /^test\d*@/i.test(recipient)
  );
}

/** `100.64` is a /16 in postgrey's manual and in greyctl; postgrey's code makes it 100.64.0.0/24. */
export function isInTwoOctets({ clientAddress }: Named, reading: 'greyctl' | 'postgrey'): boolean {
  return clientAddress.startsWith(reading === 'greyctl' ? '100.64.' : '100.64.0.');
}

/** greyctl tries an expression on the address too, postgrey only on the name. */
export function isMatchedByAddress(
  { clientName, clientAddress }: Named,
  reading: 'greyctl' | 'postgrey',
): boolean {
  return /^192\.0\.2\.99$/.test(clientName) || (reading === 'greyctl' && clientAddress === '192.0.2.99');
}
