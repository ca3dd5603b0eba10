import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '#src/greylist/address.js';
import { createJoiner } from '#src/maillog/join.js';
import { join, now } from '../../support/maillog.js';

const id = 'C0FFEE00123';
const client = 'mx.s.example[192.0.2.1]';
const greylisted = '450 4.2.0 <b@r.example>: Recipient address rejected: Greylisted';

const smtpd = (text: string) => `postfix/smtpd[501]: ${text}`;
const opened = (queueId = id, from = client) => smtpd(`${queueId}: client=${from}`);
const queued = (queueId = id, sender = 'a@s.example', recipients = 1) =>
  `postfix/qmgr[454]: ${queueId}: from=<${sender}>, size=1, nrcpt=${recipients} (queue active)`;
const delivered = (queueId = id, to = 'to=<b@r.example>', status = 'sent') =>
  `postfix/lmtp[570]: ${queueId}: ${to}, relay=h[192.0.2.99]:24, delay=1, delays=0/0/0/1, dsn=2.0.0, status=${status} (250 ok)`;
const removed = (queueId = id) => `postfix/qmgr[454]: ${queueId}: removed`;
const message = (queueId = id, from = client) => [
  opened(queueId, from),
  queued(queueId),
  delivered(queueId),
  removed(queueId),
];
const refused = (reply = greylisted, more: { id?: string; from?: string; to?: string; tail?: string } = {}) =>
  smtpd(
    `${more.id ?? 'NOQUEUE'}: reject: RCPT from ${more.from ?? client}: ${reply}; from=<a@s.example> to=<${more.to ?? 'b@r.example'}> proto=ESMTP helo=<h>${more.tail ?? ''}`,
  );
const policy = (action: 'greylist' | 'pass', more: { id?: string; to?: string; reason?: string } = {}) =>
  `postgrey[251]: ${more.id ? `${more.id}: ` : ''}action=${action}, reason=${more.reason ?? (action === 'pass' ? 'triplet found' : 'new')}, client_name=mx.s.example, client_address=192.0.2.1, sender=a@s.example, recipient=${more.to ?? 'b@r.example'}`;

const words = (logged: string, by: string, to = 'b@r.example') =>
  `${client} <a@s.example> <${to}> ${logged} by ${by}`;
const accepted = words('accepted', 'delivery');
const deferred = words('greylisted', 'smtpd');

test('a greylisting refusal is an attempt, with a queue id or without', () => {
  const { attempts, told, counts } = join([refused(), refused(greylisted, { id })]);
  assert.deepEqual(told, [deferred, deferred]);
  assert.deepEqual(attempts[0]?.attempt, {
    time: now - 10_000,
    client: parseAddress('192.0.2.1'),
    clientName: 'mx.s.example',
    sender: 'a@s.example',
    recipient: 'b@r.example',
    queueId: undefined,
  });
  assert.equal(attempts[1]?.attempt.queueId, id);
  assert.equal(counts.greylisted, 2);
});

test('an accepted recipient is an attempt at the time its message was opened', () => {
  const { attempts, told, counts } = join(message());
  assert.deepEqual(told, [accepted]);
  assert.equal(attempts[0]?.attempt.time, now - 10_000);
  assert.equal(attempts[0].attempt.queueId, id);
  assert.equal(counts.accepted, 1);
  assert.equal(counts.incomplete, 0);
});

test('each distinct recipient counts once: aliases, repeated runs of the queue, deferred deliveries', () => {
  const { told } = join([
    opened(),
    queued(id, 'a@s.example', 3),
    delivered(id, 'to=<x@r.example>, orig_to=<info@r.example>'),
    delivered(id, 'to=<y@r.example>, orig_to=<INFO@r.example>'),
    delivered(id, 'to=<b@r.example>', 'deferred'),
    queued(id, 'srs0=x=s.example=a@fwd.example', 3),
    delivered(id, 'to=<b@r.example>'),
    removed(),
  ]);
  assert.deepEqual(told, [words('accepted', 'delivery', 'info@r.example'), accepted]);
});

