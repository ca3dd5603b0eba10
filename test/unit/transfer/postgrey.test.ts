import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultSettings } from '#src/greylist/settings.js';
import { createDumpParser, type DumpRecord } from '#src/transfer/dump.js';
import { createPostgreyReader, parseKey } from '#src/transfer/postgrey.js';
import { parseDefaults } from '#src/transfer/postgrey-options.js';

const now = 1_000_000;

function records(lines: readonly string[]): DumpRecord[] {
  const parser = createDumpParser('dump');
  const found = lines.flatMap((line) => parser.line(line) ?? []);
  parser.end();
  return found;
}

const dumped = (format: string, ...data: string[]) => [
  ...['VERSION=3', `format=${format}`, 'type=btree', 'HEADER=END'],
  ...data.map((line) => ` ${line}`),
  'DATA=END',
];

test('both formats of a dump give the same records', () => {
  const record = { key: 'a\\b@é', value: '1,2' };
  assert.deepEqual(records(dumped('print', 'a\\\\b@\\c3\\a9', '1,2')), [record]);
  assert.deepEqual(records(dumped('bytevalue', '615c6240c3a9', '312c32')), [record]);
});

test('what is no dump, or not all of one, is refused with its line', () => {
  assert.throws(() => records(['hello']), /cannot read dump: line 1 is not what db_dump writes: "hello"/);
  assert.throws(() => records(dumped('bytevalue', 'xy')), /line 5 is not/);
  assert.throws(() => records(dumped('print', 'a\\')), /line 5 is not/);
  assert.throws(() => records(dumped('print', 'a', 'b').slice(0, -1)), /DATA=END is missing/);
  assert.throws(() => records(dumped('print', 'a')), /line 6 is not/);
  assert.throws(() => records([]), /DATA=END is missing/);
});

test('a key is split at the slashes that count', () => {
  const parts = (key: string) => {
    const { client, sender, recipient } = parseKey(key) ?? assert.fail(key);
    return [client, sender, recipient];
  };
  const net = '192.0.2.0';
  assert.deepEqual(parts(`${net}/a@s.example/b@r.example`), [net, 'a@s.example', 'b@r.example']);
  assert.deepEqual(parts(`${net}/x/y=/a@s.example/b@r.example`), [net, 'x/y=/a@s.example', 'b@r.example']);
  assert.deepEqual(parts(`${net}/a@s.example/x/b@r.example`), [net, 'a@s.example', 'x/b@r.example']);
  assert.deepEqual(parts(`${net}/"a@b/c"@s.example/b@r.example`), [net, '"a@b/c"@s.example', 'b@r.example']);
  assert.deepEqual(parts(`${net}//b@r.example`), [net, '', 'b@r.example']);
  assert.deepEqual(parts(`${net}/mailer/b@r.example`), [net, 'mailer', 'b@r.example']);
  assert.deepEqual(parts(`${net}/32/x@s.example/b@r.example`), [`${net}/32`, 'x@s.example', 'b@r.example']);
  assert.deepEqual(parts('2001:db8:0:0:0:0:0:5/128//b@r.example'), [
    '2001:db8:0:0:0:0:0:5/128',
    '',
    'b@r.example',
  ]);
  assert.deepEqual(parts('2001:db8:0:0:0:0:0:0/32/x@s.example/b@r'), [
    '2001:db8:0:0:0:0:0:0',
    '32/x@s.example',
    'b@r',
  ]);
  for (const key of ['', 'x', net, `${net}/`, `${net}/a@s.example/`, 'host/a@s/b@r']) {
    assert.equal(parseKey(key), undefined, key);
  }
});

test('a triplet has passed when first and last are the delay apart', () => {
  const reader = createPostgreyReader(defaultSettings, now);
  const put = (sender: string, value: string) => {
    reader.triplet({ key: `192.0.2.0/${sender}/b@r`, value });
  };
  put('a@s', `${now - 300},${now}`);
  put('b@s', `${now - 299},${now},mx.example`);
  const triplet = { client: '192.0.2.0', sender: 'a@s', recipient: 'b@r' };
  assert.deepEqual(reader.entries, [
    { triplet, firstSeen: now - 300, lastSeen: now, deferrals: 1, passedAt: now, passes: 1 },
    { triplet: { ...triplet, sender: 'b@s' }, firstSeen: now - 299, lastSeen: now, deferrals: 1, passes: 0 },
  ]);
});

test('clients are written as greyctl does, and what is expired, hashed or broken is counted apart', () => {
  const reader = createPostgreyReader(defaultSettings, now + 100 * 86_400);
  const time = now + 99 * 86_400;
  reader.client({ key: '2001:DB8:0:0:0:0:0:A', value: `7,${time}` });
  reader.client({ key: '192.0.2.5', value: `7,${now}` });
  reader.client({ key: 'da39a3ee5e6b4b0d3255bfef95601890afd80709', value: `7,${time}` });
  reader.client({ key: '192.0.2.6', value: 'many' });
  reader.triplet({ key: '192.0.2.0/a@s/b@r', value: `${now},${now}` });
  assert.deepEqual(reader.clients, [{ address: '2001:db8:0:0:0:0:0:a', count: 7, lastCounted: time }]);
  assert.deepEqual(reader.counts, {
    ...{ waiting: 0, passed: 0, clients: 1, expired: 2, hashed: 1, byHost: 0, unusable: 1 },
  });
});

test('the options file is read as a shell would', () => {
  assert.deepEqual(parseDefaults('#POSTGREY_OPTS="--delay=1"\nPOSTGREY_OPTS="--inet=10023"\n'), {
    words: ['--inet=10023'],
  });
  assert.deepEqual(
    parseDefaults(
      'POSTGREY_OPTS=-d\n  export POSTGREY_OPTS="$POSTGREY_OPTS \\\n --delay=60" # soon\nPOSTGREY_TEXT=\'Wait "%s" $HOME\'\n',
    ),
    { words: ['-d', '--delay=60'], text: 'Wait "%s" $HOME' },
  );
  assert.deepEqual(parseDefaults(''), { words: [] });
});
