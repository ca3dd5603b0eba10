import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { addressText } from '#src/greylist/address.js';
import { parseLine, parseList, parseListed, type Rule } from '#src/whitelist/syntax.js';
import type { ListKind } from '#src/greylist/store.js';
import { needs } from '../../support/programs.js';
import { random } from '../../support/random.js';

function described(rule: Rule): string {
  switch (rule.type) {
    case 'domain':
      return `domain ${rule.domain}`;
    case 'network':
      return `network ${addressText(rule.network.address)}/${rule.network.prefixLength}`;
    case 'mailbox':
      return `mailbox ${rule.user}@${rule.domain}`;
    case 'user':
      return `user ${rule.user}`;
    case 'regex':
      return `regex ${rule.regex.pattern()}`;
  }
}

/** What a line means, or `bad: …`; empty for nothing. */
function meaning(kind: ListKind, text: string): string {
  const parsed = parseLine(kind, text);
  if (!parsed) return '';
  return 'problem' in parsed ? `bad: ${parsed.problem}` : described(parsed.rule);
}

test('a client line is a name, an address, a network, or a regular expression', () => {
  const table = [
    ['example.com', 'domain example.com'],
    ['Mail.Example.COM', 'domain mail.example.com'],
    ['localhost', 'domain localhost'],
    ['xn--bcher-kva.example', 'domain xn--bcher-kva.example'],
    ['192.0.2.5', 'network 192.0.2.5/32'],
    ['192.0.2.77/28', 'network 192.0.2.64/28'],
    ['192.0.2', 'network 192.0.2.0/24'],
    ['192.0', 'network 192.0.0.0/16'],
    ['0.0.0.0/0', 'network 0.0.0.0/0'],
    ['2001:DB8::/48', 'network 2001:db8:0:0:0:0:0:0/48'],
    ['::1', 'network 0:0:0:0:0:0:0:1/128'],
    ['::ffff:192.0.2.0/120', 'network 192.0.2.0/24'],
    ['/^mx\\d+\\.example\\.com$/', 'regex ^mx\\d+\\.example\\.com$'],
    ['/2001:db8:/', 'regex 2001:db8:'],
    ['/a/b/', 'regex a/b'],
  ] as const;
  for (const [line, expected] of table) assert.equal(meaning('client', line), expected, line);
});

test('a recipient or sender line is a mailbox, a user, a domain, or a regular expression', () => {
  const table = [
    ['joe@example.com', 'mailbox joe@example.com'],
    ['Joe+List@Example.COM', 'mailbox joe+list@example.com'],
    ['postmaster@', 'user postmaster'],
    ['example.com', 'domain example.com'],
    ['[192.0.2.1]', 'domain [192.0.2.1]'],
    ['192.0.2.1', 'domain 192.0.2.1'],
    ['bücher.example', 'domain bücher.example'],
    ['a@b@example.com', 'mailbox a@b@example.com'],
    ['/^$/', 'regex ^$'],
  ] as const;
  for (const kind of ['recipient', 'sender'] as const) {
    for (const [line, expected] of table) assert.equal(meaning(kind, line), expected, line);
  }
});

test('comments, blanks and line ends do not count', () => {
  assert.deepEqual(parseLine('recipient', ''), undefined);
  assert.deepEqual(parseLine('recipient', ' \t\r'), undefined);
  assert.deepEqual(parseLine('recipient', '  # only words'), undefined);
  const parsed = parseLine('client', '\t Example.com \t# never comes back # twice \r');
  assert.ok(parsed && 'pattern' in parsed);
  assert.equal(parsed.pattern, 'Example.com');
  assert.equal(parsed.comment, 'never comes back # twice');
  assert.equal(meaning('client', '\ufeffexample.com'), 'domain example.com');
  assert.equal(meaning('client', 'example.com#'), 'domain example.com');
});

test('a client line that could never match says why', () => {
  const table = [
    ['192.0.2.256', "'192.0.2.256' is not an IP address or network"],
    ['192.0.2.0/33', "'192.0.2.0/33' is not an IP address or network"],
    ['192.0.2.0/255.255.255.0', "'192.0.2.0/255.255.255.0' is not an IP address or network"],
    ['192.0.2/24', "'192.0.2/24' is not an IP address or network"],
    ['999.1', "'999.1' is not an IP address or network"],
    ['10', "'10' is not an IP address or network"],
    ['2001:db8::/129', "'2001:db8::/129' is not an IP address or network"],
    ['fe80::1%eth0', "'fe80::1%eth0' is not an IP address or network"],
    ['mail.example.com:25', "'mail.example.com:25' is not a host name, an address or a /regex/"],
    ['joe@example.com', "'joe@example.com' is not a host name, an address or a /regex/"],
    ['bücher.example', "'bücher.example' is not a host name, an address or a /regex/"],
    ['mail example.com', "'mail example.com' has a blank inside: one entry a line"],
    [
      '*.example.com',
      "'*.example.com' would never match: * is no wildcard here; a domain alone stands for all names below it",
    ],
    [
      '.example.com',
      "'.example.com' would never match: no dot goes before a domain or after it, nor two in a row",
    ],
    [
      'example.com.',
      "'example.com.' would never match: no dot goes before a domain or after it, nor two in a row",
    ],
  ] as const;
  for (const [line, expected] of table) assert.equal(meaning('client', line), `bad: ${expected}`, line);
});

