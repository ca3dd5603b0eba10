import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { test } from 'node:test';
import Database from 'better-sqlite3';
import { start } from '../support/background.js';
import { eventually } from '../support/deadline.js';
import { freePort } from '../support/free-port.js';
import { repositoryRoot, run, serve } from '../support/greyctl.js';
import { connect, encode, request } from '../support/policy-client.js';
import { find, needs, needsRoot } from '../support/programs.js';
import { testServer } from '../support/server.js';
import { temporaryFolder } from '../support/temporary.js';

for (const signal of ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const) {
  test(`${signal}: what was asked is answered, then the connection is closed, and the end is clean`, async (t) => {
    const server = await testServer(t);
    const client = await server.client();
    await client.ask(request());
    client.send(encode(request({ sender: 'last@example.com' })));
    const stopped = server.stop(signal);
    assert.match(await client.answer(), /^DEFER_IF_PERMIT/);
    await client.expectClosed();
    assert.deepEqual(await stopped, { status: 0, signal: null });
  });
}

test('the start says the version, the database, the line for main.cf, and last that it is ready', async (t) => {
  const server = await testServer(t);
  const version = (await run(['--version'])).stdout.trim();
  await server.expectStderr(/listening on /);
  assert.equal(
    server.stderr(),
    `${version}: the database is ${server.db}\n` +
      `in main.cf, at the end of smtpd_recipient_restrictions: check_policy_service ${server.endpoint}\n` +
      `listening on ${server.endpoint}\n`,
  );
});

test('a client that closes its side behind its request is answered', async (t) => {
  const server = await testServer(t);
  const client = await server.client();
  client.send(encode(request()));
  client.end();
  assert.match(await client.answer(), /^DEFER/);
  await client.expectClosed();
});

test('an entry of `whitelist add` is in force in a running server without a reload, and so is its removal', async (t) => {
  const server = await testServer(t);
  const client = await server.client();
  assert.match(await client.ask(request()), /^DEFER/);
  const added = await run(['whitelist', 'add', 'example.com', `--db=${server.db}`]);
  assert.deepEqual([added.status, added.stdout], [0, `added client example.com to ${server.db}\n`]);
  await eventually(
    async () => ((await client.ask(request())) === 'DUNNO' ? true : undefined),
    'pass of the listed client',
  );
  await server.expectStderr(/reason=client whitelist/);
  const listed = await run(['whitelist', 'list', '--stored', '--json', `--db=${server.db}`]);
  assert.match(listed.stdout, /"pattern":"example.com".*"hits":[1-9]/);
  await run(['whitelist', 'remove', 'example.com', `--db=${server.db}`]);
  await eventually(
    async () => ((await client.ask(request())) === 'DUNNO' ? undefined : true),
    'deferral after the removal',
  );
});

test('list files are followed when they change, and at SIGHUP; a bad line keeps the last good list', async (t) => {
  const folder = await temporaryFolder(t);
  const file = `${folder}/clients`;
  await writeFile(file, 'nobody.example\n');
  const server = await testServer(t, [`--whitelist-clients=${file}`], { folder });
  const client = await server.client();
  const passes = (news: string) =>
    eventually(async () => ((await client.ask(request())) === 'DUNNO' ? true : undefined), news);
  assert.match(await client.ask(request()), /^DEFER/);
  await writeFile(`${file}.new`, 'example.com\n');
  await rename(`${file}.new`, file);
  await passes('pass after the file changed');
  await writeFile(file, '/(unclosed/\n');
  await server.expectStderr(new RegExp(`^${file} line 1: .*unclosed.*$`, 'm'));
  assert.equal(await client.ask(request()), 'DUNNO');
  await writeFile(file, 'other.example\n');
  server.process.kill('SIGHUP');
  await server.expectStderr(/^SIGHUP: reading the whitelist files$/m);
  await eventually(
    async () => ((await client.ask(request())) === 'DUNNO' ? undefined : true),
    'deferral under the new list',
  );
});

