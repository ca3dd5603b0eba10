import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decide, released, type KeyedAttempt, type Memory } from '#src/greylist/decide.js';
import { contradictions, defaultSettings, type Rules } from '#src/greylist/settings.js';

const triplet = { client: '192.0.2.0', sender: 'a@s', recipient: 'b@r' };
const day = 86_400;

function keyed(time: number, rules: Partial<Rules> = {}): KeyedAttempt {
  return { time, triplet, address: '192.0.2.5', rules: { ...defaultSettings, ...rules } };
}

/** Sends attempts at the given times and returns the verdicts in short, and what is remembered. */
function play(times: readonly number[], rules: Partial<Rules> = {}, start: Memory = {}) {
  let memory = start;
  const said: string[] = [];
  for (const time of times) {
    const result = decide(keyed(time, rules), memory);
    memory = result.memory;
    said.push(`${result.decision.verdict} ${result.decision.reason} ${result.decision.waitSeconds}`);
  }
  return { memory, said };
}

test('a new triplet waits, an early retry waits for the rest, and at exactly the delay it passes', () => {
  const { said, memory } = play([1000, 1012, 1299, 1300]);
  assert.deepEqual(said, [
    'greylist new 300',
    'greylist early-retry 288',
    'greylist early-retry 1',
    'pass triplet found 0',
  ]);
  assert.deepEqual(memory.entry, {
    firstSeen: 1000,
    lastSeen: 1300,
    deferrals: 3,
    passedAt: 1300,
    passes: 1,
  });
});

test('only the first pass tells how long the triplet had waited', () => {
  const first = decide(keyed(1300), play([1000]).memory);
  assert.equal(first.decision.delaySeconds, 300);
  assert.equal(decide(keyed(1301), first.memory).decision.delaySeconds, undefined);
});

test('where too many wait a new triplet is not remembered: it passes, or is deferred when its client is the reason', () => {
  const rules = { maxWaiting: 100, maxWaitingPerClient: 10 };
  const decided = (all: number, ofClient: number, more: Memory = {}, time = 1000) =>
    decide(keyed(time, rules), { ...more, waiting: { all, ofClient } });
  assert.equal(decided(99, 9).decision.reason, 'new');
  assert.deepEqual(decided(99, 10).decision, {
    verdict: 'greylist',
    reason: 'too many from client',
    waitSeconds: 300,
  });
  assert.deepEqual(decided(100, 9).decision, { verdict: 'pass', reason: 'too many waiting', waitSeconds: 0 });
  assert.equal(decided(100, 10).decision.verdict, 'greylist', 'a flood does not open the door for itself');
  for (const { memory } of [decided(99, 10), decided(100, 9)]) assert.equal(memory.entry, undefined);
  const { memory } = play([1000]);
  assert.equal(decided(100, 10, memory, 1001).decision.reason, 'early-retry');
  assert.equal(decided(100, 10, memory, 1300).decision.reason, 'triplet found');
  assert.equal(decided(100, 10, { openUntil: 2000 }).decision.reason, 'released');
});

test('a first retry at the end of the retry window passes, one second later it is new', () => {
  assert.equal(play([0, 2 * day]).said.at(-1), 'pass triplet found 0');
  const late = play([0, 2 * day + 1]);
  assert.equal(late.said.at(-1), 'greylist new 300');
  assert.equal(late.memory.entry?.firstSeen, 2 * day + 1);
});

test('a passed triplet stays passed while used once in max age and is forgotten after it, at look-up', () => {
  const start = play([0, 300]).memory;
  assert.equal(play([300 + 35 * day, 300 + 70 * day], {}, start).said.at(-1), 'pass triplet found 0');
  assert.equal(play([300 + 35 * day + 1], {}, start).said.at(-1), 'greylist new 300');
});

test('raising the delay does not take a pass back', () => {
  assert.equal(
    play([1000], { delaySeconds: 3600 }, play([0, 300]).memory).said.at(-1),
    'pass triplet found 0',
  );
});

test('a first_seen in the future is taken as now, and nobody waits longer than the delay again', () => {
  const { said, memory } = play([1_000_000, 1000, 1300]);
  assert.deepEqual(said.slice(1), ['greylist early-retry 300', 'pass triplet found 0']);
  assert.equal(memory.entry?.firstSeen, 1000);
});

