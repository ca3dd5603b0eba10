import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { Chalk } from 'chalk';
import { harmlessJson, printable } from '#src/greylist/printable.js';
import { count, duration, size, timestamp } from '#src/output/format.js';
import { cutMiddle, renderTable } from '#src/output/table.js';
import { createTerminal, wantsColor } from '#src/output/terminal.js';

const plain = new Chalk({ level: 0 });
const columns = [
  { title: 'WHO', isElastic: true },
  { title: 'N', align: 'right' },
] as const;

test('a table off a terminal is tab-separated and nothing is cut', () => {
  const long = `${'x'.repeat(200)}@example.org`;
  assert.equal(
    renderTable(columns, [[long, '1']], { isTerminal: false, style: plain, width: 20 }),
    `WHO\tN\n${long}\t1`,
  );
});

test('a table on a terminal fits its width, numbers to the right, long texts cut in the middle', () => {
  const text = renderTable(
    columns,
    [
      ['a-very-long-address@example.org', '7'],
      ['b', '12345'],
    ],
    { isTerminal: true, style: plain, width: 30 },
  );
  assert.deepEqual(text.split('\n'), [
    'WHO                          N',
    'a-very-long…example.org      7',
    'b                        12345',
  ]);
});

test('too narrow a terminal has columns left out, and it is said which, before long texts are cut short', () => {
  const many = [
    { title: 'SETTINGS' },
    { title: 'FIRST', dispensable: 2 },
    { title: 'SECOND', dispensable: 1 },
    { title: 'WHO', isElastic: true },
  ] as const;
  const row = ['delay=60', '1', '2', 'a-very-long-address@example.org'];
  const lines = (width: number) => {
    const text = renderTable(many, [row], { isTerminal: true, style: plain, width });
    return text.split('\n');
  };
  assert.deepEqual(lines(41), ['SETTINGS  FIRST  SECOND  WHO', 'delay=60  1      2       a-very-l…ple.org']);
  assert.deepEqual(lines(40), [
    'SETTINGS  FIRST  WHO',
    'delay=60  1      a-very-long…example.org',
    'No room for SECOND: a wider terminal or --json shows them.',
  ]);
  assert.deepEqual(lines(26).slice(0, 2), ['SETTINGS  WHO', 'delay=60  a-very-l…ple.org']);
  // What has no number stays, whole unless it is elastic.
  assert.deepEqual(lines(1).slice(0, 2), ['SETTINGS  WHO', 'delay=60  a-ve…org']);
});

test('where there is no room, what holds nothing goes first', () => {
  const some = [
    { title: 'A' },
    { title: 'FIRST', dispensable: 1 },
    { title: 'SECOND', dispensable: 2 },
  ] as const;
  const rows = [
    ['1', '2', '-'],
    ['1', '-', '-'],
  ];
  const text = renderTable(some, rows, { isTerminal: true, style: plain, width: 12 });
  assert.deepEqual(text.split('\n').slice(0, 3), ['A  FIRST', '1  2', '1  -']);
});

test('sentences are in lines that fit a terminal, and in one line elsewhere', async () => {
  const written = async (isTTY: boolean) => {
    const stream = Object.assign(new PassThrough(), { isTTY, columns: 10 });
    const terminal = createTerminal(stream, 'never', {});
    await terminal.sentences('one two three fourteen-letters five');
    return String(stream.read());
  };
  assert.equal(await written(true), 'one two\nthree\nfourteen-letters\nfive\n');
  assert.equal(await written(false), 'one two three fourteen-letters five\n');
});

test('wide characters count two columns, and none is torn apart', () => {
  const text = renderTable(
    columns,
    [
      ['名前名前名前名前@example.org', '7'],
      ['😀😀😀😀😀😀😀😀😀😀😀😀😀@example.org', '12345'],
      ['e\u0301cole@example.org', '1'],
    ],
    { isTerminal: true, style: plain, width: 30 },
  );
  assert.deepEqual(text.split('\n'), [
    'WHO                          N',
    '名前名前名…@example.org      7',
    '😀😀😀😀😀…@example.org  12345',
    'e\u0301cole@example.org            1',
  ]);
  for (let width = 1; width < 12; width += 1)
    assert.match(cutMiddle('😀a😀b😀c😀', width), /^(?:😀|[abc…])*$/u);
});

test('hostile cells are harmless in a table, also tabs and newlines in a pipe', () => {
  const text = renderTable(columns, [['a\tb\nc\u001b[2J\u202ed', '1']], {
    isTerminal: false,
    style: plain,
    width: 80,
  });
  assert.equal(text, 'WHO\tN\na?b?c?[2J?d\t1');
});

test('harmless JSON keeps every character and acts on no terminal', () => {
  const hostile = 'a\u009b\u202e\u2028\u{e0041}\u007f\ud800 é😀\n';
  const text = harmlessJson({ hostile });
  assert.match(text, /^[ -~é😀]*$/u);
  assert.deepEqual(JSON.parse(text), { hostile });
  assert.equal(printable(hostile), 'a??????? é😀?'.replace('???????', '??????'));
});

test('colour is for terminals, unless NO_COLOR is set or it was asked for', () => {
  assert.equal(wantsColor('auto', true, {}), true);
  assert.equal(wantsColor('auto', false, {}), false);
  assert.equal(wantsColor('auto', true, { NO_COLOR: '1' }), false);
  assert.equal(wantsColor('auto', true, { TERM: 'dumb' }), false);
  assert.equal(wantsColor('always', false, { NO_COLOR: '1' }), true);
  assert.equal(wantsColor('never', true, {}), false);
});

test('figures are written for people', () => {
  assert.equal(timestamp(0), '1970-01-01T00:00:00Z');
  assert.deepEqual([0, 59, 60, 3700, 86_400, 90_061].map(duration), [
    '0s',
    '59s',
    '1m',
    '1h 1m',
    '1d',
    '1d 1h',
  ]);
  assert.equal(count(1_234_567), '1,234,567');
  assert.deepEqual([0, 1023, 1024, 5_000_000].map(size), ['0 B', '1023 B', '1.0 KiB', '4.8 MiB']);
  assert.equal(cutMiddle('abcdefgh', 5), 'ab…gh');
});
