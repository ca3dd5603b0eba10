import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { test, type TestContext } from 'node:test';
import { repositoryRoot, run } from '../support/greyctl.js';
import { request } from '../support/policy-client.js';
import { testServer } from '../support/server.js';
import { temporaryFolder } from '../support/temporary.js';

/** A database with one waiting and one passed triplet. */
async function filled(t: TestContext): Promise<string[]> {
  const server = await testServer(t, ['--delay=0']);
  await (await server.client()).ask(request({ sender: 'passed@example.com', recipient: 'Bob@example.org' }));
  await server.stop();
  const again = await testServer(t, ['--delay=600'], { folder: server.folder });
  const client = await again.client();
  await client.ask(request({ sender: 'list+42@example.com' }));
  await client.ask(request({ sender: 'list+43@example.com' }));
  await again.stop();
  return [
    `--db=${server.db}`,
    ...['clients', 'recipients', 'senders'].map((kind) => `--whitelist-${kind}=${server.folder}/none.local`),
  ];
}

const asJson = (text: string): unknown => JSON.parse(text);

test('db list prints a line of JSON an entry, with the promised fields', async (t) => {
  const [db = ''] = await filled(t);
  const { stdout, status } = await run(['db', 'list', '--json', '--sort=key', db]);
  assert.equal(status, 0);
  const [first, second] = stdout
    .trim()
    .split('\n')
    .map((line) => asJson(line) as Record<string, unknown>);
  assert.deepEqual(Object.keys(first ?? {}), [
    'client',
    'sender',
    'recipient',
    'first_seen',
    'last_seen',
    'deferrals',
    'passed_at',
    'passes',
    'state',
    'released_at',
  ]);
  assert.deepEqual(
    [first?.['client'], first?.['sender'], first?.['deferrals'], first?.['passed_at'], first?.['state']],
    ['192.0.2.0', 'list@example.com', 2, null, 'waiting'],
  );
  assert.deepEqual(
    [second?.['recipient'], second?.['passes'], second?.['state']],
    ['bob@example.org', 1, 'passed'],
  );
  assert.match(String(second?.['first_seen']), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
});

test('db list filters by address, state and number', async (t) => {
  const [db = ''] = await filled(t);
  const senders = async (...args: string[]) =>
    (await run(['db', 'list', '--json', '--sort=key', db, ...args])).stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => (asJson(line) as { sender: string }).sender);
  assert.deepEqual(await senders('--state=passed'), ['passed@example.com']);
  assert.deepEqual(await senders('--state=waiting'), ['list@example.com']);
  assert.deepEqual(await senders('--recipient=BOB@example.org', '--limit=1'), ['list@example.com']);
  assert.deepEqual(await senders('--sender=List+99@example.com', '--client=192.0.2.77'), [
    'list@example.com',
  ]);
  assert.deepEqual(await senders('--client=192.0.3.77'), []);
  assert.deepEqual(await senders('--sender=nobody@example.com'), []);
  const expired = await run(['db', 'list', db, '--max-age=1s', '--retry-window=301s']);
  assert.match(
    expired.stdout,
    /^STATE\tFIRST SEEN\tLAST SEEN\tDEFERRALS\tPASSES\tCLIENT\tSENDER\tRECIPIENT\n/,
  );
});

test('db show tells of one triplet, and exits with 3 when there is none', async (t) => {
  const [db = ''] = await filled(t);
  const show = (sender: string) =>
    run([
      'db',
      'show',
      '--json',
      db,
      '--client=192.0.2.99',
      `--sender=${sender}`,
      '--recipient=bob@example.org',
    ]);
  const known = await show('list+99@example.com');
  assert.deepEqual([known.status, (asJson(known.stdout) as { deferrals: number }).deferrals], [0, 2]);
  const unknown = await show('stranger@example.com');
  assert.deepEqual([unknown.status, (asJson(unknown.stdout) as { state: string }).state], [3, 'unknown']);
});