test('a message accepted for some of its recipients gives accepted and greylisted attempts', () => {
  const { told } = join([
    refused(greylisted, { to: 'early@r.example' }),
    opened(),
    refused(greylisted, { id, to: 'late@r.example' }),
    queued(),
    delivered(),
    removed(),
  ]);
  assert.deepEqual(told, [
    words('greylisted', 'smtpd', 'early@r.example'),
    accepted,
    words('greylisted', 'smtpd', 'late@r.example'),
  ]);
});

test("a policy server's line and what follows from it are one attempt", () => {
  const { told, counts } = join([
    policy('greylist'),
    refused(),
    policy('greylist', { reason: 'early-retry (12s missing)' }),
    refused(),
    policy('pass'),
    ...message(),
  ]);
  assert.deepEqual(told, [
    `${words('greylisted', 'policy')} (new)`,
    `${words('greylisted', 'policy')} (early-retry)`,
    `${words('accepted', 'policy')} (triplet found)`,
  ]);
  assert.equal(counts.policyLines, 3);
});

test("all recipients of a message are told by the policy server's lines", () => {
  const { told } = join([
    policy('pass'),
    opened(),
    policy('pass', { id, to: 'c@r.example' }),
    policy('greylist', { id, to: 'd@r.example' }),
    refused(greylisted, { id, to: 'd@r.example' }),
    queued(id, 'a@s.example', 3),
    delivered(),
    delivered(id, 'to=<c@r.example>'),
    delivered(id, 'to=<archive@r.example>'),
    removed(),
  ]);
  assert.deepEqual(told, [
    `${words('accepted', 'policy')} (triplet found)`,
    `${words('accepted', 'policy', 'c@r.example')} (triplet found)`,
    `${words('greylisted', 'policy', 'd@r.example')} (new)`,
  ]);
});

test("a policy server's line that comes after its counterpart is still the same event", () => {
  const at = (second: number) => `2026-11-21T10:00:${String(second).padStart(2, '0')}Z mx`;
  const { told } = join(
    [
      `${at(1)} ${refused()}`,
      `${at(1)} ${policy('greylist')}`,
      `${at(20)} ${opened()}`,
      `${at(20)} ${policy('pass')}`,
      `${at(20)} ${queued()}`,
      `${at(20)} ${delivered()}`,
      `${at(40)} ${message('C0FFEE00124').join(`\n${at(40)} `)}`.split('\n'),
      `${at(41)} ${policy('pass')}`,
    ].flat(),
  );
  assert.deepEqual(told, [
    `${words('greylisted', 'policy')} (new)`,
    `${words('accepted', 'policy')} (triplet found)`,
    `${words('accepted', 'policy')} (triplet found)`,
  ]);
});

test('however many refusals of one moment come before their lines, each is one event', () => {
  const many = Array.from({ length: 5000 }, (_, index) => ({ to: `b${index}@r.example` }));
  const refusals = many.map((more) => refused(greylisted, more));
  const policies = many.map((more) => policy('greylist', more));
  const first = '2026-11-21T10:00:01Z mx';
  const second = '2026-11-21T10:00:02Z mx';
  const { told } = join([
    ...refusals.map((line) => `${first} ${line}`),
    ...policies.map((line) => `${first} ${line}`),
    ...policies.map((line) => `${second} ${line}`),
    ...refusals.map((line) => `${second} ${line}`),
  ]);
  assert.equal(told.length, 10_000);
  assert.equal(told.filter((text) => text.includes('by policy')).length, 10_000);
});

test('a pass that comes behind its message is that message, however late the delivery', () => {
  const at = (second: number) => new Date((now - 10_000 + second) * 1000).toISOString();
  const ids = Array.from({ length: 9 }, (_, index) => `C0FFEE0012${index}`);
  // The third message is for one whose mail no policy server is asked about, the sixth has a second recipient.
  const begun = ids.map((each) => opened(each));
  const passes = ids.flatMap((each, index) => [
    ...(index === 2 ? [] : [policy('pass', { to: `b${index}@r.example` })]),
    ...(index === 5 ? [policy('pass', { id: each, to: 'second@r.example' })] : []),
  ]);
  const ends = ids.flatMap((each, index) => [
    queued(each, 'a@s.example', index === 5 ? 2 : 1),
    delivered(each, `to=<m${index}@r.example>, orig_to=<B${index}@r.example>`),
    ...(index === 5 ? [delivered(each, 'to=<second@r.example>')] : []),
    removed(each),
  ]);
  for (const moment of [begun.concat(passes), passes.concat(begun)]) {
    const { told, counts } = join([
      ...moment.map((line) => `${at(0)} mx ${line}`),
      ...ends.map((line) => `${at(900)} mx ${line}`),
    ]);
    assert.equal(told.length, 10);
    assert.equal(told.filter((text) => text.includes('by policy')).length, 9);
    assert.equal(counts.incomplete, 0);
  }
});