test('connections beyond the limit are closed at once, and a place that is free again serves', async (t) => {
  const server = await testServer(t, ['--max-connections=2']);
  const [one, two] = [await server.client(), await server.client()];
  await one.ask(request());
  await two.ask(request());
  const third = await server.client();
  await third.expectClosed();
  await server.expectStderr(
    /^refused a connection from 127\.0\.0\.1:\d+: 2 are open already \(--max-connections\)$/m,
  );
  one.close();
  await eventually(async () => {
    const next = await connect(server.endpoint);
    return next
      .ask(request())
      .catch(() => undefined)
      .finally(() => {
        next.close();
      });
  }, 'answer on a freed place');
});

test('listening beyond loopback needs --allow', async (t) => {
  const refused = await run(['serve', '--inet=0.0.0.0:0', `--db=${await temporaryFolder(t)}/x.db`]);
  assert.equal(refused.status, 2);
  assert.equal(
    refused.stderr,
    'greyctl: will not listen on 0.0.0.0:0: anybody who reaches it could ask and fill the database\n' +
      'Try: --allow=CIDR says who may connect, e.g. --allow=192.0.2.0/24\n',
  );
  const server = await testServer(t, ['--inet=0.0.0.0:0', '--allow=192.0.2.0/24']);
  const port = server.endpoint.split(':').at(-1) ?? '';
  assert.match(await (await server.client(`inet:127.0.0.1:${port}`)).ask(request()), /^DEFER/);
});

test('a port or a path that is taken, and a file in the way, are said in one line', async (t) => {
  const server = await testServer(t);
  const address = server.endpoint.replace('inet:', '');
  const again = await run(['serve', `--inet=${address}`, `--db=${server.db}`]);
  assert.equal(again.status, 1);
  assert.equal(
    again.stderr,
    `greyctl: cannot listen on ${server.endpoint}: address already in use\n` +
      'Try: stop what listens there (ss -ltnp), or name another address with --inet\n',
  );
  await writeFile(`${server.folder}/file`, 'precious');
  const inTheWay = await run(['serve', `--unix=${server.folder}/file`, `--db=${server.db}`]);
  assert.match(inTheWay.stderr, /: a file that is no socket is in the way\n/);
  assert.equal(await readFile(`${server.folder}/file`, 'utf8'), 'precious');
  const path = `${server.folder}/s`;
  const other = createServer().listen(path);
  t.after(() => other.close());
  await eventually(() => stat(path).catch(() => undefined), 'socket');
  assert.match(
    (await run(['serve', `--unix=${path}`, `--db=${server.db}`])).stderr,
    /: another server answers there\n/,
  );
});

test('a socket that a killed server left behind is taken over', async (t) => {
  const folder = await temporaryFolder(t);
  const first = await testServer(t, [`--unix=${folder}/s`], { folder });
  await first.kill();
  assert.ok((await stat(`${folder}/s`)).isSocket());
  const second = await testServer(t, [`--unix=${folder}/s`], { folder });
  assert.match(await (await second.client()).ask(request()), /^DEFER/);
});

test('a second server on one database is refused with the process of the first, unless it is told to share', async (t) => {
  const folder = await temporaryFolder(t);
  const first = await testServer(t, [], { folder });
  const second = await run(['serve', '--inet=127.0.0.1:0', `--db=${first.db}`]);
  assert.equal(second.status, 1);
  assert.equal(
    second.stderr,
    `greyctl: the database ${first.db} is in use by another greyctl serve, process ${first.process.pid}\n` +
      'Try: stop that one, name another database with --db, or start this one with --share\n',
  );
  const sharing = await testServer(t, ['--share'], { folder });
  assert.match(await (await sharing.client()).ask(request()), /^DEFER/);
  assert.match(await (await first.client()).ask(request()), /Greylisted for (300|299|298) seconds/);
  await first.kill();
  const next = await testServer(t, [], { folder });
  assert.match(await (await next.client()).ask(request()), /^DEFER/);
});

