import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmod } from 'node:fs/promises';
import { test } from 'node:test';
import { parseNetwork } from '#src/greylist/address.js';
import { createAdmission, listen, systemdSockets } from '#src/server/listen.js';
import { needsRoot } from '../../support/programs.js';
import { temporaryFolder } from '../../support/temporary.js';

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

test('a dead socket that may not be removed is told, with what to type', needsRoot(), async (t) => {
  const folder = await temporaryFolder(t);
  await chmod(folder, 0o1777);
  const path = `${folder}/s`;
  const program = `require('node:net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`;
  spawnSync(process.execPath, ['-e', program, path]);
  await chmod(path, 0o777);
  process.seteuid?.('nobody');
  try {
    await assert.rejects(
      listen({ type: 'unix', path, mode: 0o600 }, 5, () => undefined),
      {
        message: `cannot listen on unix:${path}: a dead socket is in the way and cannot be removed: operation not permitted`,
        hint: `ls -l ${path} shows whose it is; name another path with --unix`,
      },
    );
  } finally {
    process.seteuid?.(0);
  }
});
