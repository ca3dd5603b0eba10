/** A log of real Postfix with the real server: `simulate` repeats every decision that the server logged. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test, type TestContext } from 'node:test';
import { addressText, parseAddress } from '#src/greylist/address.js';
import { eventually } from '../support/deadline.js';
import { fakeClock } from '../support/fake-clock.js';
import { run } from '../support/greyctl.js';
import { postfix } from '../support/postfix.js';
import { needsRoot } from '../support/programs.js';
import { random } from '../support/random.js';
import { testServer } from '../support/server.js';
import { smtp } from '../support/smtp-client.js';
import { temporaryFolder } from '../support/temporary.js';

/** One mail of the program. */
interface Mail {
  /** Seconds after the mail before. */
  readonly after: number;
  readonly address: string;
  readonly name?: string;
  readonly sender?: string;
  readonly recipients?: readonly string[];
}

/** In the mynetworks of the test's Postfix. */
const ownAddress = '192.0.2.250';
const alice = { address: '192.0.2.5', name: 'mx.sender.example', sender: 'alice@sender.example' };
const two = ['one@example.org', 'two@example.org'];
const patient = (letter: string) => ({ address: '198.51.100.7', sender: `${letter}@patient.example` });

const program: readonly Mail[] = [
  { after: 0, ...alice },
  { after: 100, ...alice },
  // A neighbour in the same network.
  { after: 250, ...alice, address: '192.0.2.77' },
  { after: 10, ...alice },
  // Several recipients: deferred, one of them early, one listed.
  { after: 10, ...alice, address: '203.0.113.9', recipients: two },
  { after: 400, ...alice, address: '203.0.113.9', recipients: [...two, 'three@example.org'] },
  { after: 5, ...alice, address: '203.0.113.10', recipients: ['open@example.org', 'four@example.org'] },
  { after: 301, ...alice, address: '203.0.113.10', recipients: ['four@example.org', 'open@example.org'] },
  { after: 1, address: '198.51.100.80', name: 'out.listed.example', sender: 'x@listed.example' },
  { after: 1, address: '198.51.100.81', sender: 'listed@other.example' },
  { after: 1, address: '198.51.100.90', sender: '' },
  { after: 1, address: '2001:db8:1:2::5', sender: 'six@sender.example' },
  { after: 300, address: '198.51.100.90', sender: '' },
  { after: 1, address: '2001:db8:1:2:f::9', sender: 'six@sender.example' },
  { after: 1, address: '2001:db8:1:3::9', sender: 'six@sender.example' },
  { after: 5, ...alice, sender: '"a> to=<x@y"@evil.example' },
  { after: 300, ...alice, sender: '"a> to=<x@y"@evil.example' },
  // VERP and extensions are one sender.
  { after: 5, ...alice, sender: 'list+17@sender.example', recipients: ['BOB@Example.ORG'] },
  { after: 400, ...alice, sender: 'list+18@sender.example', recipients: ['bob@example.org'] },
  // A client that earns the auto-whitelist.
  { after: 10, ...patient('a') },
  { after: 300, ...patient('a') },
  { after: 3600, ...patient('b') },
  { after: 300, ...patient('b') },
  { after: 10, ...patient('c') },
  { after: 3600, ...patient('d'), recipients: two },
  // Of the own networks: never asked about.
  { after: 10, address: ownAddress, sender: 'own@example.org' },
  // The retry window is over.
  { after: 10, ...alice, sender: 'late@sender.example' },
  { after: 3 * 86_400, ...alice, sender: 'late@sender.example' },
  { after: 400, ...alice, sender: 'late@sender.example' },
  // Passed long ago and unused since.
  { after: 40 * 86_400, ...alice },
];

/** Offers a mail and delivers it to those recipients that are accepted. */
async function offer(port: number, { address, name, sender, recipients }: Mail): Promise<void> {
  const client = await smtp(port);
  try {
    const ADDR = address.includes(':') ? `IPV6:${address}` : address;
    await client.xclient({ NAME: name ?? '[UNAVAILABLE]', ADDR });
    await client.expect(`MAIL FROM:<${sender ?? ''}>`, 250);
    let isAccepted = false;
    for (const recipient of recipients ?? ['user@example.org'])
      isAccepted = (await client.command(`RCPT TO:<${recipient}>`)).code === 250 || isAccepted;
    if (isAccepted) assert.equal((await client.data(['Subject: x', '', 'x'])).code, 250);
    await client.quit();
  } finally {
    client.close();
  }
}

/** New whole lines of a text that grows. */
function tail(read: () => string): () => string[] {
  let at = 0;
  return () => {
    const text = read();
    const end = text.lastIndexOf('\n') + 1;
    const lines = text.slice(at, end).split('\n').slice(0, -1);
    at = Math.max(at, end);
    return lines;
  };
}

