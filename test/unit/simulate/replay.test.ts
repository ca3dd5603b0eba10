import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decide, keyed, type Memory } from '#src/greylist/decide.js';
import { defaultSettings, type Settings } from '#src/greylist/settings.js';
import type { LoggedAttempt } from '#src/maillog/attempts.js';
import type { Outcome } from '#src/simulate/outcome.js';
import { compile } from '#src/whitelist/matcher.js';
import { parseList } from '#src/whitelist/syntax.js';
import { random } from '../../support/random.js';
import { attemptOf, logStart, replayOf, type AttemptParts } from '../../support/rehearsal.js';

const hour = 3600;
const day = 86_400;

/** Takes all attempts and lets the log end; resolves to the reasons and what came out. */
function rehearse(replay: ReturnType<typeof replayOf>, parts: readonly AttemptParts[]) {
  const reasons = parts.map((one) => replay.take(attemptOf(one)).reason);
  replay.finish();
  return { reasons, outcome: replay.outcome };
}

/** Some hours to months of attempts of a few senders, in time order. */
function randomAttempts({ pick, oneOf }: ReturnType<typeof random>, count: number): LoggedAttempt[] {
  let at = 0;
  return Array.from({ length: count }, () => {
    at += pick(oneOf([2, 100, 1000, 10_000, 300_000]));
    return attemptOf({
      at,
      client: `192.0.${pick(3)}.${pick(3)}`,
      sender: oneOf(['', 'a@one.example', 'b@two.example', 'c@three.example']),
      recipient: oneOf(['bob@example.org', 'eve@example.org']),
      logged: oneOf(['accepted', 'greylisted', 'greylisted']),
    });
  });
}

function randomSettings({ oneOf, pick }: ReturnType<typeof random>): Settings {
  return {
    ...defaultSettings,
    delaySeconds: 1 + pick(2000),
    retryWindowSeconds: oneOf([3 * hour, 2 * day]),
    maxAgeSeconds: oneOf([4 * day, 35 * day]),
    awlClients: oneOf([0, 1, 2, 5]),
    clientKey: oneOf(['subnet', 'host']),
  };
}

test('a rehearsal of deferrals decides as the server does', () => {
  const source = random();
  for (let round = 0; round < 50; round += 1) {
    const settings = randomSettings(source);
    const replay = replayOf(settings);
    const memories = new Map<string, Memory['entry']>();
    const clients = new Map<string, Memory['client']>();
    for (const logged of randomAttempts(source, 200)) {
      // What the log shows accepted and the rehearsal defers is taken to come back: not what a server sees.
      const attempt = keyed(logged.attempt, settings);
      const key = JSON.stringify(attempt.triplet);
      const before = { entry: memories.get(key), client: clients.get(attempt.address) };
      const { decision, memory } = decide(attempt, before);
      memories.set(key, memory.entry);
      clients.set(attempt.address, memory.client);
      assert.deepEqual(replay.take({ ...logged, logged: 'greylisted' }), decision, `seed ${source.seed}`);
    }
  }
});

/** What became of the triplets that were met as new, all together. */
function endedTriplets(outcome: Outcome): number {
  const { tripletsPassed, tripletsByAwl, tripletsAssumed, tripletsNeverReturned } = outcome;
  return tripletsPassed + tripletsByAwl + tripletsAssumed + tripletsNeverReturned;
}

test('every triplet came back, was taken to come back, passed by the AWL, or never returned', () => {
  const source = random();
  for (let round = 0; round < 300; round += 1) {
    const settings = randomSettings(source);
    const assumedRetrySeconds = source.oneOf([60, 900, hour, 3 * day]);
    const replay = replayOf(settings, { assumedRetrySeconds });
    for (const logged of randomAttempts(source, 150)) replay.take(logged);
    replay.finish();
    const { outcome } = replay;
    assert.equal(
      outcome.triplets,
      endedTriplets(outcome),
      `seed ${source.seed}, round ${round}: ${JSON.stringify({ settings, assumedRetrySeconds })}`,
    );
    assert.equal(outcome.attempts, 150);
    assert.equal(outcome.verdicts.pass + outcome.verdicts.greylist, 150);
    assert.ok(outcome.tripletsUndecided <= outcome.tripletsNeverReturned, `seed ${source.seed}`);
  }
});

test('what the log accepted and the settings would defer is taken to come back after the given time', () => {
  const { outcome, reasons } = rehearse(replayOf(), [
    { logged: 'accepted' },
    { at: 1000, logged: 'accepted' },
  ]);
  assert.deepEqual(reasons, ['new', 'triplet found']);
  assert.equal(outcome.tripletsAssumed, 1);
  assert.equal(outcome.tripletsPassed, 0);
  assert.equal(outcome.assumedDelays.quantile(1), 900);
  assert.equal(outcome.observedDelays.count, 0);
});

test('what the log deferred is not taken to come back', () => {
  const { outcome } = rehearse(replayOf(), [{}]);
  assert.equal(outcome.tripletsAssumed, 0);
  assert.equal(outcome.tripletsNeverReturned, 1);
  assert.equal(outcome.tripletsUndecided, 1);
});