test('explain says verdict, reason and wait, step by step, and changes nothing', async (t) => {
  const args = await filled(t);
  const ask = async (...more: string[]) =>
    asJson((await run(['explain', '--json', ...args, '--client=192.0.2.5', ...more])).stdout) as Record<
      string,
      unknown
    >;
  const passed = await ask('--sender=passed@example.com', '--recipient=bob@example.org');
  assert.deepEqual(
    [passed['verdict'], passed['reason'], passed['wait_seconds']],
    ['pass', 'triplet found', 0],
  );
  for (let repeat = 0; repeat < 2; repeat += 1) {
    const fresh = await ask('--recipient=Carol@example.org');
    assert.deepEqual([fresh['verdict'], fresh['reason'], fresh['wait_seconds']], ['greylist', 'new', 300]);
    assert.deepEqual(fresh['triplet'], { client: '192.0.2.0', sender: '', recipient: 'carol@example.org' });
    assert.deepEqual(
      (fresh['steps'] as { check: string }[]).map(({ check }) => check),
      [
        'client whitelist',
        'recipient whitelist',
        'sender whitelist',
        'client AWL',
        'recipient window',
        'triplet',
      ],
    );
  }
});

test('explain and simulate take the switches of the server as they are', async () => {
  const options = [
    '--inet=127.0.0.1:10023',
    '-v',
    '--delay=60',
    '--max-age=10',
    '--pidfile=/run/p',
    '--greylist-text=no',
  ];
  const explained = await run([
    'explain',
    ...options,
    '--db=/no/db',
    '--json',
    '--client=192.0.2.5',
    '--recipient=b@c.example',
  ]);
  assert.equal((asJson(explained.stdout) as { wait_seconds: number }).wait_seconds, 60);
  const simulated = await run(['simulate', ...options, '--json', '-'], { input: '' });
  assert.deepEqual([simulated.status, (asJson(simulated.stdout) as { attempts: number }).attempts], [0, 0]);
});

test('explain names the entry that matched, with file and line', async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(`${folder}/clients`, '# friends\nexample.com\n');
  const { stdout } = await run([
    'explain',
    `--db=${folder}/none.db`,
    `--whitelist-clients=${folder}/clients`,
    '--client=192.0.2.5',
    '--client-name=mx.example.com',
    '--sender=a@b.example',
    '--recipient=c@d.example',
  ]);
  assert.equal(
    stdout,
    `pass (client whitelist)\ntriplet: 192.0.2.0 / a@b.example / c@d.example\nin an hour: pass (client whitelist)\n\nCHECK\tRESULT\tBECAUSE\nclient whitelist\tpass\texample.com (${folder}/clients line 2)\n`,
  );
  await assert.rejects(stat(`${folder}/none.db`), 'looking creates no database');
});

test('whitelist add, list, test and remove', async (t) => {
  const folder = await temporaryFolder(t);
  const file = `${folder}/g.db`;
  const db = `--db=${file}`;
  const say = async (...args: string[]) => {
    const { status, stdout, stderr } = await run(['whitelist', ...args, db]);
    return `${status ?? ''} ${stdout}${stderr}`;
  };
  assert.equal(
    await say('add', 'example.com', '192.0.2.0/24', '--comment=friends'),
    `0 added client example.com to ${file}\nadded client 192.0.2.0/24 to ${file}\n`,
  );
  assert.equal(
    await say('add', 'recipient', 'bob@example.org'),
    `0 added recipient bob@example.org to ${file}\n`,
  );
  assert.equal(
    await say('add', 'sender', 'news.example', '--expires=2099-12-31'),
    `0 added sender news.example to ${file} until 2099-12-31 23:59:59\n`,
  );
  assert.equal(await say('add', 'example.com'), `0 updated client example.com in ${file}\n`);
  assert.deepEqual(asJson((await say('add', '--json', 'example.com')).slice(2)), {
    result: 'updated',
    kind: 'client',
    pattern: 'example.com',
    location: file,
  });
  const listed = (await run(['whitelist', 'list', '--stored', '--json', db])).stdout
    .trim()
    .split('\n')
    .map((line) => asJson(line) as Record<string, unknown>);
  assert.deepEqual(Object.keys(listed[0] ?? {}), [
    'kind',
    'pattern',
    'comment',
    'added_at',
    'expires_at',
    'source',
    'hits',
    'last_hit',
  ]);
  assert.deepEqual(
    listed.map((row) => row['pattern']),
    ['example.com', '192.0.2.0/24', 'bob@example.org', 'news.example'],
  );
  assert.equal(await say('test', 'mx.example.com'), '0 client example.com (database)\n');
  assert.equal(await say('test', '192.0.2.7'), '0 client 192.0.2.0/24 (database)\n');
  assert.equal(await say('test', 'bob+x@example.org'), '0 recipient bob@example.org (database)\n');
  assert.equal(await say('test', '198.51.100.7'), '3 no entry matches 198.51.100.7\n');
  assert.equal(await say('remove', 'example.com'), `0 removed client example.com from ${file}\n`);
  assert.equal(await say('remove', 'example.com'), `3 greyctl: there is no client example.com in ${file}\n`);
  const other = `${folder}/other.db`;
  assert.equal(
    (await run(['whitelist', 'remove', 'example.com', `--db=${other}`])).stderr,
    `greyctl: there is no database ${other} yet\ngreyctl: there is no client example.com in ${other}\n`,
  );
  await assert.rejects(stat(other), 'removing creates no database');
});