/** True when Postfix has no more to say of what it said so far. */
function isSettled(log: string, mails: number): boolean {
  const begun = new Set(Array.from(log.matchAll(/: ([0-9A-F]+): client=/g), ([, id]) => id));
  const ended = new Set(Array.from(log.matchAll(/: ([0-9A-F]+): removed$/gm), ([, id]) => id));
  const left = log.match(/ disconnect from (?!localhost)\S+\[/g) ?? [];
  return left.length >= mails && [...begun].every((id) => ended.has(id));
}

/** Two lists as one, each in its own order: how lines of different processes reach a logger. */
function shuffled(first: readonly string[], second: readonly string[], pick: (below: number) => number) {
  const [a, b] = [[...first], [...second]];
  const merged: string[] = [];
  while (a.length + b.length > 0) {
    const from = pick(a.length + b.length) < a.length ? a : b;
    merged.push(from.shift() ?? '');
  }
  return merged;
}

const settings = ['--auto-whitelist-clients=2', '--delay=300'];

/** Sends the program through Postfix and the server; resolves to the lines of both for each mail, under the server's clock. */
async function record(t: TestContext, lists: readonly string[]) {
  const clock = fakeClock(Date.UTC(2025, 2, 1) / 1000);
  t.after(clock.remove);
  const server = await testServer(t, [...settings, ...lists], { clock });
  const mta = await postfix({
    recipientRestrictions: `permit_mynetworks, reject_unauth_destination, check_policy_service ${server.endpoint}`,
  });
  t.after(() => mta.stop());
  const postfixLines = tail(() => mta.log());
  const serverLines = tail(() => server.stderr());
  postfixLines();
  serverLines();
  const before = mta.log().length;
  let asked = 0;
  const recorded: { time: string; postfix: string[]; server: string[] }[] = [];
  for (const [index, mail] of program.entries()) {
    clock.advance(mail.after);
    await offer(mta.port, mail);
    asked += mail.address === ownAddress ? 0 : (mail.recipients?.length ?? 1);
    await eventually(
      () => {
        const answered = server.stderr().match(/action=.*\n/g)?.length ?? 0;
        return (answered >= asked && isSettled(mta.log().slice(before), index + 1)) || undefined;
      },
      `end of mail ${index + 1}`,
    );
    const time = new Date(clock.now() * 1000).toISOString().replace('.000Z', '+00:00');
    recorded.push({ time, postfix: postfixLines(), server: serverLines() });
  }
  return recorded;
}

/** What a decision line of the server says, as `simulate --decisions` would. */
function decisionOf(line: string): string | undefined {
  const found =
    /action=(\w+), reason=([^,(]+?)(?: \(.*?\))?(?:, delay=\d+)?, client_name=.*?, client_address=([^,]+)(?:, sender=(.*))?, recipient=(.*)$/.exec(
      line,
    );
  if (!found) return undefined;
  const [, verdict, reason, address = '', sender = '', recipient] = found;
  const client = addressText(parseAddress(address) ?? assert.fail(line));
  return [verdict, reason, client, sender, recipient].join(' | ');
}

test(
  'simulate repeats every decision that serve logged, however the lines of both are mixed',
  needsRoot('postfix', 'faketime'),
  async (t) => {
    const folder = await temporaryFolder(t);
    const lists = [
      ['clients', 'listed.example'],
      ['recipients', 'open@'],
      ['senders', 'listed@other.example'],
    ].map(([kind = '', line = '']) => {
      writeFileSync(`${folder}/${kind}`, `${line}\n`);
      return `--whitelist-${kind}=${folder}/${kind}`;
    });
    const recorded = await record(t, lists);
    const expected = recorded.flatMap(({ server }) => server.flatMap((line) => decisionOf(line) ?? []));
    const reasons = new Set(expected.map((text) => text.split(' | ')[1]));
    assert.deepEqual(
      [...reasons].toSorted(),
      ['client AWL', 'client whitelist', 'early-retry', 'new']
        .concat(['recipient whitelist', 'sender whitelist', 'triplet found'])
        .toSorted(),
    );

    const { seed, pick } = random();
    const inOrder = (own: string[], server: string[]) => [...server, ...own];
    const mixed = (own: string[], server: string[]) => shuffled(own, server, pick);
    for (const [index, mixture] of [inOrder, mixed, mixed, mixed].entries()) {
      const log = `${folder}/mail.log.${index}`;
      const lines = recorded.flatMap(({ time, postfix: own, server }) =>
        mixture(
          own.map((line) => line.replace(/^.*? mx /, `${time} mx `)),
          server.map((line) => `${time} mx greyctl[77]: ${line}`),
        ),
      );
      writeFileSync(log, `${lines.join('\n')}\n`);
      const { status, stdout, stderr } = await run(
        ['simulate', '--decisions', `--db=${folder}/none.db`, `--mynetworks=${ownAddress},127.0.0.0/8`]
          .concat(settings, lists)
          .concat(log),
      );
      assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
      const found = stdout
        .trimEnd()
        .split('\n')
        .map((line) => {
          const one = JSON.parse(line) as Record<string, string>;
          return ['verdict', 'reason', 'client_address', 'sender', 'recipient']
            .map((key) => one[key])
            .join(' | ');
        });
      const about = `seed ${seed}\n${readFileSync(log, 'utf8')}`;
      if (mixture === inOrder) assert.deepEqual(found, expected, about);
      // Mixed, attempts of one second may come in another order.
      assert.deepEqual(found.toSorted(), expected.toSorted(), about);
    }
  },
);