test('a sender is taken to come back as fast as its domain did before in the same log', () => {
  const { outcome } = rehearse(replayOf(), [
    { client: '198.51.100.1' },
    { at: 400, client: '198.51.100.1', logged: 'accepted' },
    { at: 500, sender: 'other@example.com', logged: 'accepted' },
    { at: 500, sender: 'other@elsewhere.example', logged: 'accepted' },
  ]);
  assert.deepEqual(
    [0, 1].map((part) => outcome.assumedDelays.quantile(part)),
    [400, 900],
  );
  assert.equal(outcome.observedDelays.quantile(1), 400);
});

test('a delay that is longer than the assumed time takes several assumed retries', () => {
  const { outcome } = rehearse(replayOf({ delaySeconds: 2000 }), [{ logged: 'accepted' }]);
  assert.equal(outcome.assumedDelays.quantile(1), 2700);
  assert.equal(outcome.tripletsAssumed, 1);
});

test('what is seen and what is assumed is summed apart for each sender domain', () => {
  const { outcome } = rehearse(replayOf(), [
    { recipient: 'seen@example.org' },
    { at: 600, recipient: 'seen@example.org', logged: 'accepted' },
    { at: 700, recipient: 'assumed@example.org', logged: 'accepted' },
  ]);
  assert.deepEqual(outcome.senders.largest('seconds', 9), [
    {
      name: 'example.com',
      sums: { messages: 2, observedSeconds: 600, assumedSeconds: 600, seconds: 1200 },
    },
  ]);
});

test('an assumed retry that comes after the retry window begins anew, is given up after days, and is no other triplet', () => {
  const { outcome } = rehearse(replayOf({}, { assumedRetrySeconds: 3 * day }), [{ logged: 'accepted' }]);
  assert.equal(outcome.tripletsAssumed, 0);
  assert.equal(outcome.givenUp, 1);
  assert.equal(outcome.triplets, 1);
  assert.equal(outcome.tripletsNeverReturned, 1);
});

test('two mails of one triplet that pass by the auto-whitelist are one triplet that came back', () => {
  const { outcome, reasons } = rehearse(replayOf({ awlClients: 1 }), [
    { recipient: 'one@example.org' },
    { at: 10 },
    { at: 400, recipient: 'one@example.org' },
    { at: 500 },
    { at: 600 },
  ]);
  assert.deepEqual(reasons, ['new', 'new', 'triplet found', 'client AWL', 'client AWL']);
  assert.equal(outcome.tripletsByAwl, 1);
  assert.equal(outcome.tripletsNeverReturned, 0);
});

test('a triplet that passed by the auto-whitelist and later by its own entry came back once', () => {
  const { outcome, reasons } = rehearse(replayOf({ awlClients: 1 }), [
    { recipient: 'one@example.org' },
    { at: 10 },
    { at: 400, recipient: 'one@example.org' },
    { at: 500 },
    // The auto-whitelist knows a client by its whole address, the triplet by its network.
    { at: 600, client: '192.0.2.6' },
  ]);
  assert.deepEqual(reasons, ['new', 'new', 'triplet found', 'client AWL', 'triplet found']);
  assert.deepEqual([outcome.triplets, outcome.tripletsPassed, outcome.tripletsByAwl], [2, 1, 1]);
});

test('a client that earns the auto-whitelist by an assumed return is counted', () => {
  const { outcome, reasons } = rehearse(replayOf({ awlClients: 1 }), [
    { logged: 'accepted' },
    { at: 1000, sender: 'other@example.com', logged: 'accepted' },
  ]);
  assert.deepEqual(reasons, ['new', 'client AWL']);
  assert.equal(outcome.awlClients, 1);
});

test('whoever is whitelisted passes and is not remembered', () => {
  const { entries } = parseList('client', 'example.net\n', 'list');
  const list = compile(entries);
  const replay = replayOf({}, { match: (attempt, now) => list.match(attempt, now) });
  const { outcome, reasons } = rehearse(replay, [
    { name: 'mx.example.net', logged: 'accepted' },
    { at: 10 },
    { at: 20, name: 'mx.example.net' },
  ]);
  assert.deepEqual(reasons, ['client whitelist', 'new', 'client whitelist']);
  assert.equal(outcome.triplets, 1);
  assert.equal(outcome.assumedDelays.count, 0);
  assert.equal(outcome.agreement.greylisted.pass, 1);
});

test('with the client key domain a retry from another network of the same domain passes', () => {
  const attempts = [
    { name: 'a.pool.example' },
    { at: 400, client: '198.51.100.7', name: 'b.pool.example', logged: 'accepted' as const },
  ];
  assert.deepEqual(rehearse(replayOf(), attempts).reasons, ['new', 'new']);
  assert.deepEqual(rehearse(replayOf({ clientKey: 'domain' }), attempts).reasons, ['new', 'triplet found']);
});

