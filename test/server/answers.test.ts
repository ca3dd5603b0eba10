import assert from 'node:assert/strict';
import { readFile, stat } from 'node:fs/promises';
import { test } from 'node:test';
import { run } from '../support/greyctl.js';
import { encode, request } from '../support/policy-client.js';
import { testServer } from '../support/server.js';

const deferred = (seconds: number) => `DEFER_IF_PERMIT 4.2.0 Greylisted for ${seconds} seconds`;

test('a first attempt is deferred, a retry after the delay passes with a header, later mail without', async (t) => {
  const server = await testServer(t, ['--delay=1', '--hostname=mx.example.org']);
  const client = await server.client();
  assert.equal(await client.ask(request()), deferred(1));
  let action = await client.ask(request({ instance: 'retry' }));
  while (action !== 'DUNNO' && !action.startsWith('PREPEND'))
    action = await client.ask(request({ instance: 'retry' }));
  assert.match(
    action,
    /^PREPEND X-Greylist: delayed [1-9]\d* seconds by greyctl-\d+\.\d+\.\d+ at mx\.example\.org; \w{3}, \d{2} \w{3} \d{4} /,
  );
  assert.equal(await client.ask(request({ instance: 'later' })), 'DUNNO');
  await server.expectStderr(
    /^action=pass, reason=triplet found, delay=\d+, client_name=mail\.example\.com, client_address=192\.0\.2\.5, sender=alice@example\.com, recipient=bob@example\.org$/m,
  );
});

test('several sockets serve at once, and each says where it listens', async (t) => {
  const first = await testServer(t, ['--inet=127.0.0.1:0', '--inet=[::1]:0']);
  assert.equal(first.endpoints.length, 2);
  const [inet, inet6] = await Promise.all(first.endpoints.map((endpoint) => first.client(endpoint)));
  assert.equal(await inet?.ask(request()), deferred(300));
  assert.match(
    (await inet6?.ask(request())) ?? '',
    /^DEFER_IF_PERMIT 4\.2\.0 Greylisted for (300|299) seconds$/,
  );
});

test('a unix socket has the mode that was asked for, and goes with the server', async (t) => {
  const server = await testServer(t, ['--inet=127.0.0.1:0']);
  const path = `${server.folder}/policy.sock`;
  const other = await testServer(t, [`--unix=${path}`, '--socketmode=0660']);
  assert.equal((await stat(path)).mode & 0o777, 0o660);
  assert.equal(await (await other.client()).ask(request()), deferred(300));
  await other.stop();
  await assert.rejects(stat(path));
});

test('no recipient and an authenticated user pass with a log line that says why', async (t) => {
  const server = await testServer(t);
  const client = await server.client();
  assert.equal(
    await client.ask(request({ protocol_state: 'DATA', recipient: '', recipient_count: 2 })),
    'DUNNO',
  );
  await server.expectStderr(/^action=pass, reason=no recipient, /m);
  assert.equal(await client.ask(request({ sasl_username: 'bob', sasl_method: 'plain' })), 'DUNNO');
  await server.expectStderr(/^action=pass, reason=authenticated, /m);
  assert.equal(
    await client.ask(request({ protocol_state: 'END-OF-MESSAGE', recipient_count: 1 })),
    deferred(300),
  );
});

test('with --greylist-authenticated users that logged in are greylisted as well', async (t) => {
  const server = await testServer(t, ['--greylist-authenticated']);
  assert.equal(await (await server.client()).ask(request({ sasl_username: 'bob' })), deferred(300));
});

test('with --client-key=domain a pool may come back from any network, a dynamic line may not', async (t) => {
  const server = await testServer(t, ['--client-key=domain', '--delay=2']);
  const client = await server.client();
  const pool = (address: string, name: string) =>
    client.ask(request({ client_address: address, client_name: name }));
  assert.equal(await pool('192.0.2.5', 'mx1.out.example.com'), deferred(2));
  assert.match(await pool('198.51.100.9', 'mx77.other.example.com'), /Greylisted for [12] seconds$/);
  assert.equal(await pool('203.0.113.9', '113-9.dsl.example.com'), deferred(2));
  assert.equal(await pool('203.0.114.9', 'unknown'), deferred(2));
  assert.match(
    (await run(['db', 'list', `--db=${server.db}`])).stdout,
    /\t2\t0\texample\.com\talice@example\.com\t/,
  );
});

test('with --dry-run everything passes, is logged as decided, and is learned', async (t) => {
  const server = await testServer(t, ['--dry-run', '--delay=600']);
  const client = await server.client();
  assert.equal(await client.ask(request()), 'DUNNO');
  await server.expectStderr(/^action=greylist, reason=new, /m);
  const listed = await run(['db', 'list', '--json', `--db=${server.db}`]);
  assert.match(listed.stdout, /"state":"waiting"/);
});

