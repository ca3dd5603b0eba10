/** The move from a real postgrey: what it remembers is taken over, and then the same mail passes as before. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { fakeClock, type FakeClock } from '../support/fake-clock.js';
import { run, serve } from '../support/greyctl.js';
import { connect, request, type Attributes } from '../support/policy-client.js';
import { postgrey, type Postgrey } from '../support/postgrey.js';
import { needs } from '../support/programs.js';
import { random } from '../support/random.js';
import { temporaryFolder } from '../support/temporary.js';
import { traffic, type Step } from '../support/traffic.js';

const start = Date.UTC(2025, 5, 1) / 1000;
const switches = [
  '--delay=120',
  '--retry-window=12h',
  '--auto-whitelist-clients=3',
  '--greylist-text=Come back in %s seconds, %r is patient',
  '--x-greylist-header=X-Greylist: delayed %t seconds',
];
const lists = { clients: ['listed.example'], recipients: ['postmaster@'] };

function questionOf(step: Step): Attributes {
  return request({
    client_address: step.clientAddress,
    client_name: step.clientName,
    sender: step.sender,
    recipient: step.recipient,
    instance: step.instance,
  });
}

async function fill(peer: Postgrey, steps: readonly Step[]): Promise<void> {
  const client = await connect(peer.endpoint);
  for (const step of steps) await client.ask({ ...questionOf(step), policy_test_time: step.time });
  client.close();
}

/** The name and content of every file in a folder. */
async function fingerprint(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).toSorted();
  return Promise.all(
    names.map(async (name) => {
      const hash = createHash('sha256').update(await readFile(path.join(folder, name)));
      return `${name} ${hash.digest('hex')}`;
    }),
  );
}

/** A clock, a folder with postgrey's options in the file `defaults`, and postgrey. */
async function world(t: TestContext, more: readonly string[] = []) {
  const folder = await temporaryFolder(t);
  const clock = fakeClock(start);
  t.after(clock.remove);
  const all = [...switches, ...more];
  const peer = await postgrey(all, lists);
  t.after(() => peer.stop());
  const words = all.map((word) => (/\s/.test(word) ? word.replace(/=(.*)$/, "='$1'") : word));
  await writeFile(`${folder}/defaults`, `POSTGREY_OPTS="${words.join(' ')}"\n`);
  return { folder, clock, peer, all };
}

interface Moved {
  readonly triplets: { readonly waiting: number; readonly passed: number };
  readonly awl_clients: number;
  readonly hashed: number;
  readonly by_host: number;
  readonly added: number;
  readonly changed: number;
}

async function move(folder: string, clock: FakeClock, args: readonly string[]): Promise<Moved> {
  const { status, stdout, stderr } = await run(
    ['import', 'postgrey', '--json', `--db=${folder}/greyctl.db`, `--defaults=${folder}/defaults`, ...args],
    { clock },
  );
  assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
  // The promised fields.
  return JSON.parse(stdout) as Moved;
}

async function startGreyctl(t: TestContext, folder: string, clock: FakeClock) {
  for (const [name, lines] of Object.entries(lists)) await writeFile(`${folder}/${name}`, lines.join('\n'));
  const server = await serve(
    [
      '--inet=127.0.0.1:0',
      `--config=${folder}/greyctl.conf`,
      `--db=${folder}/greyctl.db`,
      `--whitelist-clients=${folder}/clients`,
      `--whitelist-recipients=${folder}/recipients`,
    ],
    { clock },
  );
  t.after(() => server.stop());
  const client = await connect(server.endpoint);
  t.after(client.close);
  return client;
}

