import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseNetwork } from '#src/greylist/address.js';
import { createAdmission, systemdSockets } from '#src/server/listen.js';

test('loopback and the networks of --allow may connect, others may not', () => {
  const admits = createAdmission(
    ['192.0.2.0/24', '2001:db8::/32'].map((text) => parseNetwork(text) ?? assert.fail()),
  );
  for (const address of [
    '127.0.0.1',
    '127.9.9.9',
    '::1',
    '::ffff:127.0.0.1',
    '192.0.2.9',
    '::ffff:192.0.2.9',
    '2001:db8::9',
    '2001:db8::9%eth0',
  ])
    assert.equal(admits(address), true, address);
  for (const address of [
    '192.0.3.9',
    '198.51.100.7',
    '2001:db9::1',
    'fe80::1%eth0',
    '::ffff:10.0.0.1',
    'nonsense',
  ])
    assert.equal(admits(address), false, address);
  assert.equal(admits(undefined), true, 'a unix socket has its mode');
});

test('sockets of systemd are taken only when they are for this process, and the variables go', () => {
  const environment = { LISTEN_PID: '42', LISTEN_FDS: '2', LISTEN_FDNAMES: 'a:b', HOME: '/' };
  assert.deepEqual(
    systemdSockets(environment, 42).map((place) => (place.type === 'systemd' ? place.fd : 0)),
    [3, 4],
  );
  assert.deepEqual(environment, { HOME: '/' });
  assert.deepEqual(systemdSockets({ LISTEN_PID: '41', LISTEN_FDS: '2' }, 42), []);
  assert.deepEqual(systemdSockets({ LISTEN_PID: '42', LISTEN_FDS: 'x' }, 42), []);
});