test('with delay 0 everything passes, and is learned, but counts for no auto-whitelist', () => {
  const { said, memory } = play([0, 10], { delaySeconds: 0 });
  assert.deepEqual(said, ['pass new 0', 'pass triplet found 0']);
  assert.equal(memory.client, undefined);
  assert.equal(play([20], {}, memory).said.at(-1), 'pass triplet found 0');
});

test('the auto-whitelist counts first passes, at most one an hour, as seen in postgrey', () => {
  let memory: Memory = {};
  const counts: (number | undefined)[] = [];
  for (const time of [0, 600, 3599, 3600, 7300, 11_000, 14_700]) {
    const entry = { firstSeen: time - 300, lastSeen: time - 300, deferrals: 1, passes: 0 };
    const { decision, memory: after } = decide(keyed(time), { entry, client: memory.client });
    counts.push(after.client?.count);
    assert.equal(decision.joinedAwl ?? false, time === 14_700);
    memory = after;
  }
  assert.deepEqual(counts, [1, 1, 1, 2, 3, 4, 5]);
  const listed = decide(keyed(14_800), { client: memory.client });
  assert.equal(listed.decision.reason, 'client AWL');
  assert.equal(listed.memory.client?.count, 5);
  assert.equal(listed.memory.entry, undefined);
  assert.equal(decide(keyed(18_300), { client: memory.client }).memory.client?.count, 6);
});

test('a client counted by a server whose clock is ahead is not counted again at once', () => {
  const entry = { firstSeen: 9000, lastSeen: 9000, deferrals: 1, passes: 0 };
  const countAfter = (lastCounted: number) =>
    decide(keyed(10_000), { entry, client: { count: 1, lastCounted } }).memory.client?.count;
  assert.deepEqual([10_001, 13_599, 13_600].map(countAfter), [1, 1, 2]);
});

test('a client unseen for max age has to earn the auto-whitelist again', () => {
  const client = { count: 9, lastCounted: 0 };
  assert.equal(decide(keyed(35 * day), { client }).decision.reason, 'client AWL');
  assert.equal(decide(keyed(35 * day + 1), { client }).decision.reason, 'new');
  assert.equal(decide(keyed(10, { awlClients: 0 }), { client }).decision.reason, 'new');
});

test('an exemption passes and remembers nothing', () => {
  const memory = {};
  const result = decide({ time: 0, exemption: 'recipient whitelist' }, memory);
  assert.deepEqual(result.decision, { verdict: 'pass', reason: 'recipient whitelist', waitSeconds: 0 });
  assert.equal(result.memory, memory);
});

test('a delay that is not shorter than the retry window is a contradiction', () => {
  assert.deepEqual(contradictions(defaultSettings), []);
  assert.equal(contradictions({ ...defaultSettings, retryWindowSeconds: 300 }).length, 1);
});

test('what waits is released once, and what has passed not at all', () => {
  const entry = { firstSeen: 1000, lastSeen: 1000, deferrals: 1, passes: 0 };
  const once = released(entry, 1001);
  assert.deepEqual(once, { ...entry, releasedAt: 1001 });
  assert.equal(released(once, 1002), once);
  const passed = { ...entry, passedAt: 1300, passes: 1 };
  assert.equal(released(passed, 1301), passed);
});

test('released, a triplet passes before the delay is over, once it is still remembered', () => {
  const entry = { firstSeen: 1000, lastSeen: 1000, deferrals: 1, passes: 0, releasedAt: 1001 };
  assert.deepEqual(play([1010, 1011], {}, { entry }).said, ['pass released 0', 'pass triplet found 0']);
  assert.deepEqual(play([1400], {}, { entry }).said, ['pass triplet found 0']);
  assert.deepEqual(play([1000 + 3 * day], {}, { entry }).said, ['greylist new 300']);
  assert.equal(play([1010], {}, { entry }).memory.client, undefined);
});

test('an open window lets new and waiting triplets pass until it ends', () => {
  assert.deepEqual(play([999, 1001], {}, { openUntil: 1000 }).said, [
    'pass released 0',
    'pass triplet found 0',
  ]);
  assert.deepEqual(play([1000, 1001], {}, { openUntil: 1000 }).said, [
    'greylist new 300',
    'greylist early-retry 299',
  ]);
});
