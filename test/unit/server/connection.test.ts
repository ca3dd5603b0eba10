import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test, type TestContext } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { serveConnection } from '#src/server/connection.js';
import { encode, request } from '../../support/policy-client.js';

/** A client and what its connection was closed for, while timers are in the test's hand. */
async function served(t: TestContext, answer = () => Promise.resolve('DUNNO')) {
  const broken: string[] = [];
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    serveConnection(socket, {
      answer,
      onBroken: (why) => broken.push(why),
      closeAfterAnswer: false,
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  const socket = net.connect(address.port, '127.0.0.1').on('error', () => undefined);
  t.after(() => {
    socket.destroy();
    server.close();
  });
  await once(socket, 'connect');
  const ask = async () => {
    socket.write(encode(request()));
    assert.equal(String((await once(socket, 'data'))[0]), 'action=DUNNO\n\n');
  };
  return { socket, broken, ask };
}

test('a client that is silent between requests is left in peace far beyond Postfix’s 1000 s', async (t) => {
  const { broken, ask } = await served(t);
  await ask();
  t.mock.timers.enable({ apis: ['setTimeout'] });
  t.mock.timers.tick(86_400_000);
  await ask();
  t.mock.timers.tick(86_400_000);
  await ask();
  assert.deepEqual(broken, []);
});

test('a request that is begun must be complete 100 s later', async (t) => {
  const { socket, broken, ask } = await served(t);
  t.mock.timers.enable({ apis: ['setTimeout'] });
  await ask();
  // The answer to a whole request shows that the beginning of the next was read.
  socket.write(`${encode(request())}sender=`);
  await once(socket, 'data');
  await setImmediate();
  t.mock.timers.tick(99_000);
  assert.deepEqual(broken, []);
  t.mock.timers.tick(2000);
  assert.deepEqual(broken, ['request not completed in time']);
  await once(socket, 'close');
});

test('of a thousand requests that come at once few are under way, and all are answered', async (t) => {
  let underWay = 0;
  let most = 0;
  const { socket, broken } = await served(t, async () => {
    underWay += 1;
    most = Math.max(most, underWay);
    await setImmediate();
    underWay -= 1;
    return 'DUNNO';
  });
  const small = 'request=smtpd_access_policy\nrecipient=a\n\n';
  socket.end(small.repeat(1000));
  const all = 'action=DUNNO\n\n'.repeat(1000);
  let received = '';
  socket.setEncoding('latin1').on('data', (text: string) => (received += text));
  await once(socket, 'end');
  assert.equal(received, all);
  assert.ok(most < 100, `${most} under way`);
  assert.deepEqual(broken, []);
});
