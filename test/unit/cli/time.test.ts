import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseTime } from '#src/cli/time.js';
import { BadValue } from '#src/config/value.js';
import { expiryOf } from '#src/cli/whitelist/words.js';

const now = 1_800_000_000;

test('so long ago is taken with and without the word', () => {
  for (const [text, ago] of [
    ['24h', 86_400],
    ['24h ago', 86_400],
    [' 90m  ago ', 5400],
    ['2', 7200],
    ['2 ago', 7200],
  ] as const)
    assert.equal(parseTime(text, now, 'h'), now - ago, text);
});

test('a day, and a time of a day, are local unless they say otherwise', () => {
  assert.equal(parseTime('2028-02-29', now, 'h'), new Date(2028, 1, 29).getTime() / 1000);
  assert.equal(parseTime('2026-11-21T08:00', now, 'h'), new Date(2026, 10, 21, 8).getTime() / 1000);
  assert.equal(parseTime('2026-11-21T08:00:30Z', now, 'h'), Date.UTC(2026, 10, 21, 8, 0, 30) / 1000);
});

for (const text of [
  ...['2026-11-31', '2026-02-30', '2026-02-29', '2026-04-31T08:00', '2026-13-01', '2026-00-01', '2026-11-00'],
  ...['2026-11-21T25:00', '2026-11-21T08:61', '2026-11-21 ago', 'ago', '24 ago h', 'yesterday', '2026', ''],
])
  test(`"${text}" is no time`, () => {
    assert.throws(() => parseTime(text, now, 'h'), BadValue);
  });

test('an entry of a whitelist does not end on a day that there is not', () => {
  assert.equal(expiryOf('2028-02-29', now), new Date(2028, 1, 29, 23, 59, 59).getTime() / 1000);
  for (const day of ['2028-02-30', '2028-11-31'])
    assert.throws(() => expiryOf(day, now), { kind: 'usage', message: /^--expires: / }, day);
});
