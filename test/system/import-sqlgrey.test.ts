/** The move from a real sqlgrey: what greyctl can say of it is taken over, and then the same mail passes as before. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test, type TestContext } from 'node:test';
import { fakeClock, type FakeClock } from '../support/fake-clock.js';
import { run, serve } from '../support/greyctl.js';
import { connect } from '../support/policy-client.js';
import { isAccepted, needsSqlgrey, sqlgrey, type Question } from '../support/sqlgrey.js';
import { temporaryFolder } from '../support/temporary.js';

const start = Date.UTC(2025, 5, 1) / 1000;
const minute = 60;
const hour = 3600;

/** sqlgrey's defaults, but for the method where a test says so. */
const limits = ['reconnect_delay = 5', 'max_connect_age = 24', 'awl_age = 60', 'group_domain_level = 2'];
/** The same for greyctl. */
const settings = ['--delay=5m', '--retry-window=24h', '--max-age=60d'];

function question(address: string, sender: string, more: Partial<Question> = {}): Question {
  return { address, sender, name: 'mail.example.net', recipient: 'bob@example.org', ...more };
}

interface Moved {
  readonly triplets: { readonly waiting: number };
  readonly awl_clients: number;
  readonly network_rows: number;
  readonly networks: number;
  readonly expired: number;
  readonly unusable: number;
  readonly added: number;
  readonly changed: number;
  readonly whitelisted: number;
}

async function world(t: TestContext, method: string) {
  const folder = await temporaryFolder(t);
  const clock = fakeClock(start);
  t.after(clock.remove);
  const peer = await sqlgrey([...limits, `greymethod = ${method}`], clock);
  t.after(() => peer.stop());
  return { folder, clock, peer };
}

async function move(folder: string, clock: FakeClock, database: string): Promise<Moved> {
  const { status, stdout, stderr } = await run(
    [
      ...['import', 'sqlgrey', '--json', '--whitelist-networks'],
      ...[`--db=${folder}/greyctl.db`, `--from=${database}`, ...settings],
    ],
    { clock },
  );
  assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
  // The promised fields.
  return JSON.parse(stdout) as Moved;
}

async function startGreyctl(t: TestContext, folder: string, clock: FakeClock) {
  const nothing = ['clients', 'recipients', 'senders'].map((kind) => `--whitelist-${kind}=${folder}/none`);
  const server = await serve(['--inet=127.0.0.1:0', `--db=${folder}/greyctl.db`, ...settings, ...nothing], {
    clock,
  });
  t.after(() => server.stop());
  const client = await connect(server.endpoint);
  t.after(client.close);
  return client;
}

test('after the move greyctl answers as sqlgrey would have', needsSqlgrey(), async (t) => {
  const { folder, clock, peer } = await world(t, 'classc');
  const ask = (asked: Question) => isAccepted(peer.client, asked);

  const forgotten = question('198.51.100.77', 'late@example.com');
  await ask(forgotten);
  clock.advance(23 * hour);
  // Two senders of a domain came back from one network: all of the domain passes from there.
  const proven = ['a@shop.example', 'b@shop.example'].map((sender) => question('203.0.113.5', sender));
  for (const one of proven) assert.equal(await ask(one), false);
  clock.advance(6 * minute);
  for (const one of proven) assert.equal(await ask(one), true);
  // These wait, some of them for almost long enough.
  const waiting = [
    question('192.0.2.9', 'alice@example.com'),
    question('192.0.2.9', 'list+4711@example.com'),
    question('192.0.2.9', ''),
    question('2001:db8::1', 'six@example.com'),
    question('2a00:1450::0211:22ff:fe33:4455', 'eui@example.com'),
  ];
  clock.advance(hour);
  for (const one of waiting) assert.equal(await ask(one), false);
  clock.advance(4 * minute);
  const late = question('192.0.2.200', 'late@example.org', { recipient: 'carol@example.org' });
  assert.equal(await ask(late), false);

  const before = await readFile(peer.database);
  const moved = await move(folder, clock, peer.database);
  assert.deepEqual(await readFile(peer.database), before, 'nothing of sqlgrey’s is changed');
  assert.deepEqual(
    { ...moved, source: undefined },
    {
      source: undefined,
      triplets: { waiting: 6 },
      awl_clients: 0,
      network_rows: 1,
      networks: 1,
      // sqlgrey itself had removed what came back too late.
      expired: 0,
      unusable: 0,
      added: 6,
      changed: 0,
      whitelisted: 1,
    },
  );
  const again = await move(folder, clock, peer.database);
  assert.deepEqual([again.added, again.changed], [0, 0], 'moving twice changes nothing');

  const ours = await startGreyctl(t, folder, clock);
  const questions = [
    forgotten,
    question('203.0.113.200', 'new@shop.example'),
    question('192.0.2.201', 'late@example.org', { recipient: 'carol@example.org' }),
    question('198.51.100.3', 'stranger@example.com'),
    ...waiting,
  ];
  const answers: boolean[] = [];
  // Just before the delay of those that wait is over, just after it, and when all is over.
  for (const seconds of [minute - 5, 10, 4 * minute]) {
    clock.advance(seconds);
    for (const one of questions) {
      const wanted = await ask(one);
      assert.equal(await isAccepted(ours, one), wanted, `${JSON.stringify(one)} at ${clock.now() - start} s`);
      answers.push(wanted);
    }
  }
  assert.ok(answers.includes(true) && answers.includes(false));
});

test('what greyctl cannot say waits once more, and is counted', needsSqlgrey(), async (t) => {
  const { folder, clock, peer } = await world(t, 'smart');
  // By its address where the name is not known; a network that one sender proved.
  const single = question('192.0.2.9', 'alice@example.com', { name: 'unknown' });
  const network = question('198.51.100.9', 'alice@example.com');
  for (const one of [single, network]) assert.equal(await isAccepted(peer.client, one), false);
  clock.advance(6 * minute);
  for (const one of [single, network]) assert.equal(await isAccepted(peer.client, one), true);

  const moved = await move(folder, clock, peer.database);
  const { triplets, awl_clients, network_rows, networks } = moved;
  assert.deepEqual(
    { triplets, awl_clients, network_rows, networks },
    { triplets: { waiting: 0 }, awl_clients: 1, network_rows: 1, networks: 0 },
  );
  const ours = await startGreyctl(t, folder, clock);
  for (const one of [single, network]) {
    assert.equal(await isAccepted(peer.client, one), true);
    assert.equal(await isAccepted(ours, one), false);
    clock.advance(6 * minute);
    assert.equal(await isAccepted(ours, one), true);
  }
});
