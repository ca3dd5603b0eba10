/**
 * Real postgrey, side by side with the real server: the same bytes over two sockets, the same action texts. greyctl's clock
 * is moved by libfaketime, postgrey is told the time by `policy_test_time`.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { fakeClock } from '../support/fake-clock.js';
import { serve } from '../support/greyctl.js';
import { lists } from '../support/hand-lists.js';
import { connect, request } from '../support/policy-client.js';
import { postgrey } from '../support/postgrey.js';
import { needs } from '../support/programs.js';
import { random } from '../support/random.js';
import { traffic, type Step } from '../support/traffic.js';

const start = Date.UTC(2025, 5, 1) / 1000;
const common = [
  '--delay=120',
  '--retry-window=12h',
  '--auto-whitelist-clients=3',
  '--greylist-text=Come back in %s seconds, %r is patient',
  '--x-greylist-header=X-Greylist: delayed %t seconds',
];

function program(seed: ReturnType<typeof random>): Step[] {
  return traffic(seed, {
    start,
    days: 20,
    requests: 400,
    delaySeconds: () => 120,
    retryWindowSeconds: 12 * 3600,
    // Longer than the program: nothing is forgotten, on which the two differ on purpose.
    maxAgeSeconds: 35 * 86_400,
    differences: false,
  });
}

async function startPostgrey(t: TestContext) {
  const peer = await postgrey(common, lists);
  t.after(() => peer.stop());
  const client = await connect(peer.endpoint);
  t.after(client.close);
  return client;
}

async function startGreyctl(t: TestContext, socket: (folder: string) => string) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'greyctl-serve-'));
  t.after(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  const clock = fakeClock(start);
  t.after(clock.remove);
  const list = (name: string, lines: readonly string[]) => {
    const file = path.join(folder, name);
    writeFileSync(file, `${lines.join('\n')}\n`);
    return file;
  };
  const server = await serve(
    [
      socket(folder),
      `--db=${folder}/greyctl.db`,
      `--whitelist-clients=${list('clients', lists.clients)}`,
      `--whitelist-recipients=${list('recipients', lists.recipients)}`,
      ...common,
    ],
    { clock },
  );
  t.after(() => server.stop());
  const client = await connect(server.endpoint);
  t.after(client.close);
  return { client, clock };
}

async function compare(t: TestContext, socket: (folder: string) => string) {
  const dice = random();
  const steps = program(dice);
  const theirs = await startPostgrey(t);
  const { client: ours, clock } = await startGreyctl(t, socket);
  for (const [index, step] of steps.entries()) {
    clock.set(step.time);
    const attributes = request({
      client_address: step.clientAddress,
      client_name: step.clientName,
      sender: step.sender,
      recipient: step.recipient,
      instance: step.instance,
      // Without it postgrey leaves the status code out.
      etrn_domain: index % 10 === 0 ? undefined : '',
    });
    const wanted = await theirs.ask({ ...attributes, policy_test_time: step.time });
    // greyctl takes the time from nobody but the clock.
    const got = await ours.ask({ ...attributes, policy_test_time: start + 90 * 86_400 });
    assert.equal(got, wanted, `SEED=${dice.seed}, step ${index}: ${JSON.stringify(step)}`);
  }
  t.diagnostic(`SEED=${dice.seed}: ${steps.length} requests`);
}

test(
  'the server over TCP gives word for word the answers of postgrey',
  needs('postgrey', 'faketime'),
  async (t) => {
    await compare(t, () => '--inet=127.0.0.1:0');
  },
);

test(
  'the server over a unix socket gives word for word the answers of postgrey',
  needs('postgrey', 'faketime'),
  async (t) => {
    await compare(t, (folder) => `--unix=${folder}/socket`);
  },
);

test(
  'a request that lacks an attribute postgrey needs is answered alike',
  needs('postgrey', 'faketime'),
  async (t) => {
    const theirs = await startPostgrey(t);
    const { client: ours } = await startGreyctl(t, () => '--inet=127.0.0.1:0');
    for (const name of ['client_address', 'client_name', 'sender', 'recipient']) {
      const attributes = request({ [name]: undefined });
      assert.equal(await ours.ask(attributes), await theirs.ask(attributes), `without ${name}`);
    }
  },
);
