/** Files of all kinds that are read, damaged: whatever they hold, what reads them ends soon, and with an answer. FUZZ_INPUTS=n, SEED=n. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BadLine, exportedDocument, fieldsOf, readLine } from '#src/cli/db/exported.js';
import { parseConfigFile } from '#src/config/file.js';
import { resolve } from '#src/config/resolve.js';
import { harmlessJson, printable } from '#src/greylist/printable.js';
import { defaultSettings } from '#src/greylist/settings.js';
import { Failure } from '#src/greylist/failure.js';
import { createDumpParser } from '#src/transfer/dump.js';
import { parseDefaults } from '#src/transfer/postgrey-options.js';
import { createPostgreyReader } from '#src/transfer/postgrey.js';
import { fromSqlgrey } from '#src/transfer/sqlgrey.js';
import { importLines } from '#src/whitelist/import.js';
import { compile } from '#src/whitelist/matcher.js';
import { parseList } from '#src/whitelist/syntax.js';
import { feedMany, fuzzInputs } from '../support/fuzz.js';
import { mutate } from '../support/mutate.js';
import { random } from '../support/random.js';

const now = 1_795_000_000;

/** Lists of a few lines, each damaged now and then. */
function damagedLines(source: ReturnType<typeof random>, lines: readonly [string, ...string[]]): string {
  const count = 1 + source.pick(5);
  return Array.from({ length: count }, () => {
    const line = source.oneOf(lines);
    return source.pick(3) === 0 ? line : mutate(source, line);
  }).join('\n');
}

const listLines = [
  ...([
    'example.com # mail',
    '192.0.2.0/24',
    '192.0.2',
    '2001:db8::/32',
    '/^mx[0-9]+\\.example\\.com$/',
  ] as const),
  ...([
    'postmaster@',
    'bob@example.org',
    '/(a|aa)+$/',
    '/(.*a){20}b/i',
    '# greyctl whitelist: sender',
  ] as const),
  ...(['*.example.net', '10.', 'x # note [expires 2027-01-01T00:00:00Z]', '.example.com'] as const),
] as const;

test(`${fuzzInputs} damaged whitelists give entries and problems in words, and what they match is found soon`, () => {
  const source = random();
  const { seed, oneOf } = source;
  const subject = {
    client: { family: 4 as const, bytes: [192, 0, 2, 1] },
    clientName: 'mx1.example.com',
    sender: `${'a'.repeat(3000)}!@example.com`,
    recipient: 'bob@example.org',
  };
  const kinds = ['client', 'recipient', 'sender'] as const;
  feedMany(
    seed,
    () => damagedLines(source, listLines),
    (input) => {
      const kind = oneOf(kinds);
      const { entries, problems } = parseList(kind, input, 'f');
      assert.ok(entries.length + problems.length <= input.split('\n').length);
      for (const { message } of problems) assert.ok(message.length < 400 && printable(message) === message);
      compile(entries).match(subject, now);
      for (const { parsed } of importLines(kind, input))
        assert.ok('pattern' in parsed || printable(parsed.problem) === parsed.problem);
    },
  );
});

const configLines = [
  ...([
    'delay = 300',
    'delay = 5m # note',
    'max-age = 35d',
    'inet = 127.0.0.1:10023',
    'lookup-by-host = yes',
  ] as const),
  ...([
    'greylist-text = "a # b"',
    'ipv4cidr = 24',
    'allow = 192.0.2.0/24',
    'max-waiting = 1000',
    'socketmode = 0660',
  ] as const),
] as const;

test(`${fuzzInputs} damaged configuration files give settings and problems with their line`, () => {
  const source = random();
  feedMany(
    source.seed,
    () => damagedLines(source, configLines),
    (input) => {
      const lines = input.split('\n').length;
      for (const { line } of parseConfigFile(input).problems) assert.ok(line >= 1 && line <= lines);
      const { problems, values } = resolve({}, {}, { name: 'greyctl.conf', text: input });
      for (const problem of problems) assert.equal(printable(problem), problem);
      assert.ok(Number.isSafeInteger(values.delay) && values.delay >= 0);
    },
  );
});

