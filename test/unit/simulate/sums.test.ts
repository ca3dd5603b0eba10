import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createDurations } from '#src/simulate/durations.js';
import { createTop } from '#src/simulate/top.js';
import { random } from '../../support/random.js';

test('a quantile is the smallest duration that so large a share does not exceed', () => {
  const { seed, pick } = random();
  for (let round = 0; round < 100; round += 1) {
    const values = Array.from({ length: 1 + pick(200) }, () => pick(1000));
    const durations = createDurations();
    for (const value of values) durations.add(value);
    const sorted = values.toSorted((a, b) => a - b);
    for (const part of [0.01, 0.5, 0.95, 1]) {
      const expected = sorted.find(
        (value) => sorted.filter((other) => other <= value).length >= part * sorted.length,
      );
      assert.equal(durations.quantile(part), expected, `seed ${seed}, ${part} of ${sorted.join(' ')}`);
    }
    assert.equal(durations.count, values.length);
    assert.equal(
      durations.total,
      values.reduce((sum, value) => sum + value, 0),
    );
  }
});

test('of no durations there is no quantile', () => {
  assert.equal(createDurations().quantile(0.5), undefined);
  assert.deepEqual(createDurations().buckets([60]), [0, 0]);
});

test('a bucket begins at its bound', () => {
  const durations = createDurations();
  for (const seconds of [0, 59, 60, 299, 300, 301]) durations.add(seconds);
  assert.deepEqual(durations.buckets([60, 300]), [2, 2, 2]);
});

test('the largest sums come first, names of the same sum in their order', () => {
  const top = createTop('seconds', 'messages');
  top.add('b.example', { messages: 1, seconds: 10 });
  top.add('a.example', { messages: 1, seconds: 10 });
  top.add('c.example', { messages: 3, seconds: 5 });
  top.add('c.example', { messages: 1, seconds: 20 });
  top.add('none.example', { messages: 1, seconds: 0 });
  assert.deepEqual(top.largest('seconds', 3), [
    { name: 'c.example', sums: { messages: 4, seconds: 25 } },
    { name: 'a.example', sums: { messages: 1, seconds: 10 } },
    { name: 'b.example', sums: { messages: 1, seconds: 10 } },
  ]);
  assert.deepEqual(
    top.largest('messages', 1).map(({ name }) => name),
    ['c.example'],
  );
});

test('however many names there are, those with large sums are kept', () => {
  const top = createTop('triplets');
  top.add('spammer.example', { triplets: 1000 });
  for (let index = 0; index < 400_000; index += 1) top.add(`name${index}`, { triplets: 1 });
  const all = top.largest('triplets', Infinity);
  assert.deepEqual(all[0], { name: 'spammer.example', sums: { triplets: 1000 } });
  assert.ok(all.length <= 100_000, `${all.length} names kept`);
});
