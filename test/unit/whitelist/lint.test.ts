import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ListKind } from '#src/greylist/store.js';
import { isPublicSuffix } from '#src/names/domain.js';
import { lint } from '#src/whitelist/lint.js';
import { parseList, type Entry } from '#src/whitelist/syntax.js';

function entries(kind: ListKind, ...lines: string[]): Entry[] {
  return parseList(kind, lines.join('\n'), 'f').entries;
}

function found(list: readonly Entry[]): string[] {
  return lint(list, { now: 100, listed: [], isPublicSuffix }).map(
    ({ entry, check, other }) => `${entry.pattern}: ${check}${other ? ` ${other.pattern}` : ''}`,
  );
}

test('finds the same rule in several places, however it is written', () => {
  assert.deepEqual(found(entries('client', 'A.example.com', '192.0.2', 'a.example.com', '192.0.2.0/24')), [
    'a.example.com: duplicate A.example.com',
    '192.0.2.0/24: duplicate 192.0.2',
  ]);
  assert.deepEqual(
    found([...entries('sender', 'a.example.com'), ...entries('recipient', 'a.example.com')]),
    [],
  );
});

test('finds entries inside others', () => {
  assert.deepEqual(found(entries('client', 'mx.example.com', 'example.com', '192.0.2.5', '192.0.2.0/24')), [
    'mx.example.com: inside another example.com',
    '192.0.2.5: inside another 192.0.2.0/24',
  ]);
  assert.deepEqual(found(entries('recipient', 'bob@example.com', 'example.com', 'eve@example.net', 'eve@')), [
    'bob@example.com: inside another example.com',
    'eve@example.net: inside another eve@',
  ]);
});

test('an entry that ends earlier does not make one that stays superfluous', () => {
  const [inner, outer] = entries('client', 'mx.example.com', 'example.com');
  assert.ok(inner && outer);
  assert.deepEqual(found([inner, { ...outer, expiresAt: 200 }]), []);
  assert.deepEqual(found([inner, { ...outer, expiresAt: 50 }]), ['example.com: expired']);
  assert.deepEqual(
    found([
      { ...inner, expiresAt: 150 },
      { ...outer, expiresAt: 200 },
    ]),
    ['mx.example.com: inside another example.com'],
  );
});

test('finds what can never match, what is mistaken easily, and what is too broad', () => {
  assert.deepEqual(
    found(entries('client', 'unknown', 'mailhost', 'mx.local', '192.168', '11.0.0.0/8', 'co.uk', 'com')),
    [
      'unknown: never matches',
      'mailhost: never matches',
      'mx.local: never matches',
      '192.168: two octets',
      '11.0.0.0/8: too broad',
      'co.uk: too broad',
      'com: too broad',
    ],
  );
  assert.deepEqual(found(entries('recipient', 'localdomain')), []);
});

test('finds stored entries without a hit for long', () => {
  const one = { kind: 'client', pattern: 'a.example', comment: '', addedAt: 10, hits: 0 } as const;
  const listed = [
    { ...one, id: 1 },
    { ...one, id: 2, hits: 1, lastHit: 95 },
    { ...one, id: 3, addedAt: 95 },
  ];
  const list = listed.map(({ id }): Entry => ({
    kind: 'client',
    pattern: `${id}.example`,
    rule: { type: 'domain', domain: `${id}.example` },
    origin: { store: id },
  }));
  const findings = lint(list, { now: 100, unusedSeconds: 50, listed, isPublicSuffix });
  assert.deepEqual(
    findings.map(({ entry, check }) => `${entry.pattern} ${check}`),
    ['1.example unused'],
  );
});

test('a hundred thousand entries take seconds, not hours', () => {
  const lines = Array.from({ length: 50_000 }, (_, index) => [
    `mx${index}.d${index % 9000}.example`,
    `10.${(index >> 8) & 255}.${index & 255}.${index % 250}`,
  ]);
  const begin = performance.now();
  found(entries('client', ...lines.flat()));
  assert.ok(performance.now() - begin < 10_000);
});