const exported = [
  '{"type":"entry","client":"192.0.2.0","sender":"a@b","recipient":"c@d","first_seen":"2026-11-21T08:00:00Z","last_seen":"2026-11-21T08:00:00Z","deferrals":1,"passed_at":null,"passes":0,"released_at":null}',
  '{"type":"awl","address":"192.0.2.1","count":5,"last_counted":"2026-11-21T08:00:00Z"}',
  '{"type":"window","recipient":"a@b","open_until":"2026-11-21T08:00:00Z"}',
  '{"type":"whitelist","kind":"client","pattern":"example.com","comment":"","added_at":"2026-11-21T08:00:00Z","expires_at":null,"hits":0,"last_hit":null}',
  '{"greyctl_export":1,"exported_at":"2026-11-21T08:00:00Z","hashed":false}',
] as const;

test(`${fuzzInputs} damaged lines of an export are read or refused in words`, () => {
  const source = random();
  feedMany(
    source.seed,
    () => mutate(source, source.oneOf(exported)),
    (input) => {
      const line = readLine(fieldsOf(input));
      // What is taken can be written and is read as the same.
      const written = harmlessJson(exportedDocument(line));
      assert.deepEqual(readLine(fieldsOf(written)), line);
    },
    (error) => error instanceof BadLine && printable(error.message) === error.message,
  );
});

const dumps = [
  'VERSION=3\nformat=print\ntype=btree\nHEADER=END\n 192.0.2.0/a@b.example/c@d.example\n 1794900000,1794900400\n 192.0.2.9\n 5,1794900000\nDATA=END\n',
  'VERSION=3\nformat=bytevalue\ntype=btree\nHEADER=END\n 3139322e302e322e302f6140622f6340\n 313739343930303030302c31373934393030343030\nDATA=END\n',
  'VERSION=3\nformat=print\nHEADER=END\n 2001:db8::/a/b@x/c\\5cd@e\n 1794900000,1794900001,host\nDATA=END\n',
] as const;

test(`${fuzzInputs} damaged texts of db_dump are read or refused in words`, () => {
  const source = random();
  feedMany(
    source.seed,
    () => mutate(source, source.oneOf(dumps)),
    (input) => {
      const parser = createDumpParser('dump');
      const reader = createPostgreyReader(defaultSettings, now);
      const lines = input.split('\n');
      if (lines.at(-1) === '') lines.pop();
      for (const line of lines) {
        const record = parser.line(line);
        if (!record) continue;
        reader.triplet(record);
        reader.client(record);
      }
      parser.end();
      for (const { firstSeen, lastSeen } of reader.entries)
        assert.ok(Number.isSafeInteger(firstSeen) && Number.isSafeInteger(lastSeen));
      for (const { count, lastCounted } of reader.clients)
        assert.ok(Number.isSafeInteger(count) && Number.isSafeInteger(lastCounted));
    },
    (error) => error instanceof Failure && printable(error.message) === error.message,
  );
});

test(`${fuzzInputs} damaged option files of postgrey and rows of sqlgrey are read`, () => {
  const source = random();
  const options = 'POSTGREY_OPTS="--inet=10023 --delay=60"\nPOSTGREY_TEXT="Try \\"later\\""\n';
  feedMany(
    source.seed,
    () => mutate(source, options),
    (input) => {
      parseDefaults(input);
      const [senderName = '', senderDomain = '', address = '', recipient = ''] = input.split(/[\n= ]/);
      for (const table of ['connect', 'from_awl', 'domain_awl'] as const) {
        const row = {
          table,
          senderName,
          senderDomain,
          source: address,
          recipient,
          firstSeen: now - 10,
          lastSeen: now,
        };
        fromSqlgrey([row], defaultSettings, now);
      }
    },
  );
});