test('an unusable request passes with a warning, and the server goes on', async (t) => {
  const server = await testServer(t);
  const client = await server.client();
  assert.equal(await client.ask(request({ client_address: 'unknown' })), 'DUNNO');
  await server.expectStderr(/^cannot parse client_address "unknown"$/m);
  assert.equal(await client.ask(request({ client_address: undefined })), 'DUNNO');
  assert.equal(await client.ask(request({ policy_test_time: 1 })), deferred(300));
  assert.equal(await client.ask(request({ policy_test_time: 9_999_999_999 })), deferred(300));
});

test('what is not the protocol is logged with at most 100 harmless characters and closed without a reply', async (t) => {
  const server = await testServer(t);
  const bystander = await server.client();
  for (const bytes of [
    `GET /\u001b[31m${'x'.repeat(200)} HTTP/1.0\r\n\r\n`,
    'request=junk\n\n',
    `a=${'b'.repeat(70_000)}`,
  ]) {
    const client = await server.client();
    client.send(bytes);
    await client.expectClosed();
  }
  const [line] = await server.expectStderr(/^closed the connection from 127\.0\.0\.1:\d+: .*$/m);
  assert.ok(line.includes('"GET /?[31mxxx'), line);
  assert.ok(line.length < 180, line);
  assert.equal(await bystander.ask(request()), deferred(300));
});

test('what was asked before a broken request is answered, in order, before the connection is closed', async (t) => {
  const server = await testServer(t, ['--greylist-text=%r']);
  for (const broken of ['request=junk\n\n', 'garbage\n\n', 'x'.repeat(9000)]) {
    const client = await server.client();
    client.send(
      encode(request({ recipient: 'a@one.example' })) +
        encode(request({ recipient: 'a@two.example' })) +
        broken,
    );
    assert.equal(await client.answer(), 'DEFER_IF_PERMIT 4.2.0 one.example');
    assert.equal(await client.answer(), 'DEFER_IF_PERMIT 4.2.0 two.example');
    await client.expectClosed();
  }
});

test('requests that come together are answered in their order', async (t) => {
  const server = await testServer(t, ['--greylist-text=%r %s']);
  const client = await server.client();
  const many = Array.from({ length: 500 }, (_, index) =>
    encode(request({ recipient: `x@d${index}.example` })),
  );
  client.send(many.join(''));
  for (const index of many.keys())
    assert.equal(await client.answer(), `DEFER_IF_PERMIT 4.2.0 d${index}.example 300`);
});

test('with --exim the connection is closed after one answer', async (t) => {
  const server = await testServer(t, ['--exim']);
  const client = await server.client();
  assert.equal(await client.ask(request()), deferred(300));
  await client.expectClosed();
});

test('hostile characters are harmless in log lines and answers', async (t) => {
  const server = await testServer(t, ['--greylist-text=%r']);
  const client = await server.client();
  const hostile = 'x\u001b]0;owned\u0007\u202e\u009b%s@evil\u2028.example';
  assert.equal(
    await client.ask(request({ sender: hostile, recipient: hostile })),
    'DEFER_IF_PERMIT 4.2.0 evil?.example',
  );
  await server.expectStderr(/sender=x\?\]0;owned\?\?\?%s@evil\?\.example, recipient=x\?/);
  // eslint-disable-next-line no-control-regex
  assert.doesNotMatch(server.stderr(), /[\u001b\u0007\u202e\u2028\u009b]/);
});

test('with --privacy no address is in the database, and the same mail passes', async (t) => {
  const server = await testServer(t, ['--privacy', '--delay=0']);
  const client = await server.client();
  assert.equal(await client.ask(request()), 'DUNNO');
  await server.stop();
  const files = await Promise.all(
    ['', '-wal'].map((end) => readFile(server.db + end, 'latin1').catch(() => '')),
  );
  assert.doesNotMatch(files.join(''), /alice|bob|192\.0\.2/);
  assert.equal((await stat(`${server.db}.key`)).mode & 0o777, 0o600);
});

test('--quiet hides decisions, --verbose shows connections', async (t) => {
  const quiet = await testServer(t, ['--quiet']);
  await (await quiet.client()).ask(request());
  assert.doesNotMatch(quiet.stderr(), /action=/);
  const verbose = await testServer(t, ['--verbose']);
  const client = await verbose.client();
  await client.ask(request());
  client.close();
  await verbose.expectStderr(/^connect from 127\.0\.0\.1:\d+\n[^]*^disconnect from 127\.0\.0\.1:\d+$/m);
});
