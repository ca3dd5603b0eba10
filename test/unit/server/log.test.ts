import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createThrottle } from '#src/server/log.js';

/** What is said, with its time, where each second the kinds of `warnings` are warned of. */
function said(
  seconds: number,
  warnings: (time: number) => readonly (readonly [line: string, isLesser?: boolean])[],
) {
  const lines: string[] = [];
  let time = 1000;
  const warn = createThrottle(
    (_, line) => lines.push(`${time - 1000} ${line}`),
    () => time,
  );
  for (; time < 1000 + seconds; time += 1)
    for (const [line, isLesser] of warnings(time - 1000)) warn('store', line, isLesser);
  return lines;
}

test('a kind is said once a minute, with the number of those left out', () => {
  assert.deepEqual(
    said(121, () => [['away']]),
    ['0 away', '60 away (and 59 more like it)', '120 away (and 59 more like it)'],
  );
});

test('of one outage one line a minute is said, by whoever has most to say', () => {
  const lists = ['not followed', true] as const;
  const purge = ['not cleaned', true] as const;
  assert.deepEqual(
    said(121, (time) => (time < 20 ? [lists, purge] : [lists, purge, ['mail passes']])).map((line) =>
      line.replace(/ \(.*/, ''),
    ),
    ['20 mail passes', '80 mail passes'],
  );
});

test('where nobody asks for mail, the background says that the database is away', () => {
  assert.deepEqual(
    said(200, () => [['not followed', true]]).map((line) => line.replace(/ \(.*/, '')),
    ['60 not followed', '180 not followed'],
  );
});

test('a short trouble of the background is not worth a line', () => {
  assert.deepEqual(
    said(200, (time) => (time % 50 < 5 ? [['not followed', true]] : [])),
    [],
  );
});
