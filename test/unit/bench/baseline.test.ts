import assert from 'node:assert/strict';
import { test } from 'node:test';
import { baselineOf, compare } from '../../bench/baseline.js';
import type { Comparison } from '../../bench/bench.js';

const rate = (value: number): Comparison => ({ what: 'rate', value, better: 'more' });
const p99 = (value: number): Comparison => ({ what: 'p99', value, better: 'less' });

test('only ratios are written down', () => {
  const memory: Comparison = { what: 'memory', value: 120, unit: 'MB', better: 'less', target: 300 };
  const unknown: Comparison = { what: 'unknown', value: NaN, better: 'more' };
  assert.deepEqual(baselineOf([rate(0.123_456), memory, p99(5), unknown], true), { rate: 0.123, p99: 5 });
});

test('what a busy machine changes is not written down', () => {
  const cpu: Comparison = { what: 'cpu', value: 4, better: 'less', isSteady: true };
  assert.deepEqual(baselineOf([rate(1), cpu], false), { cpu: 4 });
});

test('a quarter up or down is no move', () => {
  const baseline = { rate: 1, p99: 4 };
  for (const values of [
    [rate(0.75), p99(5.33)],
    [rate(1.33), p99(3)],
  ])
    assert.deepEqual(compare(values, baseline, true), { moves: [], unmeasured: [] });
});

test('more than that is told, as worse or better by what the figure is', () => {
  const moved = (values: Comparison[]) =>
    compare(values, { rate: 1, p99: 4 }, true).moves.map(({ what, isWorse }) => [what, isWorse]);
  assert.deepEqual(moved([rate(0.74), p99(5.4)]), [
    ['rate', true],
    ['p99', true],
  ]);
  assert.deepEqual(moved([rate(1.4), p99(2.9)]), [
    ['rate', false],
    ['p99', false],
  ]);
});

test('what is new in the bench is no move; what is missing is told', () => {
  assert.deepEqual(compare([p99(1)], { rate: 1 }, true), { moves: [], unmeasured: ['rate'] });
});

test('where other programs ran, only what was measured in processor time is certain', () => {
  const values: Comparison[] = [rate(0.5), { what: 'cpu', value: 9, better: 'less', isSteady: true }];
  const baseline = { rate: 1, cpu: 4 };
  const certain = (isQuiet: boolean) =>
    compare(values, baseline, isQuiet).moves.map(({ what, isCertain }) => [what, isCertain]);
  assert.deepEqual(certain(true), [
    ['rate', true],
    ['cpu', true],
  ]);
  assert.deepEqual(certain(false), [
    ['rate', false],
    ['cpu', true],
  ]);
});
