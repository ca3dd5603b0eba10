import assert from 'node:assert/strict';
import { test } from 'node:test';
import { combinations, refuseCombination } from '#src/cli/simulation/sweep.js';
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

test('what a setting does not take, and a value that is there twice, is told of the sweep', () => {
  for (const [text, message] of [
    ['delay=60,soon', /^--sweep delay: "soon" is not a duration/],
    ['delay=60:300', /^--sweep delay: "60:300" is not a duration/],
    ['delay=60,', /^--sweep delay: "" is not a duration/],
    ['delay=60,300,60', /^--sweep delay: 60 is there twice$/],
    ['delay=60,1m', /^--sweep delay: 60 and 1m are the same$/],
    ['client-key=host,host', /^--sweep client-key: host is there twice$/],
  ] as const)
    assert.throws(() => swept([text]), { kind: 'usage', message }, text);
});

test('what cannot be swept is told from what is no setting, with what can be', () => {
  const settings = 'delay, retry-window, max-age, max-waiting, .*client-key, .*ipv6cidr$';
  for (const [text, message] of [
    ['dealy=60,300', `^--sweep: "dealy" is no setting; these can be swept: ${settings}`],
    ['inet=1,2', `^--sweep: "inet" is no setting that can be swept; these can be: ${settings}`],
  ] as const)
    assert.throws(() => swept([text]), { kind: 'usage', message: new RegExp(message) }, text);
});

test('a combination of settings that do not go together is refused by its name', () => {
  const [good, bad] = swept(['delay=60,3d']);
  assert.ok(good && bad);
  refuseCombination(good);
  assert.throws(
    () => {
      refuseCombination(bad);
    },
    { kind: 'usage', message: /^--sweep delay=3d: delay .* is not shorter than retry-window/ },
  );
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