test('whitelist test says what came nearest, and lint, import and export work together', async (t) => {
  const folder = await temporaryFolder(t);
  const db = `--db=${folder}/g.db`;
  const none = ['clients', 'recipients', 'senders'].map((kind) => `--whitelist-${kind}=/dev/null`);
  const say = async (...args: string[]) => {
    const { status, stdout, stderr } = await run(['whitelist', ...args, db]);
    return `${status ?? ''} ${stdout}${stderr}`;
  };
  const file = `${folder}/clients_fqdn_whitelist`;
  await writeFile(file, '*.example.com # pool\nmx.example.com\n\nbad name\nexample.com\n');
  const did = (added: string) =>
    `0 ${file} line 1: ${added} client example.com\n${file} line 2: ${added} client mx.example.com\n` +
    `${file} line 4: skipped: 'bad name' has a blank inside: one entry a line\n${file} line 5: there already: client example.com\n`;
  assert.equal(
    (await say('import', '--dry-run', file)).split('\ngreyctl: there is no')[0]?.replace(/\n?$/, '\n'),
    did('would add'),
  );
  assert.equal(await say('import', file), did('added'));
  const exported = '# greyctl whitelist: client\nexample.com # pool\nmx.example.com\n';
  assert.equal(await say('export'), `0 ${exported}`);
  assert.equal(
    await say('lint', ...none),
    '3 database: client mx.example.com: inside another: inside example.com (database)\n',
  );
  const attempt = ['--client=192.0.2.5', '--sender=a@mx.example.com', '--recipient=b@example.org'];
  assert.match(
    await say('test', ...none, ...attempt),
    /^3 no entry matches this attempt\nnear: client example\.com \(database\): it is a name, and the name of this client is not verified/,
  );
  assert.equal(
    await say('test', ...none, ...attempt, '--client-name=mx.example.com'),
    '0 client mx.example.com (database)\nclient example.com (database): shadowed, the first one counts\n',
  );
  assert.match(await say('test'), /^2 greyctl: whitelist test: say either WHAT, or an attempt/);
});

test('whitelist add refuses what could never match, and asks which kind an address is', async (t) => {
  const db = `--db=${await temporaryFolder(t)}/g.db`;
  const refused = async (...args: string[]) => {
    const { status, stderr } = await run(['whitelist', 'add', ...args, db]);
    assert.equal(status, 2);
    return stderr;
  };
  assert.match(
    await refused('bob@example.org'),
    /^greyctl: "bob@example.org" may be a recipient or a sender\nTry: greyctl whitelist add recipient ADDRESS, or /,
  );
  assert.match(await refused('192.0.2.0/99'), /^greyctl: cannot use "192.0.2.0\/99" as a client: /);
  assert.match(await refused('/(?=x)/'), /lookahead/);
  assert.match(
    await refused('a.example', '--expires=yesterday'),
    /^greyctl: --expires: "yesterday" is neither a duration/,
  );
});

test('stats counts by verdict, reason and hour', async (t) => {
  const [db = ''] = await filled(t);
  const document = asJson((await run(['stats', '--json', db])).stdout) as Record<string, unknown>;
  assert.deepEqual(document['verdicts'], { pass: 1, greylist: 2 });
  assert.deepEqual(document['reasons'], { new: 2, 'early-retry': 1 });
  assert.equal(document['attempts'], 3);
  assert.deepEqual(document['entries'], { waiting: 1, passed: 1 });
  assert.deepEqual(document['delay_seconds'], { p50: null, p95: null, max: null });
  const text = (await run(['stats', db])).stdout;
  assert.match(text, /^Since .*: 3 attempts\n\nVERDICT\tREASON\tATTEMPTS\tSHARE\n/);
  assert.match(text, /\nHOUR\tGREYLIST\tPASS\n\d{4}-\d\d-\d\d \d\d:00\t\d\t\d\n/);
});

