import assert from 'node:assert/strict';
import { test } from 'node:test';
import { combinations } from '#src/cli/simulation/sweep.js';
import { resolve, type Given } from '#src/config/resolve.js';

function swept(sweeps: readonly string[], given: Given = {}) {
  return combinations(sweeps, given, (all) => resolve(all, {}, undefined));
}

test('without a sweep there is one combination: what was given', () => {
  const [only, ...more] = swept([], { delay: ['60'] });
  assert.deepEqual([only?.label, only?.resolved.values.delay, more], ['', 60, []]);
});

test('several sweeps give all combinations, the first changing slowest', () => {
  const found = swept(['delay=60,5m', '--client-key=subnet,domain'], { delay: ['7'], 'max-age': ['10d'] });
  assert.deepEqual(
    found.map(({ label, resolved: { values } }) => [
      label,
      values.delay,
      values['client-key'],
      values['max-age'],
    ]),
    [
      ['delay=60 client-key=subnet', 60, 'subnet', 864_000],
      ['delay=60 client-key=domain', 60, 'domain', 864_000],
      ['delay=5m client-key=subnet', 300, 'subnet', 864_000],
      ['delay=5m client-key=domain', 300, 'domain', 864_000],
    ],
  );
});

test('a value that the setting does not take is a problem of its combination', () => {
  const [good, bad] = swept(['delay=60,soon']);
  assert.deepEqual(good?.resolved.problems, []);
  assert.match(bad?.resolved.problems[0] ?? '', /--delay.*soon/);
});

for (const text of [
  'delay',
  'delay=',
  '=60',
  'nonsense=1',
  'whitelist-clients=a,b',
  'inet=1,2',
  'privacy=yes,no',
]) {
  test(`--sweep ${text} is refused`, () => {
    assert.throws(() => swept([text]), { kind: 'usage', message: /^--sweep: / });
  });
}

test('a setting is swept once', () => {
  assert.throws(() => swept(['delay=60', 'delay=300']), { message: '--sweep: delay is swept twice' });
});

test('64 combinations are taken, more are refused before they are made', () => {
  const values = (count: number) => Array.from({ length: count }, (_, index) => index + 1).join(',');
  assert.equal(swept([`delay=${values(8)}`, `max-age=${values(8)}`]).length, 64);
  assert.throws(() => swept([`delay=${values(65)}`]), {
    message: '--sweep: 65 combinations are more than 64',
  });
  const many = ['delay', 'max-age', 'retry-window'].map((name) => `${name}=${values(1000)}`);
  assert.throws(() => swept(many), { message: /more than 64$/ });
});
