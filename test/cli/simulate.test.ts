/** `greyctl simulate` and `greyctl db learn` on small made-up logs, as an operator runs them. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import { parseList } from '#src/whitelist/syntax.js';
import { repositoryRoot, run, type Result } from '../support/greyctl.js';
import { request } from '../support/policy-client.js';
import { testServer } from '../support/server.js';
import { temporaryFolder } from '../support/temporary.js';

const fixture = (name: string) => path.join(repositoryRoot, 'test/fixtures', name);
const example = fixture('example-mail.log');

const withoutLists = ['clients', 'recipients', 'senders'].map((kind) => `--whitelist-${kind}=/dev/null`);
/** Commands that take the settings of the decision. */
const deciding = new Set(['simulate', 'learn']);

/** Runs a command in a folder of the test's own, without lists of the host; the database is `greyctl.db` there. */
async function world(t: TestContext) {
  const folder = await temporaryFolder(t);
  const greyctl = (args: readonly string[], input?: string | Uint8Array): Promise<Result> =>
    run([...args, '--db=greyctl.db', ...(args.some((arg) => deciding.has(arg)) ? withoutLists : [])], {
      cwd: folder,
      env: { TZ: 'UTC' },
      ...(input !== undefined && { input }),
    });
  return {
    folder,
    file: async (name: string, content: string | Uint8Array) => {
      await writeFile(path.join(folder, name), content);
      return name;
    },
    greyctl,
    simulate: (args: readonly string[], input?: string | Uint8Array) => greyctl(['simulate', ...args], input),
  };
}

