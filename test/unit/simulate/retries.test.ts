import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keyed } from '#src/greylist/decide.js';
import { defaultSettings } from '#src/greylist/settings.js';
import { createRetries } from '#src/simulate/retries.js';
import { random } from '../../support/random.js';
import { attemptOf, logStart } from '../../support/rehearsal.js';

const day = 86_400;

function keyedAt(at: number, sender = 'alice@example.com') {
  return keyed(attemptOf({ at, sender }).attempt, defaultSettings);
}

test('retries come due in the order of their times, whatever the order they were scheduled in', () => {
  const { seed, pick } = random();
  for (let round = 0; round < 100; round += 1) {
    const retries = createRetries(900);
    const waiting: number[] = [];
    for (let step = 0; step < 200; step += 1) {
      if (pick(3) > 0) {
        const at = pick(10_000);
        retries.schedule(keyedAt(at), 'example.com');
        waiting.push(logStart + at + 900);
      } else {
        const until = logStart + pick(12_000);
        waiting.sort((a, b) => a - b);
        const expected = (waiting[0] ?? Infinity) <= until ? waiting.shift() : undefined;
        assert.equal(retries.due(until)?.time, expected, `seed ${seed}`);
      }
    }
    const rest: number[] = [];
    for (let retry = retries.due(Infinity); retry; retry = retries.due(Infinity)) rest.push(retry.time);
    assert.deepEqual(
      rest,
      waiting.toSorted((a, b) => a - b),
      `seed ${seed}`,
    );
  }
});

/** After what time a message of example.com is taken to come back. */
function assumedOf(retries: ReturnType<typeof createRetries>): number | undefined {
  retries.schedule(keyedAt(0, 'probe@example.com'), 'example.com');
  const due = retries.due(Infinity);
  return due && due.time - logStart;
}

test('a message that is deferred again comes back after the same time, until its sender gives up', () => {
  const retries = createRetries(day);
  retries.schedule(keyedAt(0), 'example.com');
  const days: number[] = [];
  for (let retry = retries.due(Infinity); retry; retry = retries.due(Infinity)) {
    days.push((retry.time - logStart) / day);
    retries.again(retry);
  }
  assert.deepEqual(days, [1, 2, 3, 4, 5]);
});

test('the latest retry that the log shows counts half', () => {
  const retries = createRetries(900);
  retries.observe(100, 'example.com');
  retries.observe(300, 'example.com');
  retries.observe(7, 'example.net');
  assert.equal(assumedOf(retries), 200);
});

test('nobody is taken to come back sooner than after half a minute', () => {
  const retries = createRetries(5);
  assert.equal(assumedOf(retries), 30);
});

test('two mails within half a minute are no retry, nor are two with weeks between them', () => {
  const retries = createRetries(900);
  retries.observe(29, 'example.com');
  retries.observe(20 * day, 'example.com');
  assert.equal(assumedOf(retries), 900);
});
