/** Policy requests, good, damaged and mere noise, against the parser and against a server. FUZZ_INPUTS=n, SEED=n. */
import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';
import { printable } from '#src/greylist/printable.js';
import { maxRequestBytes, ProtocolError, RequestParser } from '#src/policy/parser.js';
import { interpret } from '#src/policy/request.js';
import { within } from '../support/deadline.js';
import { feedMany, fuzzInputs, residentBytes } from '../support/fuzz.js';
import { mutate } from '../support/mutate.js';
import { goodRequest } from '../support/policy-grammar.js';
import { socketAddress } from '../support/conversation.js';
import { random } from '../support/random.js';
import { testServer } from '../support/server.js';

type Random = ReturnType<typeof random>;

function noise({ pick }: Random): string {
  return Array.from({ length: pick(300) }, () => String.fromCharCode(pick(256))).join('');
}

/** Half of what is damaged are real requests. */
function damaged(source: Random): string {
  return source.pick(10) === 0 ? noise(source) : mutate(source, goodRequest(source));
}

test(`${fuzzInputs} damaged requests, in pieces, give requests or one harmless complaint`, (t) => {
  const source = random();
  const { seed, pick } = source;
  const counts = { requests: 0, complaints: 0 };
  const work = (input: string) => {
    const parser = new RequestParser();
    const bytes = Buffer.from(input, 'latin1');
    for (let at = 0; at < bytes.length;) {
      const end = at + 1 + pick(bytes.length);
      for (const request of parser.push(bytes.subarray(at, end))) {
        counts.requests += 1;
        assert.ok(Object.values(request).every((value) => !value.includes('\n')));
        interpret(request, 1000, { greylistAuthenticated: false });
      }
      at = end;
    }
    assert.ok(bytes.length <= maxRequestBytes || !parser.isInRequest || bytes.includes('\n'));
  };
  feedMany(
    seed,
    () => damaged(source),
    work,
    (error) => {
      counts.complaints += 1;
      return (
        error instanceof ProtocolError &&
        error.message.length < 200 &&
        printable(error.message) === error.message
      );
    },
  );
  assert.ok(counts.requests > fuzzInputs / 20 && counts.complaints > fuzzInputs / 10);
  t.diagnostic(`seed ${seed}: ${counts.requests} requests, ${counts.complaints} complaints`);
});

/** Sends all at once, says that nothing more comes, and resolves to what came back when the server has closed. */
function exchange(endpoint: string, bytes: Buffer): Promise<string> {
  const socket = net.connect({ ...socketAddress(endpoint), allowHalfOpen: true });
  let received = '';
  const closed = new Promise<string>((resolve) => {
    socket.setEncoding('latin1').on('data', (chunk: string) => (received += chunk));
    socket.on('error', () => undefined).on('end', () => socket.end());
    socket.on('close', () => {
      resolve(received);
    });
    socket.end(bytes);
  });
  return within(
    closed,
    `end of a connection with ${JSON.stringify(bytes.toString('latin1').slice(0, 2000))}`,
  );
}

const reply = /^(?:action=(?:DUNNO|DEFER_IF_PERMIT [ -~]*|PREPEND [ -~]*)\n\n)*$/;

test(`${fuzzInputs} requests, every second one damaged, leave a server in good order`, async (t) => {
  const source = random();
  const { seed, pick } = source;
  const server = await testServer(t, ['--max-connections=200']);
  const pid = server.process.pid ?? 0;
  let [sent, answers, before] = [0, 0, 0];
  const work = async () => {
    while (sent < fuzzInputs) {
      const good = Array.from({ length: pick(6) }, () => goodRequest(source));
      const bad = Array.from({ length: 1 + pick(4) }, () => damaged(source));
      sent += good.length + bad.length;
      const got = await exchange(server.endpoint, Buffer.from([...good, ...bad].join(''), 'latin1'));
      assert.match(got, reply, `seed ${seed}`);
      const count = got.split('\n\n').length - 1;
      assert.ok(count >= good.length, `seed ${seed}: ${count} answers to ${good.length} good requests`);
      answers += count;
      if (before === 0 && sent > fuzzInputs / 5) before = residentBytes(pid);
    }
  };
  await Promise.all(Array.from({ length: 20 }, work));
  const grown = residentBytes(pid) - before;
  assert.ok(grown < 96 * 1024 * 1024, `seed ${seed}: ${grown} bytes more`);
  assert.doesNotMatch(server.stderr(), /suspended|\bat .*\.js:/);
  for (const line of server.stderr().split('\n')) assert.equal(printable(line), line, `seed ${seed}`);
  t.diagnostic(
    `seed ${seed}: ${sent} inputs, ${answers} answers, grown by ${Math.round(grown / 1048576)} MiB`,
  );
});
