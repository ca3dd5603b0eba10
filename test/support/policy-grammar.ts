/** Policy requests as Postfix might send them, at random. */
import { encode, request } from './policy-client.js';
import type { random } from './random.js';

const senders = [
  '',
  'alice@example.com',
  'a+tag@example.com',
  'srs0=x=y=example.net=b@example.com',
  'MAILER-DAEMON',
  '"a b"@x',
  'jürgen@exämple.de',
  'prvs=1234567890=a@b',
  `${'l'.repeat(64)}@${'d'.repeat(180)}.example`,
] as const;
const addresses = [
  '192.0.2.5',
  '2001:db8::1',
  '::1',
  '::ffff:192.0.2.1',
  'fe80::1%eth0',
  '10.0.0.1',
  '255.255.255.255',
  '1.2.3.4',
] as const;
const names = ['unknown', 'mail.example.com', 'x', 'a.b.c.d.e.f.example.org', '1.2.3.4.dyn.example'] as const;

/** The text of a good request; every one is answered with DUNNO or a deferral. */
export function goodRequest({ pick, oneOf }: ReturnType<typeof random>): string {
  const maybe = (value: string) => (pick(3) === 0 ? value : undefined);
  return encode(
    request({
      client_address: oneOf(addresses),
      client_name: oneOf(names),
      sender: pick(2) === 0 ? oneOf(senders) : `u${pick(5000)}@d${pick(50)}.example`,
      recipient: oneOf([
        'bob@example.org',
        'bob+x@example.org',
        'BOB@EXAMPLE.ORG',
        '',
        `u${pick(100)}@example.org`,
      ]),
      instance: pick(4) === 0 ? undefined : `i${pick(10_000)}`,
      sasl_username: pick(20) === 0 ? 'alice' : '',
      policy_test_time: maybe('1'),
      etrn_domain: pick(2) === 0 ? '' : undefined,
      ...(pick(10) === 0 && { [`x${pick(9)}`]: 'y'.repeat(pick(3000)) }),
    }),
  );
}