test('stats tells who waits, and what became of the triplets that were deferred', async (t) => {
  const [db = ''] = await filled(t);
  const document = asJson((await run(['stats', '--json', db])).stdout) as Record<string, unknown>;
  assert.deepEqual(document['triplets'], { deferred: 1, returned: 0, waiting: 1, never_returned: 0 });
  assert.deepEqual(document['waiting_by_sender_domain'], [{ name: 'example.com', count: 1 }]);
  assert.deepEqual(document['waiting_by_client'], [{ name: '192.0.2.0', count: 1 }]);
  assert.deepEqual(document['waiting_by_recipient'], [{ name: 'bob@example.org', count: 1 }]);
  const { stdout } = await run(['stats', db, '--top=1']);
  assert.match(stdout, /Triplets deferred: 1, of which 0 \(0\.0 %\) came back, 1 \(100\.0 %\) still may, 0 /);
  assert.ok(
    stdout.endsWith(
      '\nSENDER DOMAIN\tWAITING\nexample.com\t1\n\nCLIENT\tWAITING\n192.0.2.0\t1\n\nRECIPIENT\tWAITING\nbob@example.org\t1\n',
    ),
  );
  assert.doesNotMatch((await run(['stats', db, '--top=0'])).stdout, /WAITING/);
});

test('stats --watch is refused without a terminal', async () => {
  const { status, stderr } = await run(['stats', '--watch']);
  assert.deepEqual(
    [status, stderr],
    [2, 'greyctl: --watch needs a terminal to write to\nTry: greyctl stats --help\n'],
  );
});

test('config postfix puts the policy check last, in the plain and in the fail-open form', async () => {
  const { stdout } = await run(['config', 'postfix', '--inet', '127.0.0.1:60000']);
  const block = (end: string) =>
    `smtpd_recipient_restrictions =\n    permit_mynetworks,\n    permit_sasl_authenticated,\n    reject_unauth_destination,\n    ${end}\n`;
  assert.ok(stdout.includes(block('check_policy_service inet:127.0.0.1:60000')));
  const failOpen = block('check_policy_service { inet:127.0.0.1:60000, timeout=10s, default_action=DUNNO }');
  assert.ok(stdout.replace(/^# /gm, '').includes(failOpen));
  assert.equal(
    (await run(['config', 'postfix', '--inet=0.0.0.0:60000', '--form=fail-open'])).stdout,
    failOpen,
  );
  assert.match(
    (await run(['config', 'postfix', '--unix=/run/greyctl.sock'])).stdout,
    /check_policy_service unix:\/run\/greyctl\.sock\n/,
  );
});

test('config options prints exactly the settings given, and serve takes them back from a shell', async (t) => {
  const given = ['--inet=127.0.0.1:60000', '--delay=60', '--max-age=10'];
  assert.match(
    (await run(['config', 'options', ...given])).stdout,
    /^GREYCTL_OPTS="--inet=127\.0\.0\.1:60000 --delay=60 --max-age=10"$/m,
  );
  const folder = await temporaryFolder(t);
  const text = 'Greylisted for %s "seconds", see $HOME of %r';
  await writeFile(
    `${folder}/default`,
    (await run(['config', 'options', `--greylist-text=${text}`, '-v'])).stdout,
  );
  const shell = `. ${folder}/default; exec ${process.execPath} bin/greyctl.js config show --json $GREYCTL_OPTS`;
  const shown = asJson(
    execFileSync('sh', ['-c', shell], { encoding: 'utf8', cwd: repositoryRoot }),
  ) as Record<string, { value: string }>;
  assert.equal(shown['greylist_text']?.value, text);
  assert.equal(shown['verbose']?.value, 'yes');
});

test('config show tells where every setting came from', async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(`${folder}/greyctl.conf`, '# ours\nmax-age = 10\n');
  const { stdout } = await run(
    ['config', 'show', `--config=${folder}/greyctl.conf`, '--delay=60', '--json'],
    { env: { GREYCTL_RETRY_WINDOW: '4h' } },
  );
  const shown = asJson(stdout) as Record<string, { value: string; origin: string }>;
  assert.deepEqual(
    ['delay', 'max_age', 'retry_window', 'client_key'].map((name) => Object.values(shown[name] ?? {})),
    [
      ['1m', '--delay'],
      ['10d', `${folder}/greyctl.conf line 2: max-age`],
      ['4h', 'GREYCTL_RETRY_WINDOW'],
      ['subnet', 'default'],
    ],
  );
  // Which files these are depends on the host: the last one is the operator's own.
  assert.match(shown['whitelist_clients']?.value ?? '', /, \/etc\/\S+clients\.local$/);
  assert.match(shown['whitelist_senders']?.value ?? '', /whitelist_senders\.local$/);
  assert.equal(shown['whitelist_clients']?.origin, 'default');
  const named = await run(['config', 'show', '--json', `--whitelist-clients=${folder}/mine`]);
  const { whitelist_clients } = asJson(named.stdout) as typeof shown;
  assert.deepEqual(whitelist_clients, { value: `${folder}/mine`, origin: '--whitelist-clients' });
});

test('wrong configuration is refused with every problem, status 2', async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(`${folder}/greyctl.conf`, 'dealy = 60\nmax-age = ten\n');
  const { status, stdout, stderr } = await run(['serve', `--config=${folder}/greyctl.conf`]);
  assert.deepEqual([status, stdout], [2, '']);
  assert.equal(
    stderr,
    'greyctl: wrong configuration: 2 problems:\n' +
      `  ${folder}/greyctl.conf line 1: there is no setting "dealy"\n` +
      `  ${folder}/greyctl.conf line 2: max-age: "ten" is not a duration: a number of days, or one with a unit such as 90s, 5m, 36h, 35d\n` +
      'Try: greyctl config show\n',
  );
  assert.equal(
    (await run(['stats', '--config=/no/such/file'])).stderr,
    'greyctl: cannot read the configuration file /no/such/file: no such file or directory\nTry: greyctl stats --help\n',
  );
});