test('a mailbox line that could never match says why', () => {
  const table = [
    ['@example.com', "'@example.com' would never match: write a domain without @ for everyone at it"],
    ['*@example.com', "'*@example.com' would never match: write a domain without @ for everyone at it"],
    ['@', "'@' would never match: write a domain without @ for everyone at it"],
    ['<joe@example.com>', "'<joe@example.com>' would never match: leave out < and >"],
    ['<>', "'<>' would never match: the null sender is /^$/"],
    ['joe smith', "'joe smith' has a blank inside: one entry a line"],
  ] as const;
  for (const [line, expected] of table) assert.equal(meaning('sender', line), `bad: ${expected}`, line);
});

test('a regular expression that cannot be used says why', () => {
  const table = [
    [
      '/(?=a)b/',
      "'/(?=a)b/' cannot be used: RE2 has no lookahead or lookbehind, which keeps its time linear",
    ],
    [
      '/(?<!a)b/',
      "'/(?<!a)b/' cannot be used: RE2 has no lookahead or lookbehind, which keeps its time linear",
    ],
    ['/(a)\\1/', "'/(a)\\1/' cannot be used: RE2 has no backreferences, which keeps its time linear"],
    ['/(/', "'/(/' cannot be used: missing closing ): `(`"],
    ['/a{2000}/', "'/a{2000}/' cannot be used: invalid repeat count: `{2000}`"],
    [`/${'.{900}'.repeat(12)}/`, `'/${'.{900}'.repeat(12)}/' is too large`],
  ] as const;
  for (const [line, expected] of table) {
    assert.equal(meaning('client', line), `bad: the regular expression ${expected}`, line);
  }
  assert.match(meaning('client', '//'), /^bad: the regular expression \/\/ is empty/);
  assert.match(meaning('client', '/example'), /does not end with \//);
  assert.match(meaning('recipient', '/a#b/'), /'\/a' begins like a regular expression/);
  assert.match(meaning('client', '/example/i'), /no flags/);
  assert.match(meaning('client', `/${'('.repeat(2000)}${')'.repeat(2000)}/`), /^bad: /);
});

test('a line of more than 4096 characters is a problem, comment or not', () => {
  assert.equal(meaning('client', `a # ${'x'.repeat(4092)}`), 'domain a');
  assert.equal(meaning('client', `a # ${'x'.repeat(4093)}`), 'bad: the line has more than 4096 characters');
});

test('what is quoted from a bad line is short and harmless', () => {
  assert.equal(
    meaning('client', '\u001b[31mred\u202e'),
    "bad: '?[31mred?' is not a host name, an address or a /regex/",
  );
  assert.ok(meaning('client', `!${'x'.repeat(4000)}`).length < 200);
  const { pick, seed } = random();
  const alphabet = [
    '/',
    '(',
    '[',
    '\\',
    '\u0000',
    '\u001b',
    '\u202e',
    '\ud800',
    'a',
    '@',
    '.',
    ':',
    '*',
    '{',
    '9',
    '?',
  ];
  for (let round = 0; round < 5000; round += 1) {
    const text = Array.from({ length: pick(12) }, () => alphabet[pick(alphabet.length)] ?? '').join('');
    for (const kind of ['client', 'sender'] as const) {
      const parsed = parseLine(kind, text);
      if (parsed && 'problem' in parsed) {
        assert.match(parsed.problem, /^[ -~]+$/, `${JSON.stringify(text)} (seed ${seed})`);
      }
    }
  }
});

test('a list keeps its good lines and names its bad ones by line number', () => {
  const { entries, problems } = parseList(
    'client',
    '# words\r\n\r\nexample.com # why\r\n1.2.3.4/99\n192.0.2.1',
    'F',
  );
  assert.deepEqual(
    entries.map(({ kind, pattern, comment, origin }) => ({ kind, pattern, comment, origin })),
    [
      { kind: 'client', pattern: 'example.com', comment: 'why', origin: { file: 'F', line: 3 } },
      { kind: 'client', pattern: '192.0.2.1', comment: undefined, origin: { file: 'F', line: 5 } },
    ],
  );
  assert.deepEqual(problems, [
    { file: 'F', line: 4, message: "'1.2.3.4/99' is not an IP address or network" },
  ]);
});

test('a stored entry is read by the same rules and keeps its id, comment and expiry', () => {
  const listed = {
    id: 7,
    kind: 'sender',
    pattern: 'joe@',
    comment: 'asked for',
    addedAt: 1,
    hits: 0,
  } as const;
  const entry = parseListed({ ...listed, expiresAt: 99 });
  assert.ok('rule' in entry);
  assert.deepEqual(entry.origin, { store: 7 });
  assert.equal(entry.comment, 'asked for');
  assert.equal(entry.expiresAt, 99);
  assert.equal(described(entry.rule), 'user joe');
  assert.deepEqual(parseListed({ ...listed, pattern: ' # ' }), { problem: 'the pattern is empty' });
  assert.ok('problem' in parseListed({ ...listed, pattern: 'a b' }));
});

test("every line of Debian's postgrey lists is understood", needs('postgrey'), () => {
  for (const kind of ['client', 'recipient'] as const) {
    const file = `/etc/postgrey/whitelist_${kind}s`;
    const { entries, problems } = parseList(kind, readFileSync(file, 'utf8'), file);
    assert.deepEqual(problems, []);
    assert.ok(entries.length > 1);
  }
});
