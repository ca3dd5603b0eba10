import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RE2JS } from 're2js';
import { requiredLiteral } from '#src/whitelist/literal.js';
import { random } from '../../support/random.js';

const told: readonly (readonly [source: string, literal: string])[] = [
  ['\\.pub\\.mailoutpod\\d+-[a-z0-9]+\\.one\\.com$', '.pub.mailoutpod'],
  ['\\.prod\\.[a-z0-9]+\\.secureserver\\.net$', '.secureserver.net'],
  ['^Mail-Out', 'mail-out'],
  ['abcd?efgh', 'efgh'],
  ['abcd*', 'abc'],
  ['abc{2}de', 'ab'],
  ['ab|cdef', ''],
  ['(abc)?def', ''],
  ['(?i)abc', ''],
  ['^(?:smtp\\w*|postfix)[0-9]+-g[0-9]+\\.free\\.fr$', '.free.fr'],
  ['abc(?:d|\\)e)?fghi', 'fghi'],
  ['a(?:b(c))defg', ''],
  ['a(?:[)])defg', ''],
  ['abcd(?:e|f){2}g|h', ''],
  ['abc\\x41', ''],
  ['abc\\Qd|e\\E', ''],
  ['[]a]bcd', ''],
  ['[[:alpha:]]bcd', ''],
  ['straße', ''],
  ['.*', ''],
];

for (const [source, literal] of told)
  test(`of /${source}/ a match must hold '${literal}'`, () => {
    assert.equal(requiredLiteral(source), literal);
  });

test('whatever an expression matches holds its literal', () => {
  const dice = random();
  const pieces = [
    'a',
    'B',
    'ab',
    '\\.',
    '.',
    '[ab]',
    '[^a]',
    '\\d',
    'a?',
    'b*',
    'a+',
    'b{2}',
    '^',
    '$',
    'a{0,1}',
    '(?:ab|b)',
    '(?:a|\\.)?',
  ] as const;
  const letters = ['a', 'b', '.', '1', 'A'] as const;
  const some = (list: readonly [string, ...string[]], most: number) =>
    Array.from({ length: 1 + dice.pick(most) }, () => dice.oneOf(list)).join('');
  let matches = 0;
  for (let round = 0; round < 3000; round += 1) {
    const source = some(pieces, 5);
    const text = some(letters, 8);
    if (/[*+?}][*+?{]/.test(source) || !RE2JS.compile(source, RE2JS.CASE_INSENSITIVE).test(text)) continue;
    matches += 1;
    const literal = requiredLiteral(source);
    assert.ok(text.toLowerCase().includes(literal), `/${source}/ matches ${text}, seed ${dice.seed}`);
  }
  assert.ok(matches > 300, `only ${matches} matches, seed ${dice.seed}`);
});