test('a pass is claimed by its own message, though another one of the client began just before', () => {
  const second = 'C0FFEE00124';
  const at = (seconds: number) => new Date((now - 10_000 + seconds) * 1000).toISOString();
  const other = delivered(id, 'to=<open@r.example>');
  const { told } = join([
    ...[opened(), queued(), other, removed()].map((line) => `${at(0)} mx ${line}`),
    `${at(1)} mx ${policy('pass')}`,
    ...[opened(second), queued(second)].map((line) => `${at(5)} mx ${line}`),
    ...[100, 200, 300, 400].map(
      (seconds) => `${at(seconds)} mx ${policy('greylist', { to: `${seconds}@r.example` })}`,
    ),
    ...[delivered(second), removed(second)].map((line) => `${at(420)} mx ${line}`),
  ]);
  assert.deepEqual(told.slice(0, 2), [
    words('accepted', 'delivery', 'open@r.example'),
    `${words('accepted', 'policy')} (triplet found)`,
  ]);
  assert.equal(told.length, 6);
});

test('two senders to one recipient within two seconds stay two, though one was told by no policy server', () => {
  const at = (seconds: number) => new Date((now - 10_000 + seconds) * 1000).toISOString();
  const from = (line: string, sender: string) => line.replace('a@s.example', sender);
  const { attempts } = join([
    `${at(0)} mx ${from(refused(), 'one@s.example')}`,
    `${at(2)} mx ${from(policy('greylist'), 'two@s.example')}`,
    `${at(2)} mx ${from(refused(), 'two@s.example')}`,
  ]);
  assert.deepEqual(
    attempts.map(({ attempt }) => attempt.sender),
    ['one@s.example', 'two@s.example'],
  );
});

test('a message that a pass came behind has no other recipients than those that lines of the policy server tell', () => {
  const lines = [opened(), policy('pass'), queued(id, 'a@s.example', 2)];
  const at = (second: number) => new Date((now - 10_000 + second) * 1000).toISOString();
  const { told } = join([
    ...lines.map((line) => `${at(0)} mx ${line}`),
    ...[delivered(), delivered(id, 'to=<archive@r.example>'), removed()].map(
      (line) => `${at(900)} mx ${line}`,
    ),
  ]);
  assert.deepEqual(told, [`${words('accepted', 'policy')} (triplet found)`]);
});

test('a pass that comes behind another message, for which no policy server was asked, takes nothing from it', () => {
  const second = 'C0FFEE00124';
  const line = (seconds: number, text: string) =>
    `${new Date((now - 10_000 + seconds) * 1000).toISOString()} mx ${text}`;
  const end = (each: string, to: string) => [queued(each), delivered(each, `to=<${to}>`), removed(each)];
  for (const lines of [
    [opened(), policy('pass', { to: 'c@r.example' }), opened(second)],
    [policy('pass', { to: 'c@r.example' }), opened(second), opened()],
    [opened(second), policy('pass', { to: 'c@r.example' }), opened()],
  ]) {
    const { told } = join([
      ...lines.map((text, index) => line(index / 2, text)),
      ...[...end(id, 'b@r.example'), ...end(second, 'c@r.example')].map((text) => line(900, text)),
    ]);
    assert.deepEqual(told.toSorted(), [
      accepted,
      `${words('accepted', 'policy', 'c@r.example')} (triplet found)`,
    ]);
  }
});

