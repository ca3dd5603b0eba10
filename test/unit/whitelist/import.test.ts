import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exportLine, importLines } from '#src/whitelist/import.js';

function read(text: string): string[] {
  return importLines('client', text).map(
    ({ line, kind, parsed }) => `${line} ${kind} ${'pattern' in parsed ? parsed.pattern : 'unusable'}`,
  );
}

test('sqlgrey’s wildcards and octets become our domains and networks', () => {
  const text =
    '# head\n*.example.com # pool\n.example.net\nmx.example.org\n192.0.2.5\n192.0.2\n192.0.2.\n10\n/^mx/\na b\n';
  assert.deepEqual(read(text), [
    '2 client example.com',
    '3 client example.net',
    '4 client mx.example.org',
    '5 client 192.0.2.5',
    '6 client 192.0.2',
    '7 client 192.0.2',
    '8 client 10.0.0.0/8',
    '9 client /^mx/',
    '10 client unusable',
  ]);
});

test('what is exported is read back with comment and expiry', () => {
  const lines = [
    '# greyctl whitelist: sender',
    exportLine('a@b.example', 'a friend', '2030-01-02T03:04:05Z'),
    exportLine('c.example', '', undefined),
  ];
  const [first, second] = importLines('client', lines.join('\n'));
  assert.deepEqual(
    [first?.kind, first?.parsed, first?.expiresAt].map((part) =>
      typeof part === 'object' && 'comment' in part ? part.comment : part,
    ),
    ['sender', 'a friend', Date.UTC(2030, 0, 2, 3, 4, 5) / 1000],
  );
  assert.deepEqual([second?.kind, second?.expiresAt], ['sender', undefined]);
});
