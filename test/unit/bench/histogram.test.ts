import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createHistogram, quantileOf, sumOf } from '../../bench/histogram.js';
import { random } from '../../support/random.js';

function histogramOf(values: readonly number[]): Uint32Array {
  const histogram = createHistogram();
  for (const value of values) histogram.add(value);
  return histogram.counts;
}

test('up to 127 microseconds quantiles are exact', () => {
  const counts = histogramOf(Array.from({ length: 100 }, (_, index) => index + 1));
  assert.deepEqual(
    [0, 0.01, 0.5, 0.99, 1].map((quantile) => quantileOf(counts, quantile)),
    [1, 1, 50, 99, 100],
  );
});

test('a quantile is never too small, and at most 1.6 % too large, up to the longest duration there is', () => {
  const values = [127, 128, 129, 255, 256, 1000, 65_535, 65_536, 1_234_567, 2 ** 31, 2 ** 32 - 1];
  for (const value of values) {
    const found = quantileOf(histogramOf([value]), 1);
    assert.ok(found >= value && found <= value * 1.016, `${value}: ${found}`);
  }
});

test('quantiles of many durations are those of the sorted list', () => {
  const dice = random(5);
  const values = Array.from({ length: 10_000 }, () => Math.floor(10 ** (dice.next() * 7)));
  const sorted = values.toSorted((a, b) => a - b);
  for (const quantile of [0.1, 0.5, 0.9, 0.99, 0.999]) {
    const wanted = sorted[Math.ceil(quantile * values.length) - 1] ?? NaN;
    const found = quantileOf(histogramOf(values), quantile);
    assert.ok(found >= wanted && found <= wanted * 1.016, `${quantile}: ${found}, not ${wanted}`);
  }
});

test('histograms add up, and one without durations has no quantile', () => {
  const sum = sumOf([histogramOf([1, 2]), histogramOf([3]), histogramOf([])]);
  assert.equal(quantileOf(sum, 0.5), 2);
  assert.equal(quantileOf(sum, 1), 3);
  assert.ok(Number.isNaN(quantileOf(histogramOf([]), 0.5)));
});