test('a unix socket in the queue directory is named so that a chrooted smtpd finds it', async () => {
  const { stdout } = await run([
    'config',
    'postfix',
    '--unix=/var/spool/postfix/private/greyctl',
    '--form=plain',
  ]);
  assert.match(stdout, /check_policy_service unix:private\/greyctl\n$/);
});

test('every switch of postgrey 1.37 is taken', async () => {
  const long = [
    ...[
      '--verbose',
      '--quiet',
      '--daemonize',
      '--unix=/run/s',
      '--socketmode=0660',
      '--inet=localhost:10023',
      '--pidfile=/run/p',
    ],
    ...[
      '--user=nobody',
      '--group=nogroup',
      '--dbdir=/var/lib/postgrey',
      '--delay=300',
      '--max-age=35',
      '--retry-window=48h',
    ],
    ...[
      '--greylist-action=451',
      '--greylist-text=no',
      '--x-greylist-header=X: y',
      '--lookup-by-subnet',
      '--lookup-by-host',
    ],
    ...[
      '--ipv4cidr=24',
      '--ipv6cidr=64',
      '--auto-whitelist-clients=7',
      '--whitelist-clients=/a',
      '--whitelist-clients=/b',
    ],
    ...[
      '--whitelist-recipients=/c',
      '--syslogfacility=local0',
      '--syslog-facility=local1',
      '--facility=mail',
      '--privacy',
    ],
    ...['--hostname=mx', '--exim', '--listen-queue-size=5000', '--noaction', '--no-action'],
  ];
  for (const args of [
    long,
    ['-v', '-q', '-d', '-n', '-u', '/run/s', '-i', '60000', '--auto-whitelist-clients'],
    ['-vqdn'],
  ]) {
    const { status, stderr } = await run(['config', 'show', ...args]);
    assert.deepEqual([status, stderr], [0, ''], args.join(' '));
  }
  for (const flag of ['-h', '--help', '--version']) assert.equal((await run(['serve', flag])).status, 0);
});

