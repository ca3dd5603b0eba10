import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Decision } from '#src/greylist/decide.js';
import { actionLine } from '#src/policy/logline.js';
import { ProtocolError, type PolicyRequest } from '#src/policy/parser.js';
import { mailDate, replyAction } from '#src/policy/reply.js';
import { interpret } from '#src/policy/request.js';

const request: PolicyRequest = {
  request: 'smtpd_access_policy',
  client_address: '192.0.2.5',
  client_name: 'mx.example.org',
  sender: 'a@example.org',
  recipient: 'b@example.net',
  etrn_domain: '',
};

const texts = {
  greylistAction: 'DEFER_IF_PERMIT',
  greylistText: 'Greylisted for %s seconds',
  header: 'X-Greylist: delayed %t seconds by greyctl-%v at %h; %d',
  hostname: 'mx',
  version: '1.0',
};

const deferred: Decision = { verdict: 'greylist', reason: 'early-retry', waitSeconds: 288 };
const firstPass: Decision = { verdict: 'pass', reason: 'triplet found', waitSeconds: 0, delaySeconds: 312 };

const read = (given: PolicyRequest, greylistAuthenticated = false) =>
  interpret(given, 7, { greylistAuthenticated });

test('a request at any stage that names its recipient is an attempt', () => {
  const result = read({ ...request, sender: '', instance: 'i', queue_id: 'Q' });
  assert.ok('attempt' in result);
  const { attempt } = result;
  assert.deepEqual([attempt.time, attempt.sender, attempt.instance, attempt.queueId], [7, '', 'i', 'Q']);
});

test('no recipient, an authenticated user, missing attributes and a bad address are not decided', () => {
  assert.deepEqual(read({ ...request, recipient: '' }), { exemption: 'no recipient' });
  assert.deepEqual(read({ ...request, sasl_username: 'bob' }), { exemption: 'authenticated' });
  assert.ok('attempt' in read({ ...request, sasl_username: 'bob' }, true));
  assert.ok('attempt' in read({ ...request, sasl_username: '' }));
  const { sender, client_name, ...rest } = request;
  assert.ok(sender && client_name);
  assert.deepEqual(read(rest), {
    exemption: 'unusable request',
    warning: 'attribute missing: client_name, sender',
  });
  assert.deepEqual(read({ ...request, client_address: 'un\nknown' }), {
    exemption: 'unusable request',
    warning: 'cannot parse client_address "un?known"',
  });
});

test('another kind of request is not the protocol', () => {
  assert.throws(() => read({ ...request, request: 'junk' }), ProtocolError);
  assert.throws(() => read({}), ProtocolError);
});

test('a deferral is DEFER_IF_PERMIT with 4.2.0 for a Postfix that takes a DSN', () => {
  assert.equal(
    replyAction(deferred, request, texts, 0, true),
    'DEFER_IF_PERMIT 4.2.0 Greylisted for 288 seconds',
  );
  const { etrn_domain, ...old } = request;
  assert.equal(etrn_domain, '');
  assert.equal(replyAction(deferred, old, texts, 0, true), 'DEFER_IF_PERMIT Greylisted for 288 seconds');
  const own = { ...texts, greylistAction: '451', greylistText: '4.7.1 wait %s (%s) %r %% %x' };
  assert.equal(replyAction(deferred, request, own, 0, true), '451 4.7.1 wait 288 (288) example.net %% %x');
});

test('a hostile recipient domain stays in its place in the text', () => {
  const hostile = { ...request, recipient: 'b@x%s\u001b\u202e.example' };
  const own = { ...texts, greylistText: 'see %r' };
  assert.equal(replyAction(deferred, hostile, own, 0, true), 'DEFER_IF_PERMIT 4.2.0 see x%s??.example');
});

test('the header comes with the first pass, once a message', () => {
  const action = replyAction(firstPass, request, texts, 1_700_000_000, true);
  assert.equal(
    action,
    `PREPEND X-Greylist: delayed 312 seconds by greyctl-1.0 at mx; ${mailDate(1_700_000_000)}`,
  );
  assert.equal(replyAction(firstPass, request, texts, 0, false), 'DUNNO');
  assert.equal(
    replyAction({ verdict: 'pass', reason: 'triplet found', waitSeconds: 0 }, request, texts, 0, true),
    'DUNNO',
  );
});

test('a mail date names day, time and zone', () => {
  assert.match(mailDate(1_700_000_000), /^\w{3}, \d{2} Nov 2023 \d{2}:\d{2}:20 [+-]\d{4}$/);
  assert.equal(Date.parse(mailDate(1_700_000_000)), 1_700_000_000_000);
});

test('the log line has the fields of postgrey in their order', () => {
  const tail =
    'client_name=mx.example.org, client_address=192.0.2.5, sender=a@example.org, recipient=b@example.net';
  assert.equal(
    actionLine(deferred, request, true),
    `action=greylist, reason=early-retry (288s missing), ${tail}`,
  );
  assert.equal(
    actionLine(firstPass, { ...request, queue_id: 'ABC' }, true),
    `ABC: action=pass, reason=triplet found, delay=312, ${tail}`,
  );
  assert.equal(actionLine(firstPass, request, false), `action=pass, reason=triplet found, ${tail}`);
  const nobody = { ...request, sender: '', client_name: 'a\nb' };
  assert.equal(
    actionLine(firstPass, nobody, false),
    'action=pass, reason=triplet found, client_name=a?b, client_address=192.0.2.5, recipient=b@example.net',
  );
});

test('the date in the header is that moment, also in the hours in which clocks are changed', () => {
  const before = process.env['TZ'];
  process.env['TZ'] = 'Europe/Berlin';
  try {
    for (const change of [Date.UTC(2026, 2, 29, 1), Date.UTC(2026, 9, 25, 1)]) {
      for (let minutes = -180; minutes <= 180; minutes += 30) {
        const time = change / 1000 + minutes * 60;
        assert.equal(Date.parse(mailDate(time)) / 1000, time, mailDate(time));
      }
    }
    assert.match(mailDate(Date.UTC(2026, 9, 25, 0, 30) / 1000), /^Sun, 25 Oct 2026 02:30:00 \+0200$/);
    assert.match(mailDate(Date.UTC(2026, 9, 25, 1, 30) / 1000), /^Sun, 25 Oct 2026 02:30:00 \+0100$/);
  } finally {
    if (before === undefined) delete process.env['TZ'];
    else process.env['TZ'] = before;
  }
});
