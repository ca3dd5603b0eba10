import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '#src/greylist/address.js';
import type { ListKind } from '#src/greylist/store.js';
import { nearest, type NearSubject } from '#src/whitelist/nearest.js';
import { parseLine, type Entry } from '#src/whitelist/syntax.js';

function entry(kind: ListKind, text: string, expiresAt?: number): Entry {
  const parsed = parseLine(kind, text);
  assert.ok(parsed && 'rule' in parsed, text);
  return { kind, ...parsed, origin: { store: 1 }, expiresAt };
}

function near(entries: readonly Entry[], subject: NearSubject): string[] {
  return nearest(entries, subject, 100, 5).map((one) => `${one.entry.pattern}: ${one.obstacle}`);
}

function address(text: string) {
  return parseAddress(text) ?? assert.fail(text);
}

const v4 = address('192.0.2.5');
const v6 = address('2001:db8::5');

test('an entry that has expired comes nearest', () => {
  const entries = [entry('client', 'mx.example.com'), entry('client', 'example.com', 99)];
  assert.deepEqual(near(entries, { clientName: 'example.com' }), [
    'example.com: expired',
    'mx.example.com: name above the entry',
  ]);
});

test('an entry for a name does not match a client whose name is not verified', () => {
  const subject = { client: v4, clientName: 'unknown', claimedName: 'mx.example.com' };
  assert.deepEqual(near([entry('client', 'example.com')], subject), ['example.com: name not verified']);
  assert.deepEqual(near([entry('client', 'example.net')], subject), []);
});

test('an entry of another kind that would match is told', () => {
  const subject = { sender: 'bob@example.org', recipient: 'eve@example.net' };
  assert.deepEqual(near([entry('recipient', 'bob@example.org')], subject), ['bob@example.org: other kind']);
  assert.deepEqual(near([entry('sender', 'example.net')], subject), ['example.net: other kind']);
  assert.deepEqual(near([entry('client', 'example.org')], subject), ['example.org: other kind']);
  assert.deepEqual(near([entry('sender', 'example.com')], { clientName: 'mx.example.com' }), [
    'example.com: other kind',
  ]);
});

test('names above and beside the name of an entry are told, top-level domains are not', () => {
  const entries = [entry('client', 'mail.example.com')];
  assert.deepEqual(near(entries, { clientName: 'example.com' }), ['mail.example.com: name above the entry']);
  assert.deepEqual(near(entries, { clientName: 'mx.example.com' }), ['mail.example.com: sibling name']);
  assert.deepEqual(near(entries, { clientName: 'example.org' }), []);
  assert.deepEqual(near([entry('client', 'example.com')], { clientName: 'other.com' }), []);
});

test('a network one bit off and one of the other family are told', () => {
  const entries = [
    entry('client', '2001:db8::/32'),
    entry('client', '192.0.3.0/24'),
    entry('client', '10.0.0.0/8'),
  ];
  assert.deepEqual(near(entries, { client: v4 }), [
    '2001:db8::/32: other address family',
    '192.0.3.0/24: one bit off',
  ]);
  assert.deepEqual(near([entry('client', '192.0.2.0/24')], { client: v6 }), [
    '192.0.2.0/24: other address family',
  ]);
});

test('nothing is near to an entry that has nothing in common', () => {
  assert.deepEqual(
    near([entry('client', '/^mx/')], { clientName: 'example.com', sender: 'a@b.example' }),
    [],
  );
});