test('wrong usage is status 2 with one line and what to try', async () => {
  const usage = async (...args: string[]) => {
    const { status, stdout, stderr } = await run(args);
    assert.deepEqual([status, stdout], [2, '']);
    return stderr;
  };
  assert.equal(await usage(), 'greyctl: a command is missing\nTry: greyctl --help\n');
  assert.equal(
    await usage('serve', '--dealy=3'),
    'greyctl: there is no option --dealy\nTry: greyctl serve --help\n',
  );
  assert.equal(
    await usage('serve', '--delay'),
    'greyctl: Not enough arguments following: delay\nTry: greyctl serve --help\n',
  );
  assert.match(
    await usage('serve', '--delay='),
    /^greyctl: wrong command line: --delay: "" is not a duration.*\nTry: greyctl serve --help\n$/,
  );
  assert.match(await usage('db'), /^greyctl: say what to do: greyctl db info\|list\|show\|/);
});

test('hostile words on the command line come back harmless', async () => {
  for (const args of [
    ['\u001b[2Jserve'],
    ['stats', '--config=/\u001b]0;x\u0007'],
    ['db', 'info', '--db=/\u009bx/y'],
  ]) {
    const { stdout, stderr } = await run(args);
    // eslint-disable-next-line no-control-regex
    assert.doesNotMatch(stdout + stderr, /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
  }
});

test('a repeated option counts the last time, as in postgrey', async () => {
  const { stdout } = await run([
    'config',
    'show',
    '--delay=60',
    '--delay',
    '90',
    '--json',
    '--auto-whitelist-clients',
  ]);
  const shown = asJson(stdout) as Record<string, { value: string }>;
  assert.deepEqual([shown['delay']?.value, shown['auto_whitelist_clients']?.value], ['90s', '5']);
});

test('a file that is no database of ours is refused and left alone', async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(`${folder}/text`, 'not a database, but long enough to be taken for one\n'.repeat(50));
  const { status, stderr } = await run(['db', 'info', `--db=${folder}/text`]);
  assert.deepEqual(
    [status, stderr],
    [
      1,
      `greyctl: cannot use the database ${folder}/text: it is not a SQLite database\nTry: name another file with --db\n`,
    ],
  );
});

test('output to a reader that goes away is a quiet end', async (t) => {
  const [db = ''] = await filled(t);
  const shell = `${process.execPath} bin/greyctl.js db list ${db} | head -n 1; ${process.execPath} bin/greyctl.js config show | head -n 1`;
  const output = execFileSync('sh', ['-c', `{ ${shell}; } 2>&1`], { encoding: 'utf8', cwd: repositoryRoot });
  assert.deepEqual(
    output.split('\n').map((line) => line.split('\t')[0]),
    ['STATE', 'SETTING', ''],
  );
});

test('the packed package installs into a clean prefix and runs, manual included', async (t) => {
  const folder = await temporaryFolder(t);
  await mkdir(`${folder}/prefix`);
  const npm = (...args: string[]) =>
    execFileSync('npm', args, { encoding: 'utf8', cwd: repositoryRoot, stdio: ['ignore', 'pipe', 'ignore'] });
  const tarball =
    npm('pack', '--ignore-scripts', '--pack-destination', folder).trim().split('\n').at(-1) ?? '';
  npm('install', '--global', '--prefix', `${folder}/prefix`, `${folder}/${tarball}`);
  const binary = `${folder}/prefix/bin/greyctl`;
  assert.match(execFileSync(binary, ['--version'], { encoding: 'utf8' }), /^greyctl \d+\.\d+\.\d+\n$/);
  assert.match(
    execFileSync(binary, ['db', 'info', '--db', `${folder}/x.db`], { encoding: 'utf8' }),
    /no database yet/,
  );
  assert.equal(
    execFileSync(binary, ['whitelist', 'add', 'example.org', '--db', `${folder}/x.db`], { encoding: 'utf8' }),
    `added client example.org to ${folder}/x.db\n`,
  );
  await stat(`${folder}/prefix/share/man/man8/greyctl.8`);
  const installed = `${folder}/prefix/lib/node_modules/greyctl`;
  for (const file of [
    'man/greyctl.8',
    'man/greyctl.conf.5',
    'dist/whitelist/lists/clients',
    'LICENSE',
    'README.md',
  ])
    await stat(`${installed}/${file}`);
  await assert.rejects(stat(`${installed}/test`));
});