test('kill -9 loses no attempt whose answer was read', async (t) => {
  const folder = await temporaryFolder(t);
  for (let round = 0; round < 5; round += 1) {
    const server = await testServer(t, ['--delay=3600', '--retry-window=2'], { folder });
    const clients = await Promise.all(Array.from({ length: 20 }, () => server.client()));
    const answered: string[] = [];
    const asking = clients.map(async (client, index) => {
      for (let count = 0; ; count += 1) {
        const sender = `s-${round}x${index}x${count}@example.com`;
        await client.ask(request({ sender }));
        answered.push(sender);
      }
    });
    const ended = Promise.allSettled(asking);
    await eventually(() => (answered.length > 200 ? true : undefined), '200 answers');
    await server.kill();
    await ended;
    const known = await run(['db', 'list', '--json', `--db=${server.db}`]);
    const senders = new Set(
      known.stdout
        .split('\n')
        .filter(Boolean)
        .map((line) => (JSON.parse(line) as { sender: string }).sender),
    );
    assert.deepEqual(
      answered.filter((sender) => !senders.has(sender)),
      [],
    );
  }
});

test('whitelist add and db list work while the server answers, and neither loses anything', async (t) => {
  // All of one network.
  const server = await testServer(t, ['--max-waiting-per-client=1000000']);
  const clients = await Promise.all(Array.from({ length: 10 }, () => server.client()));
  let isOver = false;
  let answers = 0;
  const load = clients.map(async (client, index) => {
    for (let count = 0; !isOver; count += 1) {
      assert.match(
        await client.ask(request({ sender: `c${index}n${count}q@example.com` })),
        /^DEFER_IF_PERMIT 4\.2\.0 Greylisted for 300 seconds$/,
      );
      answers += 1;
    }
  });
  const all = Promise.all(load);
  const beganAt = performance.now();
  for (let count = 0; count < 8 || performance.now() - beganAt < 3000; count += 1) {
    const added = await run(['whitelist', 'add', `w${count}.example`, `--db=${server.db}`]);
    assert.deepEqual([added.status, added.stderr], [0, '']);
    const listed = await run(['db', 'list', '--json', `--db=${server.db}`]);
    assert.deepEqual([listed.status, listed.stderr], [0, '']);
  }
  const seconds = (performance.now() - beganAt) / 1000;
  isOver = true;
  await all;
  assert.doesNotMatch(server.stderr(), /suspended|cannot/);
  const info = JSON.parse((await run(['db', 'info', '--json', `--db=${server.db}`])).stdout) as {
    entries: { waiting: number };
    whitelist_entries: number;
  };
  assert.equal(info.entries.waiting, answers);
  assert.ok(info.whitelist_entries >= 8);
  t.diagnostic(`${Math.round(answers / seconds)} requests/s while two commands ran in turn`);
});

test('while another process holds the database mail passes, and greylisting comes back by itself', async (t) => {
  const server = await testServer(t);
  const client = await server.client();
  await client.ask(request());
  const other = new Database(server.db);
  other.exec('BEGIN IMMEDIATE');
  assert.equal(await client.ask(request({ sender: 'x@example.com' })), 'DUNNO');
  await server.expectStderr(
    /^greylisting is suspended, mail passes: cannot use the database .*: it is locked by another process$/m,
  );
  assert.equal(await client.ask(request({ sender: 'y@example.com' })), 'DUNNO');
  other.exec('COMMIT');
  other.close();
  await eventually(
    async () =>
      (await client.ask(request({ sender: 'z@example.com' }))).startsWith('DEFER') ? true : undefined,
    'greylisting',
  );
  const stats = JSON.parse((await run(['stats', '--json', `--db=${server.db}`])).stdout) as {
    reasons: Record<string, number>;
  };
  assert.ok((stats.reasons['store unavailable'] ?? 0) >= 2, 'counted once the store is back');
  assert.equal(server.stderr().match(/suspended/g)?.length, 1);
});

test('with --exim a client that goes on sending frees its place', async (t) => {
  const server = await testServer(t, ['--exim', '--max-connections=3']);
  for (let round = 0; round < 10; round += 1) {
    await eventually(async () => {
      const client = await connect(server.endpoint);
      const action = await client.ask(request()).catch(() => undefined);
      client.send('x');
      client.close();
      return action;
    }, 'answer');
  }
});