test('a pass counts as accepted whatever happens to the recipient later', () => {
  const { told, counts } = join([
    policy('pass'),
    refused('554 5.7.1 <b@r.example>: Recipient address rejected: no'),
  ]);
  assert.deepEqual(told, [`${words('accepted', 'policy')} (triplet found)`]);
  assert.equal(counts.refusals.get('554 5.7.1')?.count, 1);
});

test('concurrent messages of one client each claim a line of the policy server', () => {
  const second = 'C0FFEE00124';
  const lines = [
    policy('pass'),
    policy('pass', { to: 'c@r.example' }),
    opened(),
    opened(second),
    queued(),
    queued(second),
    delivered(),
    delivered(second, 'to=<c@r.example>'),
  ];
  assert.equal(join(lines).told.length, 2);
});

test('a message for which no policy server was asked is told by its deliveries', () => {
  const { told } = join([policy('pass'), ...message(), ...message('C0FFEE00124')]);
  assert.deepEqual(told, [`${words('accepted', 'policy')} (triplet found)`, accepted]);
});

test('other refusals are counted by their codes, with an example', () => {
  const { told, counts } = join([
    refused('554 5.7.1 <b@r.example>: Relay access denied'),
    refused('550 5.1.1 <b@r.example>: Recipient address rejected: User unknown'),
    refused('450 4.1.8 <greylist@s.example>: Sender address rejected: Domain not found'),
    refused('451 4.3.5 <b@r.example>: Recipient address rejected: Server configuration problem'),
    refused('451 4.3.5 <c@r.example>: Recipient address rejected: Server configuration problem'),
    'postfix/postscreen[9]: NOQUEUE: reject: RCPT from [192.0.2.1]:9: 450 4.3.2 Service currently unavailable; from=<a@s.example>, to=<b@r.example>, proto=ESMTP, helo=<h>',
    'postfix/postscreen[9]: NOQUEUE: reject: CONNECT from [192.0.2.1]:9: too many connections',
  ]);
  assert.deepEqual(told, []);
  assert.deepEqual(
    [...counts.refusals].map(([name, { count }]) => [name, count]),
    [
      ['554 5.7.1', 1],
      ['550 5.1.1', 1],
      ['450 4.1.8', 1],
      ['451 4.3.5', 2],
      ['postscreen 450 4.3.2', 1],
      ['postscreen without code', 1],
    ],
  );
  assert.equal(
    counts.refusals.get('451 4.3.5')?.example,
    '451 4.3.5 <b@r.example>: Recipient address rejected: Server configuration problem',
  );
});

test('a pattern names an unusual greylisting text', () => {
  const line = refused('451 4.3.0 <b@r.example>: Recipient address rejected: come back tomorrow');
  assert.deepEqual(join([line]).told, []);
  assert.deepEqual(join([line], { greylistPattern: /tomorrow/ }).told, [deferred]);
});

test('greylisting after RCPT is an attempt when the recipient is known', () => {
  const reply = '450 4.7.1 <DATA>: Data command rejected: Greylisted';
  const { told, counts } = join([
    opened(),
    smtpd(
      `${id}: reject: DATA from ${client}: ${reply}; from=<a@s.example> to=<b@r.example> proto=ESMTP helo=<h>`,
    ),
    opened('C0FFEE00124'),
    smtpd(`C0FFEE00124: reject: DATA from ${client}: ${reply}; from=<a@s.example> proto=ESMTP helo=<h>`),
  ]);
  assert.deepEqual(told, [deferred]);
  assert.equal(counts.unnamedDeferrals, 1);
  assert.equal(counts.incomplete, 0);
});

test('a milter that greylists makes attempts; one that refuses spam ends the message', () => {
  const end = (text: string) =>
    `postfix/cleanup[558]: ${id}: milter-reject: END-OF-MESSAGE from ${client}: ${text}; from=<a@s.example> to=<b@r.example> proto=ESMTP helo=<h>`;
  assert.deepEqual(join([opened(), end('4.7.1 Try again later')]).told, [deferred]);
  const { told, counts } = join([opened(), end('5.7.1 Spam message rejected')]);
  assert.deepEqual(told, []);
  assert.equal(counts.refusals.get('milter 5.7.1')?.count, 1);
  assert.equal(counts.incomplete, 0);
  const rcpt = smtpd(
    `${id}: milter-reject: RCPT from ${client}: 451 4.7.1 Greylisting in action; from=<a@s.example> to=<c@r.example> proto=ESMTP helo=<h>`,
  );
  assert.deepEqual(join([opened(), rcpt, queued(), delivered()]).told, [
    accepted,
    words('greylisted', 'smtpd', 'c@r.example'),
  ]);
});

