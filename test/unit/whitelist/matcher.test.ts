import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '#src/greylist/address.js';
import type { ListKind } from '#src/greylist/store.js';
import { compile, type Match, type Subject, type Whitelist } from '#src/whitelist/matcher.js';
import { parseList, parseListed, type Entry } from '#src/whitelist/syntax.js';
import { random } from '../../support/random.js';

const now = 1_700_000_000;

function entriesOf(kind: ListKind, ...lines: string[]): Entry[] {
  const { entries, problems } = parseList(kind, lines.join('\n'), 'F');
  assert.deepEqual(problems, []);
  return entries;
}

function subject(parts: Partial<Omit<Subject, 'client'>> & { client?: string } = {}): Required<Subject> {
  const { client = '203.0.113.9', ...more } = parts;
  const address = parseAddress(client) ?? assert.fail(client);
  return {
    clientName: 'unknown',
    sender: 'a@sender.example',
    recipient: 'b@recipient.example',
    ...more,
    client: address,
  };
}

function told(match: Match | undefined): string {
  return match ? `${match.exemption}: ${match.entry.pattern}` : 'none';
}

function ask(whitelist: Whitelist, parts: Parameters<typeof subject>[0]): string {
  return told(whitelist.match(subject(parts), now));
}

test('a name stands for itself and the names below it, never for part of a label', () => {
  const whitelist = compile(entriesOf('client', 'Example.com'));
  for (const clientName of ['example.com', 'EXAMPLE.com', 'a.example.com', 'a.b.Example.Com']) {
    assert.equal(ask(whitelist, { clientName }), 'client whitelist: Example.com', clientName);
  }
  for (const clientName of [
    'unknown',
    'badexample.com',
    'example.com.evil.test',
    'com',
    '',
    'xexample.com',
  ]) {
    assert.equal(ask(whitelist, { clientName }), 'none', clientName);
  }
});

test('an unverified client matches no name but the one written so', () => {
  assert.equal(ask(compile(entriesOf('client', 'n', 'known', 'nknown')), {}), 'none');
  assert.equal(ask(compile(entriesOf('client', 'unknown')), {}), 'client whitelist: unknown');
});

test('an address is in its networks, and families do not mix', () => {
  const whitelist = compile(entriesOf('client', '192.0.2.64/26', '198.51', '2001:db8:1::/48', '::/1'));
  assert.equal(ask(whitelist, { client: '192.0.2.127' }), 'client whitelist: 192.0.2.64/26');
  assert.equal(ask(whitelist, { client: '192.0.2.128' }), 'none');
  assert.equal(ask(whitelist, { client: '198.51.255.255' }), 'client whitelist: 198.51');
  assert.equal(ask(whitelist, { client: '2001:db8:1:ffff::1' }), 'client whitelist: 2001:db8:1::/48');
  assert.equal(ask(whitelist, { client: '2001:db8:2::1' }), 'client whitelist: ::/1');
  assert.equal(ask(whitelist, { client: '::ffff:192.0.2.100' }), 'client whitelist: 192.0.2.64/26');
  assert.equal(ask(whitelist, { client: 'ff00::1' }), 'none');
  assert.equal(ask(compile(entriesOf('client', '0.0.0.0/0')), {}), 'client whitelist: 0.0.0.0/0');
});

test('a regular expression sees the name, and the address when the name does not match', () => {
  const whitelist = compile(
    entriesOf('client', '/^MX\\d+\\.example/', '/^203\\.0\\.113\\./', '/^2001:db8:0:/'),
  );
  assert.equal(
    ask(whitelist, { clientName: 'mx1.example.com', client: '192.0.2.1' }),
    'client whitelist: /^MX\\d+\\.example/',
  );
  assert.equal(ask(whitelist, {}), 'client whitelist: /^203\\.0\\.113\\./');
  assert.equal(ask(whitelist, { client: '2001:db8::5' }), 'client whitelist: /^2001:db8:0:/');
  assert.equal(ask(whitelist, { client: '192.0.2.1' }), 'none');
});

test('user+extension is the user, as in postgrey', () => {
  const whitelist = compile(entriesOf('recipient', 'joe@example.com', 'abuse@', 'a+b@example.org'));
  const table = [
    ['joe@example.com', 'joe@example.com'],
    ['JOE+List@Example.com', 'joe@example.com'],
    ['joe+a+b@example.com', 'joe@example.com'],
    ['joe+@example.com', 'none'],
    ['joe-list@example.com', 'none'],
    ['xjoe@example.com', 'none'],
    ['joe@sub.example.com', 'none'],
    ['abuse@any.example', 'abuse@'],
    ['Abuse+x@any.example', 'abuse@'],
    ['abuse', 'none'],
    ['no-abuse@any.example', 'none'],
    ['a+b@example.org', 'a+b@example.org'],
    ['a+b+c@example.org', 'a+b@example.org'],
    ['a@example.org', 'none'],
  ] as const;
  for (const [recipient, pattern] of table) {
    const expected = pattern === 'none' ? 'none' : `recipient whitelist: ${pattern}`;
    assert.equal(ask(whitelist, { recipient }), expected, recipient);
  }
});

