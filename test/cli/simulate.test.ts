/** `greyctl simulate` on small made-up logs, as an operator runs it. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { parseList } from '#src/whitelist/syntax.js';
import { deferral, delivery, example, fixture, objects, world } from '../support/small-logs.js';

test('the report on the example log is what it always was', async (t) => {
  const { simulate } = await world(t);
  const { status, stdout, stderr } = await simulate(['--suggest', example]);
  assert.equal(stdout, await readFile(fixture('example-report.txt'), 'utf8'));
  assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
});

test('a sweep prints a row for each combination', async (t) => {
  const { simulate } = await world(t);
  const { status, stdout } = await simulate([
    ...['--sweep=delay=60,1h', '--sweep', 'client-key=subnet,domain'],
    example,
  ]);
  assert.equal(status, 0);
  const table = stdout.slice(stdout.indexOf('SETTINGS')).split('\n\n')[0]?.split('\n') ?? [];
  assert.deepEqual(table, (await readFile(fixture('example-sweep.txt'), 'utf8')).trimEnd().split('\n'));
});

test('--json prints one document with the promised fields', async (t) => {
  const { simulate } = await world(t);
  const { status, stdout } = await simulate(['--json', example]);
  assert.equal(status, 0);
  const [document = {}, ...more] = objects(stdout);
  assert.deepEqual(more, []);
  const promised = ['lines', 'bytes', 'skipped_lines', 'period', 'attempts', 'logged', 'verdicts', 'reasons']
    .concat(['triplets', 'triplets_passed', 'triplets_never_returned', 'delay_seconds'])
    .map((name) => [name, document[name]]);
  assert.deepEqual(Object.fromEntries(promised), {
    lines: 82,
    bytes: (await readFile(example)).length,
    skipped_lines: 0,
    period: { from: '2026-11-16T07:00:00Z', to: '2026-11-16T21:30:01Z' },
    attempts: 37,
    logged: { accepted: 11, greylisted: 26 },
    verdicts: { pass: 6, greylist: 31 },
    reasons: { new: 31, 'triplet found': 6 },
    triplets: 31,
    triplets_passed: 5,
    triplets_never_returned: 21,
    delay_seconds: { p50: 5400, p95: 14_520, max: 14_520 },
  });
});

test('--json of a sweep has a part for each combination, and suggestions count the log once', async (t) => {
  const { simulate } = await world(t);
  const one = objects((await simulate(['--json', '--suggest', example])).stdout)[0];
  const swept = objects((await simulate(['--json', '--suggest', '--sweep=delay=300,60', example])).stdout)[0];
  const combinations = swept?.['combinations'] as Record<string, unknown>[];
  assert.deepEqual(
    combinations.map(({ settings, triplets }) => [settings, triplets]),
    [
      ['delay=300', 31],
      ['delay=60', 31],
    ],
  );
  assert.deepEqual(swept?.['suggestions'], one?.['suggestions']);
});

test('--decisions prints every attempt with the promised fields, in time order', async (t) => {
  const { simulate } = await world(t);
  const { status, stdout } = await simulate(['--decisions', example]);
  assert.equal(status, 0);
  const decisions = objects(stdout);
  assert.equal(decisions.length, 37);
  for (const decision of decisions)
    assert.deepEqual(
      Object.keys(decision),
      ['time', 'client_address', 'client_name', 'sender', 'recipient', 'logged'].concat([
        'verdict',
        'reason',
        'wait_seconds',
        'delay_seconds',
      ]),
    );
  const times = decisions.map(({ time }) => String(time));
  assert.deepEqual(times, times.toSorted());
  assert.deepEqual(decisions.filter(({ client_address }) => client_address === '192.0.2.5').slice(0, 2), [
    {
      time: '2026-11-16T08:00:00Z',
      client_address: '192.0.2.5',
      client_name: 'mx.example.com',
      sender: 'alice@example.com',
      recipient: 'bob@example.org',
      logged: 'greylisted',
      verdict: 'greylist',
      reason: 'new',
      wait_seconds: 300,
      delay_seconds: null,
    },
    {
      time: '2026-11-16T08:06:00Z',
      client_address: '192.0.2.5',
      client_name: 'mx.example.com',
      sender: 'alice@example.com',
      recipient: 'bob@example.org',
      logged: 'accepted',
      verdict: 'pass',
      reason: 'triplet found',
      wait_seconds: 0,
      delay_seconds: 360,
    },
  ]);
});

test('suggested entries can be put into a whitelist file as they are, and take effect', async (t) => {
  const { simulate, file } = await world(t);
  const { stdout } = await simulate(['--suggest', example]);
  const [, lines = ''] = stdout.split('Suggested for whitelist_clients.local:\n');
  const { entries, problems } = parseList('client', lines, 'suggested');
  assert.deepEqual(problems, []);
  assert.deepEqual(
    entries.map(({ pattern }) => pattern),
    ['example.net', 'example.edu'],
  );
  const list = `--whitelist-clients=${await file('suggested', lines)}`;
  const [after] = objects((await simulate(['--json', list, example])).stdout);
  const [before] = objects((await simulate(['--json', example])).stdout);
  const listed = (document = {}) =>
    (document as { reasons: Record<string, number> }).reasons['client whitelist'];
  // Three mails of the pool from four places each, one lost, and two tries of the slow one.
  assert.deepEqual([listed(before), listed(after)], [undefined, 15]);
});

test('options that cannot go together, or say nothing, are refused with status 2', async (t) => {
  const { simulate } = await world(t);
  for (const [args, message] of [
    [['--decisions', '--sweep=delay=60,300'], /--decisions does not go together with --sweep/],
    [['--decisions', '--suggest'], /--decisions does not go together with --suggest/],
    [['--with-db', '--privacy'], /--with-db does not go together with --privacy/],
    [['--assume-retry=0'], /--assume-retry: /],
    [['--assume-retry=soon'], /--assume-retry: /],
    [['--top=0'], /--top: /],
    [['--since=1d', '--until=2d'], /--until must be later than --since/],
    [['--since=2026-11-16', '--until=2026-11-16'], /--until must be later than --since/],
    [['--since=2026-11-31'], /--since: "2026-11-31" is not a duration .* or a time/],
    [['--mynetworks=nowhere'], /--mynetworks: "nowhere" is not a network/],
    [['--sweep=delay=60,soon'], /delay.*soon/],
    [['--delay=3d'], /not shorter than retry-window/],
    [['--greylist-pattern=('], /--greylist-pattern: /],
  ] as const) {
    const { status, stdout, stderr } = await simulate([...args, example]);
    assert.deepEqual({ status, stdout }, { status: 2, stdout: '' }, args.join(' '));
    assert.match(stderr, message);
  }
});

test('--since counts from then on, and remembers what was before', async (t) => {
  const { simulate, file } = await world(t);
  const log = await file(
    'mail.log',
    deferral() + delivery() + delivery({ at: '2026-11-16T09:00:00Z' }, '4A2468'),
  );
  const since = ['--since=2026-11-16T08:30:00', log];
  const [document = {}] = objects((await simulate(['--json', ...since])).stdout);
  assert.deepEqual(document['reasons'], { 'triplet found': 1 });
  assert.deepEqual(document['counted'], { from: '2026-11-16T08:30:00Z', to: null });
  assert.deepEqual(
    objects((await simulate(['--decisions', ...since])).stdout).map(({ time }) => time),
    ['2026-11-16T09:00:00Z'],
  );
  const { stdout } = await simulate(since);
  assert.match(stdout, /^Counted: attempts from 2026-11-16 08:30:00 on; what came before is remembered/m);
  const [late = {}] = objects((await simulate(['--json', '--since=2026-12-01', log])).stdout);
  assert.deepEqual([late['attempts'], late['triplets'], late['reasons']], [0, 0, {}]);
});

test('with a delay of 0 new triplets pass, in the table as well', async (t) => {
  const { simulate } = await world(t);
  const { stdout } = await simulate(['--delay=0', example]);
  assert.match(stdout, /^pass\tnew\t/m);
  assert.doesNotMatch(stdout, /^greylist\t/m);
});

test('where nothing could be read there is an error, and no report', async (t) => {
  const { simulate } = await world(t);
  for (const args of [[], ['--json'], ['--sweep=delay=1,2']]) {
    const { status, stdout, stderr } = await simulate([...args, 'missing.log', '.']);
    assert.deepEqual({ status, stdout }, { status: 1, stdout: '' });
    assert.equal(stderr, 'greyctl: missing.log: no such file or directory\ngreyctl: .: is a directory\n');
  }
});

test('--json of a sweep has combinations, if only one', async (t) => {
  const { simulate } = await world(t);
  const [document = {}] = objects((await simulate(['--json', '--sweep=delay=60', example])).stdout);
  assert.equal((document['combinations'] as unknown[]).length, 1);
});

test('it is said how many suggestions are left out', async (t) => {
  const { simulate } = await world(t);
  const { stdout } = await simulate(['--suggest', '--top=1', example]);
  assert.match(stdout, /\n# and 1 more: --top=2 shows them\n$/);
});

test('messages that never get through, by assumption, are told in words', async (t) => {
  const { simulate, file } = await world(t);
  const log = await file('mail.log', delivery());
  const { stdout } = await simulate(['--assume-retry=12h', '--retry-window=6h', log]);
  assert.match(stdout, /^Triplets met for the first time: 1$/m);
  assert.match(stdout, / 1 message never got through: each return came after the retry window\.$/m);
});

test('refusals of rare classes are summed', async (t) => {
  const { simulate, file } = await world(t);
  const codes = Array.from({ length: 10 }, (_, index) => `5.7.${index + 1}`);
  const lines = codes.map((code) => deferral().replace('450 4.2.0', `554 ${code}`));
  const { stdout } = await simulate([await file('mail.log', lines.join(''))]);
  assert.match(stdout, /^refused otherwise: the rest\t2$/m);
});
