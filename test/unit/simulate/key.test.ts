import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keyOf } from '#src/simulate/key.js';

/** Two texts that differ in every character, and that hashes which only multiply take for one another (Thue and Morse). */
function thueMorse(length: number, one: string, other: string): [string, string] {
  const bits = Array.from({ length }, (_, index) => index.toString(2).replaceAll('0', '').length % 2);
  const text = (flip: number) => bits.map((bit) => (bit === flip ? one : other)).join('');
  return [text(0), text(1)];
}

test('texts made to be taken for one another are told apart', () => {
  for (const length of [64, 128, 256, 1024]) {
    for (const [one, other] of [
      ['0', '1'],
      ['b', 'j'],
      ['a', 'b'],
    ] as const) {
      const [first, second] = thueMorse(length, one, other);
      const [{ low, high }, against] = [keyOf('net', first, 'to'), keyOf('net', second, 'to')];
      assert.ok(low !== against.low && high !== against.high, `${length} of ${one} and ${other}`);
    }
  }
});
