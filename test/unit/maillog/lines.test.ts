import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLineSplitter } from '#src/maillog/lines.js';

function split(blocks: readonly Buffer[], limitBytes?: number) {
  const splitter = createLineSplitter(limitBytes);
  const lines: string[] = [];
  for (const block of blocks) {
    splitter.feed(block);
    while (splitter.next()) lines.push(splitter.text.slice(splitter.start, splitter.end));
  }
  return { lines, rest: splitter.finish(), cutBytes: splitter.cutBytes };
}

test('lines end with LF or CRLF, and the rest is told', () => {
  const { lines, rest } = split([Buffer.from('one\r\n\ntwo\r \nthree\r\n\r\nfour')]);
  assert.deepEqual(lines, ['one', '', 'two\r ', 'three', '']);
  assert.equal(rest, 'four');
  assert.deepEqual(split([Buffer.from('')]), { lines: [], rest: '', cutBytes: 0 });
});

test('every byte survives, and NUL bytes before a line are dropped', () => {
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => byte !== 10));
  const { lines } = split([Buffer.concat([Buffer.alloc(3), Buffer.from([65]), bytes, Buffer.from('\n')])]);
  assert.equal(lines[0], `A${bytes.toString('latin1')}`);
  assert.deepEqual(split([Buffer.from('\0\0\n\0a\0b\n')]).lines, ['', 'a\0b']);
});

test('lines are the same wherever the bytes are cut into blocks', () => {
  const text = Buffer.from('first\r\n\0second jos\u00e9\n\n0123456789abcdef\r\nlast');
  for (const limit of [undefined, 8]) {
    const whole = split([text], limit);
    for (let at = 0; at <= text.length; at += 1) {
      assert.deepEqual(split([text.subarray(0, at), text.subarray(at)], limit), whole, `cut at ${at}`);
    }
    const single = Array.from(text, (byte) => Buffer.from([byte]));
    assert.deepEqual(split(single, limit), whole);
  }
});

test('of an overlong line the beginning is kept and the rest is counted', () => {
  const { lines, cutBytes } = split([Buffer.from('0123456789\n01234567\r\nok\n')], 8);
  assert.deepEqual(lines, ['01234567', '01234567', 'ok']);
  assert.equal(cutBytes, 2);
  const huge = Array.from({ length: 100 }, () => Buffer.alloc(100_000, 'x'));
  const long = split([...huge, Buffer.from('\nnext\n')]);
  assert.deepEqual(
    long.lines.map((line) => line.length),
    [65_536, 4],
  );
  assert.equal(long.cutBytes, 10_000_000 - 65_536);
});
