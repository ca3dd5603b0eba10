/** `greyctl simulate` beside a database, and `greyctl db learn`. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { run, type Result } from '../support/greyctl.js';
import { request } from '../support/policy-client.js';
import { needs } from '../support/programs.js';
import { redisServer } from '../support/redis.js';
import { testServer } from '../support/server.js';
import { deferral, delivery, example, objects, world } from '../support/small-logs.js';

/** All that is in a database, as `db list` tells it. */
async function listed(folder: string): Promise<string> {
  return (await run(['db', 'list', '--json', `--db=${folder}/greyctl.db`])).stdout;
}

function checksum(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

const at = (secondsAgo: number) => new Date(Date.now() - secondsAgo * 1000).toISOString();

/** A log of the last hours: a triplet that came back, and one that did not. */
function recentLog(): string {
  return [
    deferral({ at: at(8000) }),
    deferral({ at: at(7900), sender: 'spam@example.com' }),
    delivery({ at: at(7000) }),
  ].join('');
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

test('--with-db says so when the database knows what comes later in the log', async (t) => {
  const { simulate, greyctl, file } = await world(t);
  const log = await file('log', recentLog());
  await greyctl(['db', 'learn', log]);
  const { stdout, stderr } = await simulate(['--with-db', '--json', log]);
  assert.deepEqual(objects(stdout)[0]?.['reasons'], { 'triplet found': 2, new: 1 });
  assert.match(
    stderr,
    /^greyctl: the database knows triplets that were first seen after this log begins: .*\n$/,
  );
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
  assert.deepEqual(again, [{ dry_run: false, triplets: 1, awl_clients: 0, added: 0, changed: 0 }]);
  assert.equal(await listed(folder), before);
});

test('db learn --dry-run says what it would learn and writes nothing', async (t) => {
  const { greyctl, file, folder } = await world(t);
  const log = await file('log', recentLog());
  const { status, stdout, stderr } = await greyctl(['db', 'learn', '--dry-run', log]);
  assert.deepEqual(
    { status, stdout },
    {
      status: 0,
      stdout:
        'would learn from the log: 1 triplet that passed and 0 clients that earned the auto-whitelist; 1 new, 0 changed; nothing was written\n',
    },
  );
  assert.match(stderr, /^greyctl: there is no database .*greyctl\.db yet\n$/);
  const json = await greyctl(['db', 'learn', '--dry-run', '--json', '--privacy', log]);
  assert.deepEqual(objects(json.stdout), [
    { dry_run: true, triplets: 1, awl_clients: 0, added: 1, changed: 0 },
  ]);
  assert.deepEqual(await readdir(folder), ['log']);
});

test('db learn learns from what can be read and names what cannot', async (t) => {
  const { greyctl, file } = await world(t);
  const log = await file('log', recentLog());
  const { status, stdout, stderr } = await greyctl(['db', 'learn', '--json', 'missing', log]);
  assert.equal(status, 1);
  assert.match(stderr, /^greyctl: missing: /);
  assert.equal(objects(stdout)[0]?.['triplets'], 1);
});

test('db learn makes no database where nothing was learned, and claims nothing of a log that is not there', async (t) => {
  const { greyctl, file, folder } = await world(t);
  assert.deepEqual(await greyctl(['db', 'learn', 'missing']), {
    status: 1,
    stdout: '',
    stderr: 'greyctl: missing: no such file or directory\n',
  });
  const { status, stdout } = await greyctl(['db', 'learn', await file('log', deferral())]);
  assert.deepEqual(
    { status, stdout },
    {
      status: 0,
      stdout:
        'learned from the log: 0 triplets that passed and 0 clients that earned the auto-whitelist; 0 new, 0 changed\n',
    },
  );
  assert.equal(existsSync(path.join(folder, 'greyctl.db')), false);
});

test('db learn refuses a folder that is not there before it reads the log', async (t) => {
  const { file, folder } = await world(t);
  const log = await file('log', recentLog());
  for (const [option, location] of [
    [`--db=${folder}/no/such/x.db`, `${folder}/no/such/x.db`],
    [`--dbdir=${folder}/no/such`, `${folder}/no/such/greyctl.db`],
  ] as const)
    for (const name of [log, 'missing'])
      assert.deepEqual(await run(['db', 'learn', option, name], { cwd: folder }), {
        status: 1,
        stdout: '',
        stderr: `greyctl: cannot open the database ${location}: no such file or directory\nTry: mkdir -p ${folder}/no/such\n`,
      });
  assert.equal(existsSync(path.join(folder, 'no')), false);
});

test('simulate and db learn take the switches of a server, also as a shell splits them', async (t) => {
  const { greyctl, file } = await world(t);
  const log = await file('log', recentLog());
  const switches =
    '--inet=127.0.0.1:10023 -d --pidfile=/run/p.pid --user=postgrey --greylist-text="Greylisted for %s seconds" --delay=60'.split(
      ' ',
    );
  for (const command of [['simulate'], ['db', 'learn']]) {
    const { status, stdout, stderr } = await greyctl([...command, ...switches, '--json', log]);
    assert.deepEqual({ status, stderr }, { status: 0, stderr: '' }, command.join(' '));
    assert.equal(objects(stdout).length, 1);
    assert.doesNotMatch((await greyctl([...command, '--help'])).stdout, /--inet|--pidfile/);
  }
});

test('whatever the server takes for --dry-run keeps db learn from writing', async (t) => {
  const { greyctl, file, folder } = await world(t);
  const log = await file('log', recentLog());
  for (const word of ['--dry-run', '--noaction', '--no-action', '-n'])
    assert.match((await greyctl(['db', 'learn', word, log])).stdout, /^would learn /, word);
  assert.equal(existsSync(path.join(folder, 'greyctl.db')), false);
});

/** What a dry run foretells of `log`, and what the run that follows then reports, each as [added, changed]. */
async function foretoldAndDone(
  learn: (...args: string[]) => Promise<Result>,
  log: string,
): Promise<[unknown, unknown]> {
  const numbers = async (...args: string[]) => {
    const { status, stdout, stderr } = await learn('--json', ...args, log);
    assert.equal(status, 0, stderr);
    const [{ added, changed } = {}] = objects(stdout);
    return [added, changed];
  };
  return [await numbers('--dry-run'), await numbers()];
}

/** Five triplets of one client that came back, an hour between them, from so many seconds ago on. */
const returns = (name: string, from: number) =>
  [0, 1, 2, 3, 4]
    .map((index) => {
      const mail = { sender: `${name}${index}@example.com` };
      const start = from - index * 4000;
      return (
        deferral({ ...mail, at: at(start) }) + delivery({ ...mail, at: at(start - 600) }, `4A135${index}`)
      );
    })
    .join('');

/** Learns one log after the other: what is foretold must be what is done. */
async function learnInTurn(
  learn: (...args: string[]) => Promise<Result>,
  file: (name: string, content: string) => Promise<string>,
) {
  const [first, second] = [returns('a', 90_000), returns('a', 90_000) + returns('b', 60_000)];
  const later = first + delivery({ sender: 'a0@example.com', at: at(100) }, '5B2468');
  const done: unknown[] = [];
  for (const [index, log] of [first, second, later, later].entries()) {
    const [foretold, then] = await foretoldAndDone(learn, await file(`log${index}`, log));
    assert.deepEqual(foretold, then, `log ${index}`);
    done.push(then);
  }
  return done;
}

for (const mode of [[], ['--privacy']])
  test(`db learn --dry-run ${mode.join('')} foretells what the run then reports, and leaves the file as it is`, async (t) => {
    const { greyctl, file, folder } = await world(t);
    const content = () => readFile(path.join(folder, 'greyctl.db')).then(checksum, () => undefined);
    const learn = async (...args: string[]) => {
      const before = await content();
      const result = await greyctl(['db', 'learn', ...mode, ...args]);
      if (args.includes('--dry-run')) assert.equal(await content(), before);
      return result;
    };
    assert.deepEqual(await learnInTurn(learn, file), [
      [6, 0],
      [5, 1],
      [0, 1],
      [0, 0],
    ]);
  });

test(
  'db learn --dry-run foretells the same of a shared database',
  needs('redis-server', 'redis-cli'),
  async (t) => {
    const { file, folder } = await world(t);
    const redis = await redisServer(t);
    const learn = (...args: string[]) => run(['db', 'learn', `--db=${redis.url}`, ...args], { cwd: folder });
    assert.deepEqual(await learnInTurn(learn, file), [
      [6, 0],
      [5, 1],
      [0, 1],
      [0, 0],
    ]);
  },
);

test('db learn leaves out what is far ahead, and says so', async (t) => {
  const { greyctl, file, folder } = await world(t);
  const log = await file(
    'log',
    deferral({ at: 'Nov 16 08:00:00' }) +
      delivery({ at: 'Nov 16 08:10:00' }) +
      delivery({ at: '2062-11-16T09:00:00Z' }),
  );
  const told = (attempts: string, remedy: string) =>
    `greyctl: left out ${attempts} more than a day ahead of now, up to 2062-11-16 09:00:00\nTry: ${remedy}\n`;
  const year = await greyctl(['db', 'learn', '--year=2062', log]);
  assert.equal(
    year.stderr,
    told('3 attempts', 'greyctl db learn without --year, or with the year of the first line'),
  );
  assert.equal(await listed(folder), '');
  const clock = await greyctl(['db', 'learn', log]);
  assert.equal(clock.stderr, told('1 attempt', 'date, here and on the host that wrote the log'));
});
