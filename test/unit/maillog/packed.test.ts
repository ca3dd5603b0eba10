import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '#src/greylist/address.js';
import type { LoggedAttempt } from '#src/maillog/attempts.js';
import { pack, unpack } from '#src/maillog/packed.js';

function attempt(address: string, more: Partial<LoggedAttempt['attempt']>): LoggedAttempt['attempt'] {
  const client = parseAddress(address);
  assert.ok(client, address);
  return { time: 1_795_277_770.25, client, clientName: '', sender: '', recipient: '', ...more };
}

test('attempts come out of a package as they went in', () => {
  const batch: LoggedAttempt[] = [
    {
      attempt: attempt('192.0.2.255', { clientName: 'mx.example.com', sender: 'a@b', recipient: 'c@d' }),
      logged: 'accepted',
    },
    { attempt: attempt('2001:db8::ff:1', { recipient: 'jürgen🦆@example.org' }), logged: 'greylisted' },
    { attempt: attempt('0.0.0.0', { time: 0, sender: '"\0\n"@x' }), logged: 'greylisted' },
  ];
  assert.deepEqual(unpack(structuredClone(pack(batch))), batch);
  assert.deepEqual(unpack(pack([])), []);
});