/** JSON objects, one a line. */
function objects(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

interface Line {
  readonly at?: string;
  readonly sender?: string;
  readonly recipient?: string;
  readonly client?: string;
}

const deferral = ({ at, sender, recipient, client }: Line = {}) =>
  `${at ?? '2026-11-16T08:00:00Z'} mx postfix/smtpd[9]: NOQUEUE: reject: RCPT from ${client ?? 'unknown[192.0.2.5]'}: 450 4.2.0 ` +
  `<${recipient ?? 'bob@example.org'}>: Recipient address rejected: Greylisted; from=<${sender ?? 'alice@example.com'}> ` +
  `to=<${recipient ?? 'bob@example.org'}> proto=ESMTP helo=<mx>\n`;

/** The lines of a mail that was accepted. */
const delivery = ({ at, sender, recipient, client }: Line = {}, id = '4A1357') =>
  [
    `smtpd[9]: ${id}: client=${client ?? 'unknown[192.0.2.5]'}`,
    `qmgr[7]: ${id}: from=<${sender ?? 'alice@example.com'}>, size=9, nrcpt=1 (queue active)`,
    `virtual[8]: ${id}: to=<${recipient ?? 'bob@example.org'}>, relay=virtual, delay=0, delays=0/0/0/0, dsn=2.0.0, status=sent (delivered)`,
    `qmgr[7]: ${id}: removed`,
  ]
    .map((text) => `${at ?? '2026-11-16T08:10:00Z'} mx postfix/${text}\n`)
    .join('');

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

test('--since and --until choose attempts, the first inclusive', async (t) => {
  const { simulate, file } = await world(t);
  const hours = ['08', '09', '10'];
  const log = await file('log', hours.map((hour) => deferral({ at: `2026-11-16T${hour}:00:00Z` })).join(''));
  const chosen = async (...args: string[]) =>
    objects((await simulate(['--decisions', ...args, log])).stdout).map(({ time }) =>
      String(time).slice(11, 13),
    );
  assert.deepEqual(await chosen('--since=2026-11-16T09:00'), ['09', '10']);
  assert.deepEqual(await chosen('--until=2026-11-16T09:00'), ['08']);
  assert.deepEqual(await chosen('--since=2026-11-16T09:00', '--until=2026-11-16T10:00'), ['09']);
  const refused = await simulate(['--since=yesteryear', log]);
  assert.equal(refused.status, 2);
  assert.match(refused.stderr, /^greyctl: --since: .*yesteryear/);
});

test('--year dates lines that tell no year', async (t) => {
  const { simulate, file } = await world(t);
  const log = await file(
    'log',
    ['Dec 31 23:59:59', 'Jan  1 00:00:01'].map((at) => deferral({ at })).join(''),
  );
  const decisions = objects((await simulate(['--decisions', '--year=2021', log])).stdout);
  assert.deepEqual(
    decisions.map(({ time }) => time),
    ['2021-12-31T23:59:59Z', '2022-01-01T00:00:01Z'],
  );
});

test('standard input, a packed file and a set in any order give the same', async (t) => {
  const { simulate, file } = await world(t);
  const content = await readFile(example);
  const third = Math.floor(content.length / 3);
  const set = [
    await file('mail.log', content.subarray(2 * third)),
    await file('mail.log.1', content.subarray(third, 2 * third)),
    await file('mail.log.2.gz', gzipSync(content.subarray(0, third))),
  ];
  const expected = (await simulate(['--decisions', example])).stdout;
  assert.notEqual(expected, '');
  const packed = await file('packed', gzipSync(content));
  for (const [names, input] of [
    [['-'], content],
    [['-'], gzipSync(content)],
    [[packed]],
    [set],
    [set.toReversed()],
    [[set[1] ?? '', set[0] ?? '', set[2] ?? '']],
  ] as const) {
    const { stdout, stderr, status } = await simulate(['--decisions', ...names], input);
    assert.deepEqual(
      { stdout, stderr, status },
      { stdout: expected, stderr: '', status: 0 },
      names.join(' '),
    );
  }
});

test('what cannot be read is named, the rest is reported, and the status is 1', async (t) => {
  const { simulate, file, folder } = await world(t);
  await mkdir(path.join(folder, 'folder'));
  await symlink('loop', path.join(folder, 'loop'));
  const content = await readFile(example);
  await file('cut.gz', gzipSync(content).subarray(0, 1000));
  await file('binary', Buffer.from(Array.from({ length: 5000 }, (_, index) => index % 256)));
  await file('packed.xz', Buffer.from('fd377a585a0000', 'hex'));
  for (const [name, complaint] of [
    ['missing', /^greyctl: missing: .*no such file/i],
    ['folder', /^greyctl: folder: is a directory/],
    ['loop', /^greyctl: loop: .*symbolic link/i],
    ['cut.gz', /^greyctl: cut\.gz: the gzip data ends too early/],
    ['binary', /^greyctl: binary: is a binary file, not a mail log/],
    ['packed.xz', /^greyctl: packed\.xz: is compressed; unpack it with xz first/],
  ] as const) {
    const { status, stdout, stderr } = await simulate(['--json', name, example]);
    assert.equal(status, 1, name);
    assert.match(stderr, complaint);
    assert.equal(stderr.split('\n').length, 2, stderr);
    assert.ok(Number(objects(stdout)[0]?.['attempts']) >= 37, name);
  }
});

test('a reader that goes away ends it quietly', async (t) => {
  const { file, folder } = await world(t);
  const lines = Array.from({ length: 20_000 }, (_, index) => deferral({ sender: `s${index}@example.com` }));
  const log = await file('log', lines.join(''));
  const program = path.join(repositoryRoot, 'bin/greyctl.js');
  const command = `"${process.execPath}" "${program}" simulate --db=db --decisions ${log} 2>stderr | head -n 1; echo "status \${PIPESTATUS[0]}"`;
  const stdout = execFileSync('bash', ['-c', command], { cwd: folder, encoding: 'utf8', timeout: 60_000 });
  assert.match(stdout, /^\{.*\}\nstatus 0\n$/);
  assert.equal(await readFile(path.join(folder, 'stderr'), 'utf8'), '');
});

test('options that cannot go together, or say nothing, are refused with status 2', async (t) => {
  const { simulate } = await world(t);
  for (const [args, message] of [
    [['--decisions', '--sweep=delay=60,300'], /--decisions does not go together with --sweep/],
    [['--with-db', '--privacy'], /--with-db does not go together with --privacy/],
    [['--assume-retry=0'], /--assume-retry: /],
    [['--assume-retry=soon'], /--assume-retry: /],
    [['--top=0'], /--top: /],
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

/** All that is in a database, as `db list` tells it. */
async function listed(folder: string): Promise<string> {
  return (await run(['db', 'list', '--json', `--db=${folder}/greyctl.db`])).stdout;
}

function checksum(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

test('--with-db begins with what the database remembers, and leaves it as it is', async (t) => {
  const { simulate, greyctl, file, folder } = await world(t);
  const past = await file('past', deferral() + delivery());
  const since = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);
  const lately = (text: string) => text.replaceAll('2026-11-16', since);
  await file('past', lately(deferral() + delivery()));
  assert.equal((await greyctl(['db', 'learn', past])).status, 0);
  const log = await file('log', lately(deferral({ at: '2026-11-16T09:00:00Z' })));
  const before = [checksum(await readFile(path.join(folder, 'greyctl.db'))), await listed(folder)];
  const reason = async (...args: string[]) =>
    objects((await simulate(['--decisions', ...args, log])).stdout)[0]?.['reason'];
  assert.equal(await reason(), 'new');
  assert.equal(await reason('--with-db'), 'triplet found');
  assert.deepEqual([checksum(await readFile(path.join(folder, 'greyctl.db'))), await listed(folder)], before);
});

test('--with-db without a database says so and creates none', async (t) => {
  const { simulate, folder } = await world(t);
  const { status, stderr } = await simulate(['--with-db', '--json', example]);
  assert.equal(status, 0);
  assert.match(stderr, /^greyctl: there is no database .*greyctl\.db yet\n$/);
  assert.equal(existsSync(path.join(folder, 'greyctl.db')), false);
});

test('entries of the whitelist in the database are heeded', async (t) => {
  const { simulate, greyctl, file } = await world(t);
  const log = await file('log', deferral({ client: 'mx.example.net[192.0.2.5]' }));
  await greyctl(['whitelist', 'add', 'example.net']);
  const [decision] = objects((await simulate(['--decisions', log])).stdout);
  assert.equal(decision?.['reason'], 'client whitelist');
});

/** A log of the last hours: a triplet that came back, and one that did not. */
function recentLog(): string {
  const at = (secondsAgo: number) => new Date(Date.now() - secondsAgo * 1000).toISOString();
  return [
    deferral({ at: at(8000) }),
    deferral({ at: at(7900), sender: 'spam@example.com' }),
    delivery({ at: at(7000) }),
  ].join('');
}

test('what db learn has learned passes at once when the server starts', async (t) => {
  const { greyctl, file, folder } = await world(t);
  const log = await file('log', recentLog());
  const { status, stdout } = await greyctl(['db', 'learn', log]);
  assert.deepEqual(
    { status, stdout },
    {
      status: 0,
      stdout:
        'learned from the log: 1 triplet that passed and 0 clients that earned the auto-whitelist; 1 new, 0 changed\n',
    },
  );
  const server = await testServer(t, [], { folder });
  const client = await server.client();
  const mail = { client_address: '192.0.2.5', client_name: 'unknown', recipient: 'bob@example.org' };
  assert.equal(await client.ask(request({ ...mail, sender: 'alice@example.com' })), 'DUNNO');
  assert.match(await client.ask(request({ ...mail, sender: 'spam@example.com' })), /Greylisted/);
});

test('db learn done twice changes nothing', async (t) => {
  const { greyctl, file, folder } = await world(t);
  const log = await file('log', recentLog());
  await greyctl(['db', 'learn', log]);
  const before = await listed(folder);
  assert.notEqual(before, '');
  const again = objects((await greyctl(['db', 'learn', '--json', log])).stdout);
  assert.deepEqual(again, [{ triplets: 1, awl_clients: 0, added: 0, changed: 0 }]);
  assert.equal(await listed(folder), before);
});

test('db learn --dry-run says what it would learn and writes nothing', async (t) => {
  const { greyctl, file, folder } = await world(t);
  const log = await file('log', recentLog());
  const { stdout } = await greyctl(['db', 'learn', '--dry-run', '--json', log]);
  assert.deepEqual(objects(stdout), [{ triplets: 1, awl_clients: 0, added: null, changed: null }]);
  assert.equal(existsSync(path.join(folder, 'greyctl.db')), false);
});

test('db learn learns from what can be read and names what cannot', async (t) => {
  const { greyctl, file } = await world(t);
  const log = await file('log', recentLog());
  const { status, stdout, stderr } = await greyctl(['db', 'learn', '--json', 'missing', log]);
  assert.equal(status, 1);
  assert.match(stderr, /^greyctl: missing: /);
  assert.equal(objects(stdout)[0]?.['triplets'], 1);
});

test('hostile addresses are harmless in the report, in tables and in JSON', async (t) => {
  const { simulate, file } = await world(t);
  const sender = '\u001b]0;owned\u0007\u202e<x>@evil\u001b[31m.example';
  const log = await file(
    'log',
    deferral({ sender }) +
      deferral({ at: '2026-11-16T12:00:00Z', sender, client: 'a\u001b[2Jb.example[192.0.2.5]' }),
  );
  // eslint-disable-next-line no-control-regex
  const harmful = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/;
  for (const args of [['--suggest'], ['--json', '--suggest'], ['--decisions'], ['--sweep=delay=60,300']]) {
    const { status, stdout, stderr } = await simulate([...args, log]);
    assert.equal(status, 0, args.join(' '));
    assert.match(stdout, /\S/);
    assert.doesNotMatch(stdout.replaceAll('\t', ' '), harmful, args.join(' '));
    assert.equal(stderr, '');
  }
  const missing = await simulate(['no\u001b[31m.log', log]);
  assert.doesNotMatch(missing.stderr, harmful);
});

test('own networks are not greylisted: they are left out', async (t) => {
  const { simulate, file } = await world(t);
  const log = await file('log', deferral() + deferral({ client: 'unknown[2001:db8::5]' }));
  const clients = async (...args: string[]) =>
    objects((await simulate(['--decisions', ...args, log])).stdout).map(
      ({ client_address }) => client_address,
    );
  assert.deepEqual(await clients(), ['192.0.2.5', '2001:db8:0:0:0:0:0:5']);
  assert.deepEqual(await clients('--mynetworks=192.0.2.0/24,127.0.0.0/8'), ['2001:db8:0:0:0:0:0:5']);
  assert.deepEqual(await clients('--mynetworks', '192.0.2.0/24', '--mynetworks', '2001:db8::/32'), []);
});
