/** Real Postfix with the real server: what a sender sees, and what is delivered. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test, type TestContext } from 'node:test';
import { eventually } from '../support/deadline.js';
import { fakeClock, type FakeClock } from '../support/fake-clock.js';
import { repositoryRoot, run, serve, type Server } from '../support/greyctl.js';
import { checkSnippet, postfix, type Postfix } from '../support/postfix.js';
import { needsRoot } from '../support/programs.js';
import { smtp, type Reply } from '../support/smtp-client.js';

const hour = 3600;
const refused = 'Recipient address rejected: Greylisted for';

interface Mail {
  /** The client's address, and its verified name if it has one. */
  readonly address: string;
  readonly name?: string;
  readonly sender: string;
  readonly recipients?: readonly string[];
  /** Also the subject, by which the delivered message is found. */
  readonly subject: string;
}

/** Offers a mail as the client named in it, and delivers it to the recipients that are accepted; resolves to their replies. */
async function offer(port: number, { address, name, sender, recipients, subject }: Mail): Promise<Reply[]> {
  const client = await smtp(port);
  try {
    await client.xclient({
      NAME: name ?? '[UNAVAILABLE]',
      ADDR: address.includes(':') ? `IPV6:${address}` : address,
    });
    await client.expect(`MAIL FROM:<${sender}>`, 250);
    const replies: Reply[] = [];
    for (const recipient of recipients ?? ['user@example.org']) {
      replies.push(await client.command(`RCPT TO:<${recipient}>`));
    }
    if (replies.some(({ code }) => code === 250)) {
      const { code, text } = await client.data([`Subject: ${subject}`, '', 'Hello.']);
      assert.equal(code, 250, text);
    }
    await client.quit();
    return replies;
  } finally {
    client.close();
  }
}

function greylisted(seconds: number, recipient = 'user@example.org'): Reply {
  return { code: 450, text: `4.2.0 <${recipient}>: ${refused} ${seconds} seconds` };
}

const accepted: Reply = { code: 250, text: '2.1.5 Ok' };

/** The delivered messages of a subject, when there are `count` of them. */
async function delivered(mta: Postfix, subject: string, count = 1): Promise<string[]> {
  return eventually(() => {
    const found = mta.messages().filter((text) => text.includes(`\nSubject: ${subject}\n`));
    return found.length >= count ? found : undefined;
  }, `${count} delivered messages about ${subject}`);
}

function greylistHeaders(message: string): string[] {
  return message.match(/^X-Greylist: .*$/gm) ?? [];
}

function folder(): { place: string; remove: () => void } {
  const place = mkdtempSync(path.join(os.tmpdir(), 'greyctl-system-'));
  const remove = () => {
    rmSync(place, { recursive: true, force: true });
  };
  return { place, remove };
}

/** Starts greyctl with lists of its own: client `listed.example`, sender `listed@sender.example`, recipient `open@`. */
function startGreyctl(place: string, args: readonly string[], clock?: FakeClock): Promise<Server> {
  const list = (kind: string, line: string) => {
    const file = path.join(place, kind);
    writeFileSync(file, `${line}\n`);
    return `--whitelist-${kind}=${file}`;
  };
  return serve(
    [
      `--db=${place}/greyctl.db`,
      list('clients', 'listed.example'),
      list('senders', 'listed@sender.example'),
      list('recipients', 'open@'),
      ...args,
    ],
    clock ? { clock } : {},
  );
}

function restrictions(endpoint: string): string {
  return `permit_mynetworks, reject_unauth_destination, check_policy_service ${endpoint}`;
}

/** One Postfix and one greyctl with a clock that the tests move; started by the first test that runs. */
async function startWorld() {
  const { place, remove } = folder();
  const clock = fakeClock(Date.UTC(2025, 2, 1) / 1000);
  const server = await startGreyctl(place, ['--inet=127.0.0.1:0'], clock);
  const stopServer = async () => {
    await server.stop();
    clock.remove();
    remove();
  };
  try {
    const mta = await postfix({ recipientRestrictions: restrictions(server.endpoint) });
    return { clock, mta, stop: () => Promise.all([mta.stop(), stopServer()]) };
  } catch (error) {
    await stopServer();
    throw error;
  }
}

let started: ReturnType<typeof startWorld> | undefined;
function world() {
  started ??= startWorld();
  return started;
}
after(async () => {
  await (await started)?.stop();
});

const withClock = needsRoot('postfix', 'faketime');

