import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultSettings, type Settings } from '#src/greylist/settings.js';
import { registrableDomain } from '#src/names/domain.js';
import { createLearner } from '#src/simulate/learn.js';
import { MemoryStore } from '#src/store/memory.js';
import { attemptOf, logStart, type AttemptParts } from '../../support/rehearsal.js';

const hour = 3600;
const day = 86_400;
const triplet = { client: '192.0.2.0', sender: 'alice@example.com', recipient: 'bob@example.org' };

/** What attempts prove, `after` seconds after the log began. */
function learned(parts: readonly AttemptParts[], settings: Partial<Settings> = {}, after = day) {
  const now = logStart + after;
  const learner = createLearner({ ...defaultSettings, ...settings }, registrableDomain, now);
  for (const one of parts) learner.take(attemptOf(one));
  return { entries: [...learner.entries(now)], clients: [...learner.clients(now)], ahead: learner.ahead };
}

test('a triplet that was deferred and came back is proved, with its whole history', () => {
  const { entries } = learned([
    {},
    { at: 100 },
    { at: 400, logged: 'accepted' },
    { at: 900, logged: 'accepted' },
  ]);
  assert.deepEqual(entries, [
    {
      triplet,
      firstSeen: logStart,
      lastSeen: logStart + 900,
      deferrals: 2,
      passedAt: logStart + 400,
      passes: 2,
    },
  ]);
});

test('a triplet that only waited proves nothing', () => {
  assert.deepEqual(learned([{}, { at: 400 }]).entries, []);
});

test('a log without greylisting proves its correspondents, but no auto-whitelist', () => {
  const { entries, clients } = learned(
    [{ logged: 'accepted' }, { at: 2 * hour, sender: 'carol@example.com', logged: 'accepted' }],
    { awlClients: 1 },
  );
  assert.deepEqual(
    entries.map((entry) => [entry.triplet.sender, entry.deferrals, entry.passes]),
    [
      ['alice@example.com', 0, 1],
      ['carol@example.com', 0, 1],
    ],
  );
  assert.deepEqual(clients, []);
});

test('what the max age has forgotten by now is left out', () => {
  const accepted = [{ logged: 'accepted' as const }];
  assert.equal(learned(accepted, {}, 35 * day).entries.length, 1);
  assert.equal(learned(accepted, {}, 35 * day + 1).entries.length, 0);
});

test('a deferral before a pause longer than the retry window does not belong to the triplet', () => {
  const { entries } = learned([{}, { at: 3 * day, logged: 'accepted' }], {}, 4 * day);
  assert.deepEqual(
    entries.map(({ firstSeen, deferrals }) => [firstSeen - logStart, deferrals]),
    [[3 * day, 0]],
  );
});

/** So many triplets of one client that come back, one every `interval` seconds. */
function returns(count: number, interval: number): AttemptParts[] {
  return Array.from({ length: count }, (_, index) => {
    const sender = `s${index}x@example.com`;
    return [
      { at: index * interval, sender },
      { at: index * interval + 400, sender, logged: 'accepted' as const },
    ];
  }).flat();
}

test('a client whose triplets came back often enough has earned the auto-whitelist', () => {
  assert.deepEqual(learned(returns(5, hour)).clients, [
    { address: '192.0.2.5', count: 5, lastCounted: logStart + 4 * hour + 400 },
  ]);
  assert.deepEqual(learned(returns(4, hour)).clients, []);
  assert.deepEqual(learned(returns(5, hour), { awlClients: 0 }).clients, []);
});

test('returns within an hour count once for the auto-whitelist', () => {
  assert.deepEqual(learned(returns(5, 600)).clients, []);
});

test('returns that the max age has forgotten earn no auto-whitelist', () => {
  assert.deepEqual(learned(returns(5, 40 * day), {}, 200 * day).clients, []);
  assert.deepEqual(learned(returns(5, hour), {}, 60 * day).clients, []);
});

test('with the client key domain a pool is proved by its domain', () => {
  const { entries } = learned([{ name: 'mx7.pool.example', logged: 'accepted' }], { clientKey: 'domain' });
  assert.equal(entries[0]?.triplet.client, 'pool.example');
});

test('what is ahead of now is taken as of now, and left out when it is more than a day ahead', () => {
  const { entries, clients, ahead } = learned(
    [
      {},
      { at: 400, logged: 'accepted' },
      { at: 2 * day, logged: 'accepted' },
      { at: 400 * day, logged: 'accepted' },
    ],
    { awlClients: 1 },
    300,
  );
  const now = logStart + 300;
  assert.deepEqual(
    entries.map(({ firstSeen, lastSeen, passedAt, passes }) => [firstSeen, lastSeen, passedAt, passes]),
    [[logStart, now, now, 1]],
  );
  assert.deepEqual(clients, [{ address: '192.0.2.5', count: 1, lastCounted: now }]);
  assert.deepEqual(ahead, { attempts: 2, latest: logStart + 400 * day });
});

test('learning the same log again changes nothing', async () => {
  const store = new MemoryStore();
  const { entries, clients } = learned(returns(6, hour));
  assert.deepEqual(await store.merge(entries, clients), { added: 7, changed: 0 });
  const again = learned(returns(6, hour));
  assert.deepEqual(await store.merge(again.entries, again.clients), { added: 0, changed: 0 });
});