test('a domain stands for every mailbox at it and below it, for senders too', () => {
  const whitelist = compile([
    ...entriesOf('sender', 'example.com', '/^$/'),
    ...entriesOf('recipient', 'example.net'),
  ]);
  assert.equal(ask(whitelist, { sender: 'x@example.com' }), 'sender whitelist: example.com');
  assert.equal(ask(whitelist, { sender: 'x@a.b.EXAMPLE.com' }), 'sender whitelist: example.com');
  assert.equal(ask(whitelist, { sender: 'x@badexample.com' }), 'none');
  assert.equal(ask(whitelist, { sender: 'x@example.net' }), 'none');
  assert.equal(ask(whitelist, { sender: 'example.com@other.test' }), 'none');
  assert.equal(ask(whitelist, { sender: '' }), 'sender whitelist: /^$/');
  assert.equal(ask(whitelist, { recipient: 'x@example.net' }), 'recipient whitelist: example.net');
});

test('the order is client, recipient, sender; name, address, expression; the longer one; the first one', () => {
  const whitelist = compile([
    ...entriesOf('sender', '/./', 's.test', 'u@', 'u@s.test'),
    ...entriesOf('recipient', 'r.test'),
    ...entriesOf('client', '/mx/', '192.0.2', '192.0.2.1', 'c.test', 'mx.c.test', 'C.test'),
  ]);
  const everything = subject({
    client: '192.0.2.1',
    clientName: 'mx.c.test',
    sender: 'u+x@s.test',
    recipient: 'b@r.test',
  });
  const all = whitelist.all(everything, now);
  assert.deepEqual(
    all.map((match) => match.entry.pattern),
    [
      'mx.c.test',
      'c.test',
      'C.test',
      '192.0.2.1',
      '192.0.2',
      '/mx/',
      'r.test',
      'u@s.test',
      'u@',
      's.test',
      '/./',
    ],
  );
  assert.deepEqual(whitelist.match(everything, now), all[0]);
});

test('a stored entry stops matching when it expires, and the next one is told', () => {
  const stored = parseListed({
    id: 3,
    kind: 'recipient',
    pattern: 'joe@example.com',
    comment: '',
    addedAt: 0,
    hits: 0,
    expiresAt: now,
  });
  assert.ok('rule' in stored);
  const whitelist = compile([stored, ...entriesOf('recipient', 'example.com')]);
  const asked = subject({ recipient: 'joe@example.com' });
  assert.deepEqual(whitelist.match(asked, now - 1)?.entry.origin, { store: 3 });
  assert.equal(told(whitelist.match(asked, now)), 'recipient whitelist: example.com');
  assert.equal(whitelist.all(asked, now).length, 1);
});

test('expressions that make backtracking engines hang are answered on long input', () => {
  const whitelist = compile(
    entriesOf('sender', '/^(a+)+$/', '/(a|aa)+$/', '/(.*a){20}b/', '/([a-z]*)*\\d$/'),
  );
  assert.equal(ask(whitelist, { sender: `${'a'.repeat(50_000)}!` }), 'none');
});

test('addresses made of nothing but dots, plus signs or at signs are answered', () => {
  const whitelist = compile([
    ...entriesOf('sender', 'a@', 'example.com', 'a@b.test'),
    ...entriesOf('client', 'example.com'),
  ]);
  for (const character of ['.', '+', '@']) {
    const hostile = character.repeat(100_000);
    assert.equal(ask(whitelist, { sender: hostile, recipient: hostile, clientName: hostile }), 'none');
  }
});

test('networks wider than two octets hold their first and last addresses', () => {
  const whitelist = compile(entriesOf('client', '192.0.0.0/9', '10.4.0.0/14', '172.16.5.0/24', '2000::/3'));
  for (const [client, expected] of [
    ['192.0.0.0', '192.0.0.0/9'],
    ['192.127.255.255', '192.0.0.0/9'],
    ['10.4.0.0', '10.4.0.0/14'],
    ['10.7.255.255', '10.4.0.0/14'],
    ['172.16.5.9', '172.16.5.0/24'],
    ['3fff::1', '2000::/3'],
  ] as const)
    assert.equal(ask(whitelist, { client }), `client whitelist: ${expected}`);
  for (const client of ['191.255.255.255', '192.128.0.0', '10.8.0.0', '172.16.6.1', '4000::1'])
    assert.equal(ask(whitelist, { client }), 'none');
  assert.equal(
    ask(compile(entriesOf('client', '0.0.0.0/0')), { client: '255.255.1.1' }),
    'client whitelist: 0.0.0.0/0',
  );
});

