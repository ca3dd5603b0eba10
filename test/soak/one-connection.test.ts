/** SOAK_REQUESTS=n. */
import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';
import { socketAddress } from '../support/conversation.js';
import { eventually } from '../support/deadline.js';
import { residentBytes } from '../support/fuzz.js';
import { encode, request } from '../support/policy-client.js';
import { testServer } from '../support/server.js';

const count = Number(process.env['SOAK_REQUESTS'] ?? 1_000_000);
const question = encode(request());
const atOnce = 100;
const minutes = 10;

test(`${count} requests on one connection are answered, all of them, in bounded memory`, async (t) => {
  const server = await testServer(t, ['--quiet', '--delay=1h']);
  const pid = server.process.pid ?? 0;
  const socket = net.connect(socketAddress(server.endpoint));
  t.after(() => socket.destroy());
  const counts = { sent: 0, deferred: 0, bytes: 0, before: 0 };
  const send = (): void => {
    while (counts.sent < count) {
      const some = Math.min(atOnce, count - counts.sent);
      counts.sent += some;
      if (!socket.write(question.repeat(some))) return;
    }
  };
  let rest = '';
  socket.setEncoding('latin1').on('data', (text: string) => {
    const replies = (rest + text).split('\n\n');
    rest = replies.pop() ?? '';
    for (const reply of replies) {
      assert.match(reply, /^action=DEFER_IF_PERMIT 4\.2\.0 Greylisted for \d+ seconds$/);
      counts.deferred += 1;
    }
    if (counts.before === 0 && counts.deferred > count / 5) counts.before = residentBytes(pid);
  });
  socket.on('drain', send);
  send();
  await eventually(() => (counts.deferred >= count ? true : undefined), 'all answers', minutes * 60_000);
  assert.deepEqual([counts.deferred, rest], [count, '']);
  const grown = residentBytes(pid) - counts.before;
  assert.ok(grown < 64 * 1024 * 1024, `${grown} bytes more`);
  t.diagnostic(`${count} requests, 0 lost, grown by ${Math.round(grown / 1048576)} MiB`);
});