test('authenticated and local clients, local submission and notices are no attempts', () => {
  const { told, counts } = join([
    opened(id, `${client}, sasl_method=PLAIN, sasl_username=u`),
    queued(),
    delivered(),
    removed(),
    refused(greylisted, { tail: ' sasl_method=PLAIN sasl_username=u' }),
    ...message('C0FFEE00124', 'localhost[127.0.0.1]'),
    ...message('C0FFEE00125', 'localhost[::1]'),
    policy('pass').replace('192.0.2.1', '127.0.0.1'),
    refused(greylisted, { from: 'localhost[127.0.0.1]' }),
    'postfix/pickup[9]: C0FFEE00126: uid=0 from=<root>',
    queued('C0FFEE00126'),
    delivered('C0FFEE00126'),
    'postfix/bounce[9]: C0FFEE00126: sender non-delivery notification: C0FFEE00127',
    queued('C0FFEE00127', ''),
    delivered('C0FFEE00127'),
    queued('C0FFEE00128', 'double-bounce@mx.r.example'),
    delivered('C0FFEE00128', 'to=<b@r.example>', 'deliverable'),
  ]);
  assert.deepEqual(told, []);
  assert.equal(counts.authenticated, 2);
  assert.equal(counts.local, 4);
  assert.equal(counts.internal, 3);
  assert.equal(counts.withoutClient, 0);
  assert.equal(counts.incomplete, 0);
});

test('other clients can be local', () => {
  const isLocal = (address: { bytes: readonly number[] }) => address.bytes[0] === 192;
  const { told, counts } = join([...message(), refused(), policy('greylist')], { isLocal });
  assert.deepEqual(told, []);
  assert.equal(counts.local, 3);
});

test('what an after-queue filter gives back is not counted again', () => {
  const again = 'BADC0FFEE11';
  const { told, counts } = join([
    opened(),
    queued(),
    opened(again, `localhost[127.0.0.1], orig_queue_id=${id}, orig_client=${client}`),
    queued(again),
    delivered(id, 'to=<b@r.example>', 'sent'),
    delivered(again),
    removed(again),
    removed(),
    ...message('C0FFEE00124'),
    ...message('BADC0FFEE12', 'localhost[127.0.0.1]'),
  ]);
  assert.deepEqual(told, [accepted, accepted]);
  assert.equal(counts.reinjected, 1);
  assert.equal(counts.local, 1);
});

test("a before-queue proxy's message has the time of its first recipient", () => {
  const { attempts, told, counts } = join([
    opened('NOQUEUE'),
    smtpd('connect from localhost[127.0.0.1]'),
    opened(id, `localhost[127.0.0.1], orig_client=${client}`),
    queued(),
    smtpd(
      `proxy-accept: END-OF-MESSAGE: 250 2.0.0 Ok: queued as ${id}; from=<a@s.example> to=<b@r.example> proto=ESMTP helo=<h>`,
    ),
    delivered(),
    removed(),
  ]);
  assert.deepEqual(told, [accepted]);
  assert.equal(attempts[0]?.attempt.time, now - 10_000);
  assert.deepEqual([counts.reinjected, counts.local, counts.incomplete], [0, 0, 0]);
});

test('a before-queue proxy that hides the client is joined by its answer', () => {
  const proxied = (to: string) =>
    smtpd(
      `proxy-accept: END-OF-MESSAGE: 250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as ${id}; from=<a@s.example>${to} proto=ESMTP helo=<h>`,
    );
  const lines = (to: string) => [
    opened('NOQUEUE'),
    opened(id, 'localhost[127.0.0.1]'),
    queued(id, 'a@s.example', 2),
    proxied(to),
    delivered(),
    delivered(id, 'to=<c@r.example>'),
    removed(),
  ];
  assert.deepEqual(join(lines(' to=<b@r.example>')).told, [accepted]);
  assert.deepEqual(join(lines('')).told, [accepted, words('accepted', 'delivery', 'c@r.example')]);
  const { counts } = join([opened('NOQUEUE'), proxied('')]);
  assert.equal(counts.incomplete, 1, 'what came of it is in another log');
});

