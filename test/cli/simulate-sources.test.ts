/** What `greyctl simulate` reads, and what of it. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, readFile, symlink } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { repositoryRoot } from '../support/greyctl.js';
import { deferral, example, objects, world } from '../support/small-logs.js';

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
  const next = await file('next', deferral({ at: 'Jan  2 00:00:00' }));
  const set = objects((await simulate(['--decisions', '--year=2021', next, log])).stdout);
  assert.deepEqual(
    set.map(({ time }) => time),
    ['2021-12-31T23:59:59Z', '2022-01-01T00:00:01Z', '2022-01-02T00:00:00Z'],
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
    [
      'packed.xz',
      /^greyctl: packed\.xz: is compressed; unpack it with xz first\nTry: xz -dc packed\.xz \| greyctl simulate -\n$/,
    ],
  ] as const) {
    const { status, stdout, stderr } = await simulate(['--json', name, example]);
    assert.equal(status, 1, name);
    assert.match(stderr, complaint);
    assert.equal(stderr.match(/^greyctl: /gm)?.length, 1, stderr);
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
  const stderr = await readFile(path.join(folder, 'stderr'), 'utf8');
  assert.equal(stderr, '', stdout);
  assert.match(stdout, /^\{.*\}\nstatus 0\n$/);
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

test('own networks are taken as Postfix prints them', async (t) => {
  const { simulate, file } = await world(t);
  const log = await file('mail.log', deferral({ client: 'unknown[2001:db8::5]' }) + deferral());
  const local = async (networks: string) => {
    const { stdout, stderr } = await simulate(['--json', `--mynetworks=${networks}`, log]);
    assert.equal(stderr, '');
    return (objects(stdout)[0]?.['not_attempts'] as { local: number }).local;
  };
  assert.equal(await local('127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128'), 0);
  assert.equal(await local('127.0.0.0/8 [2001:db8::]/32'), 1);
  assert.equal(await local('[2001:DB8::5], [::ffff:192.0.2.0]/120'), 2);
  for (const broken of ['[::1', '::1]/128', '[::1]128', '[::1/128]', '[[::1]]', '[::1]/129', '[mx]/8'])
    assert.match(
      (await simulate([`--mynetworks=${broken}`, log])).stderr,
      /^greyctl: --mynetworks: .* is not a network/,
    );
});

test('what is to be done about a compressed log is told once, so that it can be typed', async (t) => {
  const { greyctl, simulate, file } = await world(t);
  const [zip, zstd] = [Buffer.from('504b03040000', 'hex'), Buffer.from('28b52ffd0000', 'hex')];
  const name = await file("old 'mail'.zip", zip);
  assert.equal(
    (await greyctl(['db', 'learn', name, await file('log.zst', zstd)])).stderr,
    `greyctl: ${name}: is compressed; unpack it with unzip first\n` +
      'greyctl: log.zst: is compressed; unpack it with zstd first\n' +
      "Try: unzip -p 'old '\\''mail'\\''.zip' | greyctl db learn -\n",
  );
  assert.match((await simulate(['-'], zstd)).stderr, /\nTry: … \| zstd -dc \| greyctl simulate -\n$/);
});
