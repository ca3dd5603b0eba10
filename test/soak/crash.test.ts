/**
 * A server that is killed at random moments under load, again and again on one database. What a client has read an answer to must be
 * known afterwards, with the time at which it was asked.
 * SOAK_CRASHES=n: so many rounds (default 200). SEED=n repeats the moments.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { start } from '../support/background.js';
import { eventually } from '../support/deadline.js';
import { repositoryRoot, run } from '../support/greyctl.js';
import { connect, request } from '../support/policy-client.js';
import { find, needs } from '../support/programs.js';
import { random } from '../support/random.js';
import { testServer, type TestServer } from '../support/server.js';
import { temporaryFolder } from '../support/temporary.js';

const crashes = Number(process.env['SOAK_CRASHES'] ?? 200);
const connections = 20;
const delaySeconds = 86_400;
const settings = [`--delay=${delaySeconds}`, '--max-waiting-per-client=10000000'];

/** Between which seconds an attempt was asked and answered. */
interface Asked {
  readonly from: number;
  readonly to: number;
}

const now = () => Math.floor(Date.now() / 1000);

/** Asks over all connections until the server is gone; calls back with every answer that was read. */
async function load(server: TestServer, round: number, answered: (sender: string, asked: Asked) => void) {
  const clients = await Promise.all(Array.from({ length: connections }, () => connect(server.endpoint)));
  const asking = clients.map(async (client, index) => {
    for (let count = 0; ; count += 1) {
      const sender = `r${round}.c${index}.n${count}z@example.com`;
      const from = now();
      await client.ask(request({ sender }));
      answered(sender, { from, to: now() });
    }
  });
  await Promise.allSettled(asking);
  for (const client of clients) client.close();
}

/** The answer to a triplet that is known tells its first_seen by the seconds that are left. */
async function expectKnown(server: TestServer, sender: string, first: Asked): Promise<void> {
  const client = await connect(server.endpoint);
  const before = now();
  const answer = await client.ask(request({ sender }));
  const after = now();
  client.close();
  const left = Number(/Greylisted for (\d+) seconds$/.exec(answer)?.[1]);
  assert.ok(
    left >= first.from + delaySeconds - after && left <= first.to + delaySeconds - before,
    `${sender}: ${answer}`,
  );
}

/** The senders in the file that were not there the last time, with their first_seen: read past greyctl. */
function reader(file: string) {
  let lastId = 0;
  return (): Map<string, number> => {
    const db = new Database(file, { readonly: true });
    const rows = db
      .prepare<[number], { id: number; sender: string; first_seen: number }>(
        'SELECT id, sender, first_seen FROM entries WHERE id > ? ORDER BY id',
      )
      .all(lastId);
    db.close();
    lastId = rows.at(-1)?.id ?? lastId;
    return new Map(rows.map((row) => [row.sender, row.first_seen]));
  };
}

/** Some servers are killed before they listen. */
async function killWhileStarting(folder: string, afterMs: number): Promise<void> {
  const server = start(process.execPath, [
    ...[`${repositoryRoot}/bin/greyctl.js`, 'serve', '--inet=127.0.0.1:0'],
    ...[`--db=${folder}/greyctl.db`, `--whitelist-clients=${folder}/none.local`],
  ]);
  await pause(afterMs);
  await server.kill();
}

async function crash(t: TestContext, rounds: number, args: readonly string[]): Promise<void> {
  const { seed, pick } = random();
  const folder = await temporaryFolder(t);
  const read = reader(`${folder}/greyctl.db`);
  let [answers, kills] = [0, 0];
  let last: [string, Asked] | undefined;
  for (let round = 0; round < rounds; round += 1) {
    const server = await testServer(t, [...settings, ...args], { folder });
    if (last) await expectKnown(server, ...last);
    const answered = new Map<string, Asked>();
    const loading = load(server, round, (sender, asked) => answered.set(sender, asked));
    const wanted = 1 + pick(400);
    await eventually(() => (answered.size >= wanted ? true : undefined), 'answers');
    await pause(pick(40));
    await server.kill();
    await loading;
    assert.doesNotMatch(server.stderr(), /suspended|cannot|recover/, `seed ${seed}, round ${round}`);
    const known = read();
    const lost = [...answered].filter(([sender, { from, to }]) => {
      const firstSeen = known.get(sender);
      return firstSeen === undefined || firstSeen < from || firstSeen > to;
    });
    assert.deepEqual(lost, [], `seed ${seed}, round ${round}`);
    answers += answered.size;
    kills += 1;
    last = [...answered].at(-1);
    if (round % 10 === 9) await killWhileStarting(folder, pick(800));
  }
  const checked = await run(['db', 'check', `--db=${folder}/greyctl.db`]);
  assert.deepEqual([checked.status, checked.stderr], [0, ''], checked.stdout);
  t.diagnostic(`seed ${seed}: ${kills} kills, ${answers} answers read, 0 lost; ${checked.stdout.trim()}`);
}

test(`${crashes} times kill -9 under load lose no attempt whose answer was read`, (t) =>
  crash(t, crashes, []));

test(`${Math.ceil(crashes / 5)} times kill -9 with --durability=full lose none either`, (t) =>
  crash(t, Math.ceil(crashes / 5), ['--durability=full']));

/** What the server did, in order: waited for the disk, or answered. */
function story(trace: string): string {
  return trace
    .split('\n')
    .map((line) => (/\bf(data)?sync\(/.test(line) ? 's' : line.includes('"action=DEFER') ? 'a' : ''))
    .join('');
}

test('with --durability=full every answer comes after a wait for the disk', needs('strace'), async (t) => {
  const server = await testServer(t, ['--durability=full']);
  const trace = `${server.folder}/trace`;
  const tracer = start(find('strace') ?? '', [
    ...['-f', '-qq', '-s', '16', '-e', 'trace=fsync,fdatasync,write,writev,sendto,sendmsg'],
    ...['-o', trace, '-p', String(server.process.pid)],
  ]);
  t.after(() => tracer.kill());
  const traced = () =>
    readFile(`/proc/${server.process.pid ?? 0}/status`, 'utf8').then((status) =>
      /^TracerPid:\t[1-9]/m.test(status) ? true : undefined,
    );
  await tracer.until(traced, 'tracer');
  const client = await server.client();
  const answers = 25;
  for (let count = 0; count < answers; count += 1)
    await client.ask(request({ sender: `s${count}z@example.com` }));
  await server.stop();
  await tracer.exited;
  const seen = story(await readFile(trace, 'utf8'));
  assert.match(seen, new RegExp(`^(s+a){${answers}}s*$`), seen);
});