test('a hundred thousand entries are told apart', () => {
  const lines = Array.from({ length: 100_000 }, (_, index) =>
    index % 2 === 0 ? `host${index}.example.com` : `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`,
  );
  const whitelist = compile(entriesOf('client', ...lines));
  assert.equal(
    ask(whitelist, { clientName: 'a.host99998.example.com' }),
    'client whitelist: host99998.example.com',
  );
  assert.equal(ask(whitelist, { client: '10.1.134.159' }), 'client whitelist: 10.1.134.159');
  assert.equal(ask(whitelist, { client: '10.1.134.160', clientName: 'example.com' }), 'none');
});

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&');
}

/** postgrey 1.37's reading of an entry, written the way it works: one expression, or one subnet check, an entry. */
function postgreyMatches(kind: ListKind, line: string, asked: Required<Subject>): boolean {
  const expression = /^\/(\S+)\/$/.exec(line)?.[1];
  if (kind === 'client') {
    const octets = /^(\d+(?:\.\d+){1,3})(?:\/(\d+))?$/.exec(line);
    if (octets) {
      const parts = (octets[1] ?? '').split('.').map(Number);
      const length = octets[2] === undefined ? parts.length * 8 : Number(octets[2]);
      const value = (bytes: readonly number[]) =>
        [0, 1, 2, 3].reduce((sum, index) => sum * 256n + BigInt(bytes[index] ?? 0), 0n) >>
        BigInt(32 - length);
      return asked.client.family === 4 && value(parts) === value(asked.client.bytes);
    }
    const pattern = expression ?? `(?:^|\\.)${escaped(line)}$`;
    return new RegExp(pattern, 'i').test(asked.clientName);
  }
  const address = kind === 'sender' ? asked.sender : asked.recipient;
  const [user = '', domain] = line.includes('@')
    ? [line.slice(0, line.indexOf('@')), line.slice(line.indexOf('@') + 1)]
    : [line];
  if (expression !== undefined) return new RegExp(expression, 'i').test(address);
  if (domain === undefined) return new RegExp(`(?:@|\\.)${escaped(user)}$`, 'i').test(address);
  const end = domain === '' ? '' : `${escaped(domain)}$`;
  return new RegExp(`^${escaped(user)}(?:\\+[^@]+)?@${end}`, 'i').test(address);
}

test("over random entries and attempts it says what postgrey's expressions say", () => {
  const { pick, oneOf, seed } = random();
  const label = () => oneOf(['a', 'B', 'ab', 'a-b', 'mx1', 'unknown']);
  const name = () => Array.from({ length: 1 + pick(4) }, label).join('.');
  const octet = () => oneOf([0, 1, 2, 127, 128, 255]);
  const address = (count: number) => Array.from({ length: count }, octet).join('.');
  const expression = () => oneOf(['/^a/', '/b$/', '/a\\.b/', '/^(a|mx\\d)\\./', '/[^a-z]@/', '/\\+/']);
  const local = () => Array.from({ length: pick(5) }, () => oneOf(['a', 'B', '+', '+', '.', '-'])).join('');
  const mailbox = () => `${local()}${oneOf(['@', '@', '@', '@@', ''])}${name()}`;

  const clientLine = () =>
    oneOf([name, name, expression, () => address(2 + pick(3)), () => `${address(4)}/${pick(33)}`])();
  const mailboxLine = () => oneOf([name, expression, () => `${local()}@`, mailbox, mailbox])();

  let hits = 0;
  for (let round = 0; round < 3000; round += 1) {
    const lists = (
      [
        ['client', clientLine],
        ['recipient', mailboxLine],
        ['sender', mailboxLine],
      ] as const
    ).map(([kind, line]) => parseList(kind, Array.from({ length: pick(6) }, line).join('\n'), 'F').entries);
    const entries = lists.flat();
    const whitelist = compile(entries);
    for (let attempt = 0; attempt < 5; attempt += 1) {
      // Addresses as expressions see them begin with a digit: none of the expressions above matches one.
      const asked = subject({
        client: address(4),
        clientName: name(),
        sender: mailbox(),
        recipient: mailbox(),
      });
      const expected = new Set(entries.filter((entry) => postgreyMatches(entry.kind, entry.pattern, asked)));
      const all = whitelist.all(asked, now).map((match) => match.entry);
      const context = `${JSON.stringify({ ...asked, entries: entries.map((entry) => entry.pattern) })} (seed ${seed})`;
      assert.equal(all.length, expected.size, context);
      assert.ok(
        all.every((entry) => expected.has(entry)),
        context,
      );
      assert.equal(whitelist.match(asked, now)?.entry, all[0], context);
      hits += all.length;
    }
  }
  assert.ok(hits > 1000, `only ${hits} matches (seed ${seed})`);
});
