import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aimed, largestOf, medianOf, p99, rate, ratioOf, tableOf, type Round } from '../../bench/rounds.js';

function round(answersPerSecond: number, more: Partial<Round> = {}): Round {
  return {
    ...{
      seconds: 1,
      answers: answersPerSecond,
      answersPerSecond,
      wrong: 0,
      passed: 0,
      busy: 1,
      generatorCpuSeconds: 1,
    },
    ...{ p50Milliseconds: 1, p99Milliseconds: 2, maxMilliseconds: 3 },
    ...{ cpuMicrosecondsPerAnswer: 10, cpuShare: 1, othersShare: 0, peakMegabytes: 50 },
    ...{ writtenPerAnswer: 0, handedPerAnswer: 0 },
    ...more,
  };
}

test('a ratio is the median over rounds, so that one in which the machine was slow for both does not count', () => {
  const rounds = new Map([
    ['greyctl', [round(50), round(5), round(60)]],
    ['null', [round(100), round(10), round(100)]],
  ]);
  assert.equal(ratioOf(rounds, 'greyctl', 'null', rate), 0.5);
  assert.equal(ratioOf(rounds, 'greyctl', 'postgrey', rate), undefined);
});

test('figures that a system does not tell are left out', () => {
  const silent = [round(1, { peakMegabytes: undefined })];
  assert.equal(
    medianOf(silent, ({ peakMegabytes }) => peakMegabytes),
    undefined,
  );
  assert.equal(
    largestOf([...silent, round(2)], ({ peakMegabytes }) => peakMegabytes),
    50,
  );
  assert.deepEqual(aimed('memory', undefined, 'less', 300, 'MB'), []);
});

test('the table compares with those that took part, tells the longest answer of all rounds and sums up wrong ones', () => {
  const rounds = new Map([
    ['greyctl', [round(50, { maxMilliseconds: 9, wrong: 1 }), round(50, { wrong: 2 }), round(50)]],
    ['null', [round(100), round(100), round(100)]],
  ]);
  const { columns, rows } = tableOf('mix', rounds, ['null', 'postgrey']);
  const column = (title: string) => columns.findIndex((each) => each.title === title);
  const value = (title: string) => rows[0]?.values[column(title)];
  assert.deepEqual(['answers/s', '× null', 'p99 ms', 'max ms', 'wrong'].map(value), [
    50,
    0.5,
    p99(round(1)),
    9,
    3,
  ]);
  assert.equal(column('× postgrey'), -1);
});