test("a proxied message that a policy server passed is told by the policy server's line", () => {
  const { told } = join([
    policy('pass'),
    opened('NOQUEUE'),
    opened(id, `localhost[127.0.0.1], orig_client=${client}`),
    queued(),
    delivered(),
  ]);
  assert.deepEqual(told, [`${words('accepted', 'policy')} (triplet found)`]);
});

test('a pass that comes behind the beginning of a proxied message is that message', () => {
  const line = (seconds: number, text: string) =>
    `${new Date((now - 10_000 + seconds) * 1000).toISOString()} mx ${text}`;
  const proxied = `proxy-accept: END-OF-MESSAGE: 250 2.0.0 Ok: queued as ${id}; from=<a@s.example> to=<B@r.example> proto=ESMTP helo=<h>`;
  const begun = [line(0, opened('NOQUEUE')), line(0, policy('pass'))];
  const back = opened(id, `localhost[127.0.0.1], orig_client=${client}`);
  for (const ends of [[smtpd(proxied)], [back, queued(), delivered()]]) {
    const { told } = join([...begun, ...ends.map((text) => line(900, text))]);
    assert.deepEqual(told, [`${words('accepted', 'policy')} (triplet found)`]);
  }
});

test('a queue id is used again', () => {
  const { told, counts } = join([...message(), ...message(), opened(), opened(), queued(), delivered()]);
  assert.deepEqual(told, [accepted, accepted, accepted]);
  assert.equal(counts.incomplete, 1);
});

test('a queue id that is used again by local submission or a notice is no longer the message it was', () => {
  for (const again of [
    `postfix/pickup[9]: ${id}: uid=0 from=<root>`,
    `postfix/bounce[9]: C0FFEE00124: sender non-delivery notification: ${id}`,
  ]) {
    const local = [again, queued(id, 'root@r.example'), delivered(id, 'to=<local@r.example>'), removed()];
    const { told, counts } = join([opened(), queued(), delivered(), ...local]);
    assert.deepEqual(told, [accepted]);
    assert.equal(counts.internal, 1);
    const unheard = join([opened(), ...local]);
    assert.deepEqual(unheard.told, []);
    assert.equal(unheard.counts.incomplete, 1);
  }
});

test('what is cut off is counted, not guessed', () => {
  const { told, counts } = join([
    queued('AAAAAA1'),
    delivered('AAAAAA1'),
    removed('AAAAAA1'),
    delivered('AAAAAA2'),
    removed('AAAAAA3'),
    opened('AAAAAA4'),
    removed('AAAAAA4'),
    opened('AAAAAA5'),
    queued('AAAAAA5'),
    opened('AAAAAA6'),
    delivered('AAAAAA6'),
    opened('AAAAAA7', 'unknown[unknown]'),
    opened('NOQUEUE'),
  ]);
  assert.deepEqual(told, []);
  assert.equal(counts.withoutClient, 2);
  assert.equal(counts.incomplete, 4);
  assert.equal(counts.unaddressed, 1);
});

test('a delivery that is logged before qmgr tells the sender is not lost', () => {
  assert.deepEqual(join([opened(), delivered(), queued(), removed()]).told, [accepted]);
});

test('a discarded message is counted', () => {
  const { told, counts } = join([
    smtpd(
      `NOQUEUE: discard: RCPT from ${client}: <a@s.example>: Sender address spamtrap; from=<a@s.example> to=<b@r.example> proto=ESMTP helo=<h>`,
    ),
    opened(),
    opened('C0FFEE00124'),
    'postfix/cleanup[9]: C0FFEE00124: milter-discard: END-OF-MESSAGE from x[192.0.2.1]: milter triggers DISCARD action',
  ]);
  assert.deepEqual(told, []);
  assert.deepEqual([counts.discarded, counts.incomplete], [1, 1]);
});