async function sameAnswers(t: TestContext, more: readonly string[]): Promise<Moved> {
  const { folder, clock, peer, all } = await world(t, more);
  const dice = random();
  const steps = traffic(dice, {
    start,
    days: 12,
    requests: 600,
    delaySeconds: () => 120,
    retryWindowSeconds: 12 * 3600,
    // Longer than the program: nothing is forgotten, on which the two differ on purpose.
    maxAgeSeconds: 35 * 86_400,
    differences: false,
  });
  const half = Math.floor(steps.length / 2);
  await fill(peer, steps.slice(0, half));
  await peer.halt();
  clock.set(steps[half]?.time ?? start);
  const before = await fingerprint(peer.database);
  const from = `--from=${peer.database}`;
  const moved = await move(folder, clock, [from, `--write-config=${folder}/greyctl.conf`]);
  assert.deepEqual(await fingerprint(peer.database), before, 'nothing of postgrey’s is changed');
  const again = await move(folder, clock, [from]);
  assert.deepEqual([again.added, again.changed], [0, 0], 'moving twice changes nothing');

  await peer.restart(all);
  const theirs = await connect(peer.endpoint);
  t.after(theirs.close);
  const ours = await startGreyctl(t, folder, clock);
  for (const [index, step] of steps.slice(half).entries()) {
    clock.set(step.time);
    const wanted = await theirs.ask({ ...questionOf(step), policy_test_time: step.time });
    const got = await ours.ask(questionOf(step));
    assert.equal(got, wanted, `SEED=${dice.seed}, step ${half + index}: ${JSON.stringify(step)}`);
  }
  t.diagnostic(`SEED=${dice.seed}: ${steps.length} requests, ${JSON.stringify(moved)}`);
  return moved;
}

const programs = needs('postgrey', 'db_dump', 'faketime');

test('after the move greyctl answers as postgrey would have', programs, async (t) => {
  const moved = await sameAnswers(t, []);
  assert.ok(moved.triplets.passed > 0 && moved.triplets.waiting > 0 && moved.awl_clients > 0);
  assert.equal(moved.added, moved.triplets.passed + moved.triplets.waiting + moved.awl_clients);
});

test(
  'after the move of a database keyed by host greyctl answers as postgrey would have',
  programs,
  async (t) => {
    const moved = await sameAnswers(t, ['--lookup-by-host']);
    assert.ok(moved.by_host > 0);
    assert.equal(moved.by_host, moved.triplets.passed + moved.triplets.waiting);
  },
);

test('saved dumps in both formats say the same as the database', programs, async (t) => {
  const { folder, clock, peer } = await world(t);
  const steps = [0, 120, 4000].map((offset, index) => ({
    offset,
    sender: index > 1 ? 'odd/\\ü@s.example' : 'a@s.example',
  }));
  await fill(
    peer,
    steps.map(({ offset, sender }) => ({
      time: start + offset,
      clientAddress: '2001:db8::5',
      clientName: 'unknown',
      sender,
      recipient: 'b@example.org',
      instance: String(offset),
      story: '',
    })),
  );
  await peer.halt();
  clock.set(start + 5000);
  const direct = await move(folder, clock, [`--from=${peer.database}`]);
  assert.deepEqual([direct.triplets, direct.awl_clients], [{ waiting: 1, passed: 1 }, 1]);
  // Started and ended by force the files may be behind the logs: postgrey's own recovery brings them up to date.
  execFileSync('db_recover', ['-c', '-h', peer.database]);
  for (const format of [[], ['-p']]) {
    for (const name of ['postgrey', 'postgrey_clients']) {
      const dump = execFileSync('db_dump', [...format, `${peer.database}/${name}.db`]);
      await writeFile(`${folder}/${name}`, dump);
    }
    const dumped = [`--dump=${folder}/postgrey`, `--clients-dump=${folder}/postgrey_clients`];
    const { added, changed, triplets, awl_clients } = await move(folder, clock, dumped);
    assert.deepEqual(
      { added, changed, triplets, awl_clients },
      { added: 0, changed: 0, triplets: direct.triplets, awl_clients: 1 },
    );
  }
});

test('a hashed database is recognised, and status 1 says that nothing was moved', programs, async (t) => {
  const { folder, clock, peer } = await world(t, ['--privacy']);
  const client = await connect(peer.endpoint);
  await client.ask(request({ policy_test_time: start }));
  client.close();
  await peer.halt();
  const { status, stdout } = await run(
    ['import', 'postgrey', `--db=${folder}/greyctl.db`, `--from=${peer.database}`],
    { clock },
  );
  assert.equal(status, 1);
  assert.match(stdout, /^hashed, left out\t1$/m);
  assert.match(stdout, /^note: 1 keys are hashes \(postgrey --privacy\)/m);
});