test('a database that is deleted under the server is noticed, said once, and a new one is used', async (t) => {
  const server = await testServer(t);
  const client = await server.client();
  assert.match(await client.ask(request()), /^DEFER/);
  for (const end of ['', '-wal', '-shm']) await rm(server.db + end, { force: true });
  await run(['whitelist', 'add', 'example.com', `--db=${server.db}`]);
  await eventually(async () => {
    await client.ask(request());
    return server.stderr().includes('reason=client whitelist') || undefined;
  }, 'pass of the client that is listed in the new file');
  await server.expectStderr(/ was deleted or replaced; what is there now is used from here on$/m);
  assert.equal((await stat(server.db)).mode & 0o777, 0o640);
});

test('what a command of root’s has made, the server can use as its own user', needsRoot(), async (t) => {
  const folder = await temporaryFolder(t);
  await chmod(folder, 0o755);
  await mkdir(`${folder}/state`);
  execFileSync('chown', ['nobody', `${folder}/state`]);
  assert.equal((await run(['whitelist', 'add', 'example.com', `--dbdir=${folder}/state`])).status, 0);
  const server = await serve(['--inet=127.0.0.1:0', '--user=nobody', `--dbdir=${folder}/state`]);
  t.after(() => server.stop());
  const client = await connect(server.endpoint);
  assert.equal(await client.ask(request()), 'DUNNO');
  client.close();
});

test('systemd hands over its sockets, TCP and unix', needs('systemd-socket-activate'), async (t) => {
  const folder = await temporaryFolder(t);
  const port = await freePort();
  const activator = start(find('systemd-socket-activate') ?? '', [
    ...[
      '-l',
      `127.0.0.1:${port}`,
      '-l',
      `${folder}/s`,
      '--',
      process.execPath,
      `${repositoryRoot}/bin/greyctl.js`,
    ],
    ...['serve', `--db=${folder}/g.db`, `--whitelist-clients=${folder}/none.local`],
  ]);
  t.after(() => activator.kill());
  const names = [`inet:127.0.0.1:${port}`, `unix:${folder}/s`];
  for (const name of names) {
    const client = await eventually(() => connect(name).catch(() => undefined), 'socket of systemd');
    t.after(() => {
      client.close();
    });
    assert.match(await client.ask(request({ sender: `${names.indexOf(name)}x@example.com` })), /^DEFER/);
    await activator.until(
      () => activator.stderr().includes(`listening on ${name}\n`) || undefined,
      `name of ${name}`,
    );
  }
});

test('under systemd log lines carry their priority for the journal', async (t) => {
  const server = await testServer(t, [], { env: { JOURNAL_STREAM: '8:1' } });
  const client = await server.client();
  await client.ask(request());
  await server.expectStderr(/^<6>action=greylist, reason=new/m);
  await server.expectStderr(/^<5>listening on /m);
});

test('--daemonize leaves a server behind that logs to syslog, with a pid file that goes with it', async (t) => {
  const folder = await temporaryFolder(t);
  await mkdir(`${folder}/bin`);
  // Stands in for logger(1), which writes to the system's log.
  await writeFile(
    `${folder}/bin/logger`,
    `#!/bin/sh\necho "$@" >${folder}/arguments\nexec cat >>${folder}/syslog\n`,
  );
  await chmod(`${folder}/bin/logger`, 0o755);
  const port = await freePort();
  const args = [
    'serve',
    '-d',
    `--inet=127.0.0.1:${port}`,
    `--db=${folder}/g.db`,
    `--pidfile=${folder}/pid`,
    '--facility=local3',
  ];
  const env = { PATH: `${folder}/bin:${process.env['PATH'] ?? ''}` };
  const started = await run(args, { env });
  assert.equal(started.status, 0, started.stderr);
  assert.match(started.stderr, new RegExp(`^listening on inet:127.0.0.1:${port}$`, 'm'));
  const pid = Number(await readFile(`${folder}/pid`, 'utf8'));
  t.after(() => {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended, as it should.
    }
  });
  const client = await connect(`inet:127.0.0.1:${port}`);
  assert.match(await client.ask(request()), /^DEFER/);
  client.close();
  const second = await run(args, { env });
  assert.equal(second.status, 1);
  assert.match(second.stderr, /^greyctl: cannot listen on /);
  process.kill(pid, 'SIGTERM');
  await eventually(
    () =>
      stat(`${folder}/pid`).then(
        () => undefined,
        () => true as const,
      ),
    'end of the daemon',
  );
  assert.match(await readFile(`${folder}/syslog`, 'utf8'), /^<6>action=greylist, reason=new, /m);
  assert.equal(
    await readFile(`${folder}/arguments`, 'utf8'),
    `--prio-prefix --tag greyctl --id=${pid} --priority local3.info\n`,
  );
});

