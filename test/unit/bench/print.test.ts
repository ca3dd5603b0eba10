import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Comparison, Report } from '../../bench/bench.js';
import { markdown, moved, plain, verdictOf } from '../../bench/print.js';

const report: Report = {
  tables: [
    {
      title: 'mix',
      columns: [
        { title: 'answers/s', digits: 0 },
        { title: '× null', digits: 2 },
      ],
      rows: [
        { what: 'greyctl', values: [20_402.4, 0.18] },
        { what: 'null', values: [101_899, undefined] },
        { what: 'sqlgrey', missing: 'not installed: apt-get install sqlgrey', values: [] },
      ],
    },
  ],
  comparisons: [{ what: 'rate', value: 0.18, better: 'more', target: 0.5 }],
};

test('a target is met at the figure itself, and missed by the part of it that lacks or is too much', () => {
  const verdict = (better: Comparison['better'], value: number, target?: number) =>
    verdictOf({ what: '', better, value, ...(target !== undefined && { target }) }).verdict;
  assert.equal(verdict('more', 25, 25), 'met');
  assert.equal(verdict('more', 20, 25), 'missed by 20 %');
  assert.equal(verdict('less', 6, 6), 'met');
  assert.equal(verdict('less', 9, 6), 'missed by 50 %');
  assert.equal(verdict('less', 6.001, 6), 'missed by 1 %');
  assert.equal(verdict('more', 1), '');
});

test('tables stand in columns, and what is missing says why', () => {
  assert.equal(
    plain(report, true),
    `
mix      answers/s  × null
greyctl     20,402    0.18
null       101,899       –
sqlgrey  not installed: apt-get install sqlgrey

figure  measured  target
rate        0.18   ≥ 0.5  missed by 64 %
`,
  );
});

test('the same in Markdown', () => {
  assert.equal(
    markdown(report, true),
    `
| mix | answers/s | × null |
| --- | --: | --: |
| greyctl | 20,402 | 0.18 |
| null | 101,899 | – |
| sqlgrey | not installed: apt-get install sqlgrey |  |

| figure | measured | target |  |
| --- | --: | --: | --: |
| rate | 0.18 | ≥ 0.5 | missed by 64 % |
`,
  );
});

test('units are told', () => {
  const memory: Comparison = { what: 'memory', value: 312.4, unit: 'MB', better: 'less', target: 300 };
  assert.deepEqual(verdictOf(memory), { measured: '312 MB', target: '≤ 300 MB', verdict: 'missed by 5 %' });
});

test('what moved is told in one line each', () => {
  const moves = [
    { what: 'rate', before: 0.5, now: 0.3, isWorse: true, isCertain: true },
    { what: 'p99', before: 12, now: 5.123, isWorse: false, isCertain: false },
  ];
  assert.equal(
    moved(moves, ['memory']),
    '\nworse: rate: 0.3, was 0.5\nperhaps better: p99: 5.12, was 12\nnot measured: memory\n',
  );
  assert.equal(moved([], []), '\nno ratio moved by more than 25 % since the baseline\n');
});

test('a verdict on a busy machine says so, but for what was measured in processor time', () => {
  const rate: Comparison = { what: 'rate', value: 30, better: 'more', target: 25 };
  assert.equal(verdictOf(rate, false).verdict, 'met, on a busy machine');
  assert.equal(verdictOf({ ...rate, isSteady: true }, false).verdict, 'met');
});

test('a Markdown table without columns has room for why something is missing', () => {
  const rows = [{ what: 'sqlgrey', missing: 'not installed', values: [] }];
  const absent: Report = { tables: [{ title: 'not measured', columns: [], rows }], comparisons: [] };
  assert.equal(markdown(absent, true), '\n| not measured |  |\n| --- | --: |\n| sqlgrey | not installed |\n');
});