test('folded lines count as often as they were logged', () => {
  const repeated = refused().replace(/^(\S+: )(.*)$/, '$1message repeated 3 times: [ $2]');
  const { told, counts } = join([
    refused(),
    repeated,
    'last message repeated 2 times',
    'last message repeated 1 time',
  ]);
  assert.equal(told.length, 4);
  assert.equal(counts.repeatedLines, 3);
  const sysklogd = join([
    refused(),
    'last message repeated 2 times',
    smtpd('connect from x'),
    'last message repeated 9 times',
  ]);
  assert.equal(sysklogd.told.length, 3);
  const hostile = join([refused().replace(/^(\S+: )(.*)$/, '$1message repeated 999999999 times: [ $2]')]);
  assert.equal(hostile.told.length, 10_000);
});

test('markers of lost lines are counted', () => {
  const { counts } = join([
    'rsyslogd[1]: imjournal: 42 messages lost due to rate-limiting (9 allowed within 9 seconds)',
  ]);
  assert.deepEqual([counts.lossMarkers, counts.lostLines], [1, 42]);
});

test('senders and recipients are what the policy server is given', () => {
  const { attempts } = join([
    refused().replace('from=<a@s.example>', 'from=<"john smith"@s.example>'),
    opened(),
    queued(id, '"a> to=<x@y"@e.example'),
    delivered(id, 'to=<jos\u00e9@r.example>'),
  ]);
  assert.deepEqual(
    attempts.map(({ attempt }) => [attempt.sender, attempt.recipient]),
    [
      ['john smith@s.example', 'b@r.example'],
      ['a> to=<x@y@e.example', 'jos\u00e9@r.example'],
    ],
  );
});

test('attempts come in time order, although deliveries tell them later', () => {
  const second = 'C0FFEE00124';
  const { attempts, counts } = join([
    opened(),
    opened(second),
    refused(),
    queued(second),
    delivered(second, 'to=<c@r.example>'),
    queued(),
    refused(),
    delivered(),
  ]);
  const times = attempts.map(({ attempt }) => attempt.time - now + 10_000);
  assert.deepEqual(times, [0, 1, 2, 6]);
  assert.equal(counts.lateAttempts, 0);
});

test('an attempt that is told after the window comes out of order, and is counted', () => {
  const lines = [opened(), refused(), ...Array.from({ length: 20 }, () => refused()), queued(), delivered()];
  const { attempts, counts } = join(lines, { windowSeconds: 10 });
  assert.equal(counts.lateAttempts, 1);
  assert.equal(attempts.length, 22);
  assert.ok(attempts.findIndex(({ attempt }) => attempt.time === now - 10_000) > 0);
  const held = join(lines, { mostHeld: 5 });
  assert.equal(held.counts.lateAttempts, 1);
});

test('time that passes without a line is not that of a line', () => {
  const joiner = createJoiner();
  const push = (time: number) => {
    const line = `mx ${refused()}`;
    joiner.push(line, 0, time);
  };
  push(100);
  joiner.pass(0, 105);
  assert.deepEqual([joiner.counts.lastTime, joiner.take().length], [100, 1]);
  push(105);
  assert.equal(joiner.counts.lastTime, 105);
});

test('a message that nothing is heard of for the horizon is given up', () => {
  const at = (hour: number) => `2026-11-21T${String(hour).padStart(2, '0')}:00:00Z mx`;
  const { told, counts } = join(
    [
      `${at(0)} ${opened()}`,
      `${at(0)} ${opened('C0FFEE00124')}`,
      `${at(0)} ${queued('C0FFEE00124', 'a@s.example', 2)}`,
      ...Array.from({ length: 20 }, (_, hour) => `${at(hour)} ${delivered('C0FFEE00124')}`),
      `${at(20)} ${queued()}`,
      `${at(20)} ${delivered()}`,
      `${at(20)} ${delivered('C0FFEE00124', 'to=<c@r.example>')}`,
    ],
    { horizonSeconds: 7200 },
  );
  assert.deepEqual(told.toSorted(), [accepted, words('accepted', 'delivery', 'c@r.example')].toSorted());
  assert.deepEqual([counts.incomplete, counts.withoutClient], [1, 1]);
});