test('a daemon that cannot start says why and exits with a status', async (t) => {
  const folder = await temporaryFolder(t);
  const failed = await run(['serve', '-d', '--inet=127.0.0.1:0', `--db=${folder}/missing/g.db`]);
  assert.equal(failed.status, 1);
  assert.equal(
    failed.stderr,
    `greyctl: cannot open the database ${folder}/missing/g.db: no such file or directory\nTry: mkdir -p ${folder}/missing\n`,
  );
  const hashed = await run(['serve', '--privacy', '--inet=127.0.0.1:0', `--dbdir=${folder}/missing`]);
  assert.equal(
    hashed.stderr,
    `greyctl: cannot open the database ${folder}/missing/greyctl.db: no such file or directory\nTry: mkdir -p ${folder}/missing\n`,
  );
});

test(
  '--user drops privileges before the database is opened, and socket and database are that user’s',
  needsRoot(),
  async (t) => {
    const folder = await temporaryFolder(t);
    await chmod(folder, 0o755);
    await mkdir(`${folder}/state`);
    const [uid, gid] = ['-u', '-g'].map((flag) =>
      Number(execFileSync('id', [flag, 'nobody'], { encoding: 'utf8' })),
    );
    execFileSync('chown', ['nobody', `${folder}/state`]);
    const server = await serve([
      `--unix=${folder}/s`,
      '--user=nobody',
      '--group=mail',
      `--dbdir=${folder}/state`,
      `--pidfile=${folder}/pid`,
    ]);
    t.after(() => server.stop());
    const status = await readFile(`/proc/${server.process.pid ?? 0}/status`, 'utf8');
    const mail = execFileSync('getent', ['group', 'mail'], { encoding: 'utf8' }).split(':')[2] ?? '';
    assert.match(status, new RegExp(`^Uid:\\t${uid ?? ''}\\t${uid ?? ''}\\t`, 'm'));
    assert.match(status, new RegExp(`^Gid:\\t${mail}\\t${mail}\\t`, 'm'));
    assert.match(status, new RegExp(`^Groups:\\t${mail} *$`, 'm'));
    assert.notEqual(String(gid), mail);
    assert.equal((await stat(`${folder}/state/greyctl.db`)).uid, uid);
    assert.equal((await stat(`${folder}/s`)).uid, uid);
    const client = await connect(server.endpoint);
    assert.match(await client.ask(request()), /^DEFER/);
    client.close();
    const nobody = await run([
      'serve',
      '--user=no-such-user',
      '--inet=127.0.0.1:0',
      `--dbdir=${folder}/state`,
    ]);
    assert.deepEqual(
      [nobody.status, nobody.stderr.split('\n')[0]],
      [2, 'greyctl: there is no user no-such-user'],
    );
  },
);

test('a pid file is never written through a link, nor over that of a running process', async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(`${folder}/target`, 'precious\n');
  execFileSync('ln', ['-s', `${folder}/target`, `${folder}/pid`]);
  const server = await testServer(t, [`--pidfile=${folder}/pid`], { folder });
  assert.equal(await readFile(`${folder}/target`, 'utf8'), 'precious\n');
  assert.equal(Number(await readFile(`${folder}/pid`, 'utf8')), server.process.pid);
  const precious = await run([
    'serve',
    '--inet=127.0.0.1:0',
    `--db=${folder}/other.db`,
    `--pidfile=${folder}/target`,
  ]);
  assert.match(precious.stderr, /^greyctl: cannot write the pid file .*: there is a file that is none\n/);
  assert.equal(await readFile(`${folder}/target`, 'utf8'), 'precious\n');
  const second = await run([
    'serve',
    '--inet=127.0.0.1:0',
    `--db=${folder}/other.db`,
    `--pidfile=${folder}/pid`,
  ]);
  assert.equal(second.status, 1);
  assert.match(
    second.stderr,
    /^greyctl: cannot write the pid file .*: process \d+, which it names, is running\n/,
  );
});
