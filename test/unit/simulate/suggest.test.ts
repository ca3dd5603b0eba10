import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultSettings, type Settings } from '#src/greylist/settings.js';
import { registrableDomain } from '#src/names/domain.js';
import { createSuggester } from '#src/simulate/suggest.js';
import { attemptOf, replayOf, type AttemptParts } from '../../support/rehearsal.js';

const hour = 3600;
const day = 86_400;

/** What attempts recommend, where slow is two hours. */
function suggested(parts: readonly AttemptParts[], settings: Partial<Settings> = {}) {
  const suggester = createSuggester(registrableDomain, 2 * hour);
  const replay = replayOf({ ...defaultSettings, ...settings }, { suggester });
  for (const one of parts) replay.take(attemptOf(one));
  replay.finish();
  return suggester.suggestions();
}

/** A mail tried from three networks of a pool; the third try is accepted. */
const pool: AttemptParts[] = [
  { at: 0, client: '192.0.2.5', name: 'a.pool.example' },
  { at: hour, client: '198.51.100.5', name: 'b.pool.example' },
  { at: 1.5 * hour, client: '203.0.113.5', name: 'c.pool.example', logged: 'accepted' },
];

test('a pool is found by its domain, with its networks and the time it would have saved', () => {
  assert.deepEqual(suggested(pool), [
    {
      pattern: 'pool.example',
      why: 'pool',
      messages: 1,
      waitedSeconds: 1.5 * hour,
      networks: 3,
      // The triplets of the first two networks never came back, but their mail did.
      alsoLetsIn: 0,
    },
  ]);
});

for (const [name, settings, nets] of [
  ['subnet', {}, ['192.0.2.7']],
  ['host', { clientKey: 'host' }, ['192.0.2.7']],
  ['a /16', { ipv4Prefix: 16 }, ['192.0.77.7']],
  ['domain', { clientKey: 'domain' }, ['192.0.2.7']],
] as const) {
  test(`what a suggested entry would let in is counted (client key: ${name})`, () => {
    const lost = nets.map((client, index): AttemptParts => ({
      at: 2 * hour + index,
      client,
      name: 'd.pool.example',
      recipient: 'trap@example.org',
    }));
    assert.equal(suggested([...pool, ...lost], settings)[0]?.alsoLetsIn, 1);
  });
}

test('strangers in the networks of a pool are not what its domain would let in', () => {
  const stranger = { at: 2 * hour, client: '192.0.2.99', recipient: 'trap@example.org' };
  assert.equal(suggested([...pool, stranger])[0]?.alsoLetsIn, 0);
});

test('of a pool without names each network is suggested that would have got through earlier', () => {
  const nameless = pool.map((one) => ({ ...one, name: 'unknown' }));
  assert.deepEqual(
    suggested(nameless).map(({ pattern, why, waitedSeconds, alsoLetsIn }) => [
      ...[pattern, why, waitedSeconds, alsoLetsIn],
    ]),
    [
      ['192.0.2.0/24', 'pool', 1.5 * hour, 0],
      ['198.51.100.0/24', 'pool', 0.5 * hour, 0],
    ],
  );
});

test('whoever takes long to come back from one network is slow', () => {
  assert.deepEqual(
    suggested([
      { client: '2001:db8:1:2::5', name: 'mx.slow.example' },
      { at: 3 * hour, client: '2001:db8:1:2::5', name: 'mx.slow.example', logged: 'accepted' },
      { sender: 'fast@example.com', recipient: 'eve@example.org', at: 3 * hour },
      { sender: 'fast@example.com', recipient: 'eve@example.org', at: 4 * hour, logged: 'accepted' },
    ]),
    [
      {
        pattern: 'slow.example',
        why: 'slow',
        messages: 1,
        waitedSeconds: 3 * hour,
        networks: 1,
        alsoLetsIn: 0,
      },
    ],
  );
});

test('bounces of many hosts to one mailbox are no pool', () => {
  assert.deepEqual(suggested(pool.map((one) => ({ ...one, sender: '' }))), []);
});

test('a mail from elsewhere weeks later is no retry of a pool', () => {
  assert.deepEqual(
    suggested([
      { client: '192.0.2.5' },
      { at: 20 * day, client: '198.51.100.5', name: 'mx.example.net', logged: 'accepted' },
    ]),
    [],
  );
});

test('the suggestion that saves most comes first', () => {
  const suggester = createSuggester(registrableDomain, 2 * hour);
  const replay = replayOf({}, { suggester });
  const slow = (letter: string, hours: number): AttemptParts[] => [
    { name: `mx.${letter}.example`, sender: `${letter}@example.com` },
    { at: hours * hour, name: `mx.${letter}.example`, sender: `${letter}@example.com`, logged: 'accepted' },
  ];
  const attempts = [...slow('a', 3), ...slow('b', 9), ...slow('c', 5)];
  for (const one of attempts.toSorted((x, y) => (x.at ?? 0) - (y.at ?? 0))) replay.take(attemptOf(one));
  assert.deepEqual(
    suggester.suggestions().map(({ pattern }) => pattern),
    ['b.example', 'c.example', 'a.example'],
  );
});

test('the widths of pools are remembered of as many as matter, however many strangers look like one', () => {
  const suggester = createSuggester(registrableDomain, 2 * hour);
  const replay = replayOf({}, { suggester });
  for (const part of pool) replay.take(attemptOf(part));
  for (let index = 0; index < 210_000; index += 1) {
    const stranger = { at: 2 * hour + index, name: `mx.s${index}.example`, sender: `a@s${index}.example` };
    replay.take(attemptOf({ ...stranger, client: '192.0.2.5' }));
    replay.take(attemptOf({ ...stranger, client: '198.51.100.5', logged: 'accepted' }));
  }
  const [first] = suggester.suggestions();
  assert.deepEqual([first?.pattern, first?.networks], ['pool.example', 3]);
});