test(
  'a first mail is deferred, and its retry after the delay is delivered with a header that tells it',
  needsRoot('postfix'),
  async (t) => {
    const { place, remove } = folder();
    t.after(remove);
    const server = await startGreyctl(place, ['--inet=127.0.0.1:0', '--delay=2']);
    t.after(() => server.stop());
    const mta = await postfix({ recipientRestrictions: restrictions(server.endpoint) });
    t.after(() => mta.stop());
    const mail = { address: '192.0.2.5', sender: 'a@sender.example', subject: 'retry' };

    const [first] = await offer(mta.port, mail);
    assert.deepEqual(first, greylisted(2));
    await mta.expectLog(
      /reject: RCPT from unknown\[192\.0\.2\.5\]: 450 4\.2\.0 <user@example\.org>: Recipient address rejected: Greylisted for 2 seconds; from=<a@sender\.example> to=<user@example\.org>/,
    );
    await eventually(async () => {
      const [reply] = await offer(mta.port, mail);
      return reply?.code === 250 || undefined;
    }, 'accepted retry');

    const [message = ''] = await delivered(mta, 'retry');
    const { version } = JSON.parse(readFileSync(path.join(repositoryRoot, 'package.json'), 'utf8')) as {
      version: string;
    };
    const [header = '', ...more] = greylistHeaders(message);
    assert.deepEqual(more, []);
    const pattern = /^X-Greylist: delayed (\d+) seconds by greyctl-(\S+) at (\S+); (.+)$/;
    const [, seconds, program, host, date = ''] = pattern.exec(header) ?? assert.fail(header);
    assert.ok(Number(seconds) >= 2, header);
    assert.equal(program, version);
    assert.equal(host, os.hostname());
    assert.match(date, /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} \S+$/);
  },
);

test('an early retry is told how long it still has to wait', withClock, async () => {
  const { mta, clock } = await world();
  const mail = { address: '192.0.2.10', sender: 'early@sender.example', subject: 'early' };
  assert.deepEqual(await offer(mta.port, mail), [greylisted(300)]);
  clock.advance(299);
  assert.deepEqual(await offer(mta.port, mail), [greylisted(1)]);
  clock.advance(1);
  assert.deepEqual(await offer(mta.port, mail), [accepted]);
  const [message = ''] = await delivered(mta, 'early');
  assert.match(greylistHeaders(message)[0] ?? '', /^X-Greylist: delayed 300 seconds by /);
});

test('a message to two recipients gets one header, and a later one none', withClock, async () => {
  const { mta, clock } = await world();
  const recipients = ['one@example.org', 'two@example.org'];
  const mail = { address: '192.0.2.20', sender: 'two@sender.example', recipients };
  assert.deepEqual(
    await offer(mta.port, { ...mail, subject: 'both' }),
    recipients.map((recipient) => greylisted(300, recipient)),
  );
  clock.advance(600);
  assert.deepEqual(await offer(mta.port, { ...mail, subject: 'both' }), [accepted, accepted]);
  const headers = (await delivered(mta, 'both', 2)).map(greylistHeaders);
  assert.deepEqual(
    headers.map((lines) => lines.length),
    [1, 1],
  );
  assert.deepEqual(await offer(mta.port, { ...mail, subject: 'again' }), [accepted, accepted]);
  assert.deepEqual((await delivered(mta, 'again', 2)).flatMap(greylistHeaders), []);
});

test('a listed client, sender or recipient passes at once, without a header', withClock, async () => {
  const { mta } = await world();
  const stranger = { address: '192.0.2.30', sender: 'stranger@sender.example', subject: 'listed' };
  const mails: Mail[] = [
    { ...stranger, name: 'out.listed.example' },
    { ...stranger, sender: 'listed@sender.example' },
    { ...stranger, recipients: ['open@example.org'] },
  ];
  for (const mail of mails) assert.deepEqual(await offer(mta.port, mail), [accepted], JSON.stringify(mail));
  assert.deepEqual((await delivered(mta, 'listed', 3)).flatMap(greylistHeaders), []);
  assert.deepEqual(await offer(mta.port, stranger), [greylisted(300)]);
});

test('a client that came back for five senders is no longer deferred', withClock, async () => {
  const { mta, clock } = await world();
  const client = { address: '192.0.2.40', name: 'mail.sender.example', subject: 'patient' };
  for (let count = 1; count <= 5; count += 1) {
    const mail = { ...client, sender: `sender-${'abcde'.charAt(count - 1)}@sender.example` };
    assert.deepEqual(await offer(mta.port, mail), [greylisted(300)], mail.sender);
    clock.advance(300);
    assert.deepEqual(await offer(mta.port, mail), [accepted], mail.sender);
    clock.advance(hour);
  }
  assert.deepEqual(await offer(mta.port, { ...client, sender: 'sixth@sender.example' }), [accepted]);
  const neighbour = { ...client, address: '192.0.2.41', sender: 'sixth@sender.example' };
  assert.deepEqual(await offer(mta.port, neighbour), [greylisted(300)]);
});

