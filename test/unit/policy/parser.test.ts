import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  maxAttributes,
  maxLineBytes,
  maxRequestBytes,
  ProtocolError,
  RequestParser,
} from '#src/policy/parser.js';
import { random } from '../../support/random.js';

const example = Buffer.from(
  [
    'request=smtpd_access_policy',
    'protocol_state=RCPT',
    'protocol_name=ESMTP',
    'client_address=2001:db8::5',
    'client_name=mx.example.org',
    'sender=jürgen=x@example.org',
    'recipient=',
    'sender=second@example.org',
    'instance=123.456.7',
    'etrn_domain=',
    '',
    '',
  ].join('\n'),
);

const expected = {
  request: 'smtpd_access_policy',
  client_address: '2001:db8::5',
  client_name: 'mx.example.org',
  sender: 'jürgen=x@example.org',
  recipient: '',
  instance: '123.456.7',
  etrn_domain: '',
};

const crlf = Buffer.from(example.toString().replaceAll('\n', '\r\n'));

test('a request is read: unknown attributes ignored, the first of duplicates kept, empty values too', () => {
  assert.deepEqual(new RequestParser().push(example), [expected]);
  assert.deepEqual(new RequestParser().push(crlf), [expected]);
});

test('a request split at every byte, and two requests split at every byte, are read the same', () => {
  for (const source of [example, crlf, Buffer.concat([example, crlf, example])]) {
    const whole = new RequestParser().push(source);
    for (let cut = 0; cut <= source.length; cut += 1) {
      const parser = new RequestParser();
      const requests = [...parser.push(source.subarray(0, cut)), ...parser.push(source.subarray(cut))];
      assert.deepEqual(requests, whole, `cut at ${cut}`);
      assert.equal(parser.isInRequest, false);
    }
    const parser = new RequestParser();
    assert.deepEqual(
      [...source].flatMap((byte) => parser.push(Buffer.from([byte]))),
      whole,
    );
  }
});

test('invalid UTF-8 becomes the replacement character', () => {
  const bytes = Buffer.concat([Buffer.from('sender=a'), Buffer.from([0xff]), Buffer.from('b\n\n')]);
  assert.deepEqual(new RequestParser().push(bytes), [{ sender: 'a\ufffdb' }]);
});

test('what is not the protocol throws, quoting at most 100 harmless characters', () => {
  const refuse = (text: string | Buffer, message: RegExp) => {
    assert.throws(
      () => new RequestParser().push(Buffer.from(text)),
      (error) => error instanceof ProtocolError && message.test(error.message) && error.message.length < 140,
      String(message),
    );
  };
  refuse('GET / HTTP/1.1\r\n\r\n', /^not an attribute: "GET \/ HTTP\/1.1"$/);
  refuse('=x\n\n', /^not an attribute/);
  refuse('\n', /^empty request$/);
  refuse('\r\n', /^empty request$/);
  refuse('a\u001b[31m\n\n', /^not an attribute: "a\?\[31m"$/);
  refuse(`a=${'x'.repeat(maxLineBytes)}\n\n`, /^line too long/);
  refuse('x'.repeat(maxLineBytes + 1), /^line too long/);
  refuse('a=b\n'.repeat(maxAttributes + 1) + '\n', /^too many attributes/);
  refuse('abcdefg=b\n'.repeat(maxRequestBytes / 10 + 1), /^request too long/);
});

test('random noise is either read or refused, never anything else', () => {
  const { pick, seed } = random();
  for (let round = 0; round < 20_000; round += 1) {
    const noise = Buffer.from(example);
    for (let change = 0; change <= pick(4); change += 1)
      noise[pick(noise.length)] = [0, 10, 13, 61, 255, 65][pick(6)] ?? 0;
    try {
      new RequestParser().push(noise);
    } catch (error) {
      assert.ok(error instanceof ProtocolError, `seed ${seed}: ${String(error)}`);
    }
  }
});