test('an attempt that the log tells too late is taken as of now', () => {
  const replay = replayOf();
  replay.take(attemptOf({ at: 2000 }));
  const late = replay.take(attemptOf({ at: 100, logged: 'accepted' }));
  assert.deepEqual([late.reason, late.waitSeconds], ['early-retry', 300]);
  assert.equal(replay.take(attemptOf({ at: 2200 })).reason, 'early-retry');
  replay.finish();
  assert.equal(replay.outcome.assumedDelays.quantile(1), 900);
});

test('a long log is forgotten as it goes, and what is forgotten while it waits never returned', () => {
  const replay = replayOf({ retryWindowSeconds: hour }, {});
  const count = 400_000;
  let most = 0;
  for (let index = 0; index < count; index += 1) {
    replay.take(attemptOf({ at: index * 10, sender: `sender${index}@example.com` }));
    if (index % 1000 === 0) most = Math.max(most, replay.memory.size);
  }
  // Of the latest 100,000 deferrals the time is remembered, and the table is tidied when it has doubled.
  assert.ok(most <= 201_000, `${most} triplets held`);
  assert.ok(replay.outcome.tripletsNeverReturned > count - most);
  replay.finish();
  assert.equal(replay.outcome.tripletsNeverReturned, count);
  assert.equal(replay.outcome.tripletsUndecided, hour / 10 + 1);
});

test('a flood from one network is held back as the server would, until it is forgotten', () => {
  const replay = replayOf({ maxWaitingPerClient: 3, maxWaiting: 5, retryWindowSeconds: 2 * hour });
  const mail = (at: number, client: string, number: number): AttemptParts => ({
    ...{ at, client, sender: `s${number}@example.com` },
  });
  const { reasons } = rehearse(replay, [
    ...[1, 2, 3, 4].map((number) => mail(number, '192.0.2.5', number)),
    ...[5, 6, 7].map((number) => mail(number, '198.51.100.5', number)),
    mail(400, '192.0.2.5', 1),
    mail(401, '192.0.2.5', 8),
    mail(402, '198.51.100.5', 9),
    mail(3 * hour, '192.0.2.5', 10),
  ]);
  assert.deepEqual(reasons, [
    ...['new', 'new', 'new', 'too many from client'],
    ...['new', 'new', 'too many waiting'],
    ...['triplet found', 'new', 'too many waiting', 'new'],
  ]);
});

test('a triplet of the database goes on where it stood', () => {
  const replay = replayOf();
  const triplet = { client: '192.0.2.0', sender: 'alice@example.com', recipient: 'bob@example.org' };
  const start = logStart - 1000;
  replay.memory.preload(triplet, { firstSeen: start, lastSeen: start, deferrals: 1, passes: 0 });
  replay.memory.preloadClient('198.51.100.1', { count: 5, lastCounted: start });
  const { outcome, reasons } = rehearse(replay, [
    { logged: 'accepted' },
    { client: '198.51.100.1', logged: 'accepted' },
  ]);
  assert.deepEqual(reasons, ['triplet found', 'client AWL']);
  assert.equal(outcome.triplets, 0);
  assert.equal(outcome.tripletsNeverReturned, 0);
});

test('what comes before the counting is remembered, and not counted', () => {
  const source = random();
  for (let round = 0; round < 300; round += 1) {
    const settings = randomSettings(source);
    const attempts = randomAttempts(source, 150);
    const countFrom = (attempts[source.pick(160)]?.attempt.time ?? Infinity) + source.pick(2);
    const whole = replayOf(settings);
    const part = replayOf(settings, { countFrom });
    let counted = 0;
    for (const logged of attempts) {
      assert.deepEqual(part.take(logged), whole.take(logged), `seed ${source.seed}`);
      assert.equal(part.isCounting, logged.attempt.time >= countFrom);
      if (part.isCounting) counted += 1;
    }
    for (const replay of [whole, part]) replay.finish();
    const { outcome } = part;
    assert.equal(outcome.attempts, counted, `seed ${source.seed}`);
    assert.equal(outcome.triplets, endedTriplets(outcome), `seed ${source.seed}`);
    const held = outcome.agreement.accepted.greylist;
    assert.equal(outcome.assumedDelays.count + outcome.givenUp, held, `seed ${source.seed}`);
  }
});

test('the assumed wait begins with the first attempt, where the log shows it deferred', () => {
  const { outcome } = rehearse(replayOf(), [{}, { at: 40, logged: 'accepted' }]);
  // It comes back every 40 s, as it did before.
  assert.equal(outcome.assumedDelays.quantile(1), 320);
});

test('clients that join the auto-whitelist by assumed retries are told apart', () => {
  const { outcome } = rehearse(replayOf({ awlClients: 1 }), [
    { logged: 'accepted' },
    { at: 10, client: '198.51.100.1' },
    { at: 400, client: '198.51.100.1', logged: 'accepted' },
  ]);
  assert.deepEqual([outcome.awlClients, outcome.awlClientsAssumed], [2, 1]);
});