test('a bounce with the null sender is deferred and then accepted like any mail', withClock, async () => {
  const { mta, clock } = await world();
  const mail = { address: '192.0.2.50', sender: '', subject: 'bounce' };
  assert.deepEqual(await offer(mta.port, mail), [greylisted(300)]);
  clock.advance(300);
  assert.deepEqual(await offer(mta.port, mail), [accepted]);
});

test('an IPv6 client may come back from any address of its /64', withClock, async () => {
  const { mta, clock } = await world();
  const mail = { sender: 'six@sender.example', subject: 'six' };
  assert.deepEqual(await offer(mta.port, { ...mail, address: '2001:db8:1:2::5' }), [greylisted(300)]);
  clock.advance(300);
  assert.deepEqual(await offer(mta.port, { ...mail, address: '2001:db8:1:3::5' }), [greylisted(300)]);
  assert.deepEqual(await offer(mta.port, { ...mail, address: '2001:db8:1:2:f::9' }), [accepted]);
});

/** What `greyctl config postfix` prints for a server at `endpoint`. */
async function snippet(form: 'plain' | 'fail-open', endpoint: string): Promise<string> {
  const address = endpoint.replace(/^inet:/, '');
  const { status, stdout, stderr } = await run(['config', 'postfix', '--inet', address, '--form', form]);
  assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
  return stdout;
}

/** The value of smtpd_recipient_restrictions in a main.cf snippet. */
function restrictionsIn(text: string): string {
  const lines = text.replace(/^\s*(#.*)?\n/gm, '');
  const [, value] = /^smtpd_recipient_restrictions =((?:.*\n)(?:\s.*\n)*)/m.exec(lines) ?? [];
  return value?.trimEnd() ?? assert.fail(`no smtpd_recipient_restrictions in ${text}`);
}

async function startVictim(t: TestContext, form: 'plain' | 'fail-open') {
  const { place, remove } = folder();
  t.after(remove);
  const server = await startGreyctl(place, ['--inet=127.0.0.1:0']);
  t.after(() => server.stop());
  const mta = await postfix({ recipientRestrictions: restrictionsIn(await snippet(form, server.endpoint)) });
  t.after(() => mta.stop());
  return { place, server, mta };
}

const stranger = { address: '192.0.2.60', sender: 'stranger@sender.example', subject: 'stranger' };

test(
  'with the fail-open form mail flows while greyctl is dead, and is greylisted again when it is back',
  needsRoot('postfix'),
  async (t) => {
    const { mta, server, place } = await startVictim(t, 'fail-open');
    assert.equal((await offer(mta.port, stranger))[0]?.code, 450);
    await server.kill();
    assert.deepEqual(await offer(mta.port, stranger), [accepted]);
    await delivered(mta, 'stranger');

    const again = await startGreyctl(place, [`--inet=${server.endpoint.replace(/^inet:/, '')}`]);
    t.after(() => again.stop());
    assert.equal((await offer(mta.port, { ...stranger, sender: 'next@sender.example' }))[0]?.code, 450);
  },
);

test('with the plain form Postfix answers 451 while greyctl is dead', needsRoot('postfix'), async (t) => {
  const { mta, server } = await startVictim(t, 'plain');
  assert.equal((await offer(mta.port, stranger))[0]?.code, 450);
  await server.kill();
  const [reply] = await offer(mta.port, stranger);
  assert.equal(reply?.code, 451);
  assert.match(reply.text, /^4\.3\.5 /);
});

test('`postfix check` accepts both snippets of `greyctl config postfix`', needsRoot('postfix'), async () => {
  for (const form of ['plain', 'fail-open'] as const) {
    await checkSnippet(await snippet(form, 'inet:127.0.0.1:60000'));
  }
});

test(
  '`postfix check` accepts the restriction class of `greyctl config postfix`',
  needsRoot('postfix'),
  async () => {
    for (const more of [[], ['--form=fail-open'], ['--unix=/var/spool/postfix/private/greyctl']]) {
      const { stdout } = await run(['config', 'postfix', '--class=greylisting', ...more]);
      assert.match(stdout, /^smtpd_restriction_classes = greylisting$/m);
      await checkSnippet(stdout);
    }
    await checkSnippet((await run(['config', 'postfix'])).stdout);
  },
);
