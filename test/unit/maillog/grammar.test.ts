import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LogEvent } from '#src/maillog/events.js';
import { internalForm, readable } from '#src/maillog/fields.js';
import { readEvent } from '#src/maillog/grammar.js';
import { readHeader } from '#src/maillog/header.js';

/** What a line says that begins behind its time stamp. */
function event(line: string): LogEvent | undefined {
  const header = readHeader(line, 0);
  return header && readEvent(line, header);
}

/** Some fields of an event. */
function fields(line: string, ...names: string[]): unknown[] {
  const found = new Map<string, unknown>(Object.entries(event(line) ?? assert.fail(line)));
  return names.map((name) => found.get(name));
}

const reject =
  'NOQUEUE: reject: RCPT from mx.s.example[192.0.2.1]: 450 4.2.0 <b@r.example>: Recipient address rejected: Greylisted';
const tail = 'from=<a@s.example> to=<b@r.example> proto=ESMTP helo=<mx.s.example>';

test('a program is the last part of its tag, whatever comes before', () => {
  const client = 'C0FFEE00123: client=mx.s.example[192.0.2.1]';
  for (const tag of [
    'mx postfix/smtpd[501]',
    'mx postfix/smtpd',
    'mx smtpd[501]',
    'mx postfix/submission/smtpd[501]',
    'mx postfix-in/10025/smtpd[501]',
    '(none) postfix-smo/smtps/smtpd[501]',
    'mx mail.info postfix/smtpd[501]',
    'postfix/smtpd[501]',
    'mx postfix[501]',
  ])
    assert.equal(event(`${tag}: ${client}`)?.type, 'client', tag);
  assert.equal(event(`mx postfix/smtpd[501]: [ID 197553 mail.info] ${client}`)?.type, 'client');
  assert.equal(event(`mx postfix/smtp[501]: ${client}`), undefined);
  assert.equal(event(`mx notsmtpd[501]: ${client}`), undefined);
});

test('in RFC 5424 the tag has no colon, may have lost its end, and the text may begin with a byte order mark', () => {
  const client = 'C0FFEE00123: client=mx.s.example[192.0.2.1]';
  const at = '<22>1 2026-11-21T17:16:10Z '.length;
  for (const rest of [
    `mx postfix/smtpd 501 - -  ${client}`,
    `mx postfix/smtpd 501 - - ${client}`,
    `mx postfix 501 - -  ${client}`,
    `mx postfix-in - - - ${client}`,
    `mx mta 501 - [x@1 a="b c"][y@1 d="e"] ${client}`,
    `mx postfix/smtpd 501 - - \u00ef\u00bb\u00bf${client}`,
  ]) {
    const line = `<22>1 2026-11-21T17:16:10Z ${rest}`;
    assert.equal(readEvent(line, readHeader(line, at) ?? assert.fail(rest))?.type, 'client', rest);
  }
  assert.equal(readHeader('<22>1 2026-11-21T17:16:10Z mx postfix', at), undefined);
});

test('a log within a log is read by its inner header, or without one', () => {
  const client = 'C0FFEE00123: client=mx.s.example[192.0.2.1]';
  for (const line of [
    `host docker-compose[1]: mail-1  | Oct 13 18:20:57 mail postfix/smtpd[501]: ${client}`,
    `host mailserver[1]: 2026-10-13T18:20:57.123+02:00 mail postfix/smtpd[501]: ${client}`,
    `Oct 13 18:20:57 mail postfix/smtpd[501]: ${client}`,
  ])
    assert.equal(event(line)?.type, 'client', line);
  const policy = 'action=pass, reason=new, client_name=n, client_address=192.0.2.1, recipient=b@r.example';
  assert.equal(event(`host docker-compose[1]: mail-1  | ${policy}`)?.type, 'policy');
});

test('a refusal is read with all that may follow its text', () => {
  const names = ['reply', 'sender', 'recipient', 'authenticated', 'clientName', 'clientAddress', 'queueId'];
  const expected = [
    '450 4.2.0 <b@r.example>: Recipient address rejected: Greylisted',
    'a@s.example',
    'b@r.example',
    false,
    'mx.s.example',
    '192.0.2.1',
    'NOQUEUE',
  ];
  assert.deepEqual(fields(`mx postfix/smtpd[1]: ${reject}; ${tail}`, ...names), expected);
  const port = reject.replace('[192.0.2.1]', '[192.0.2.1]:39237');
  assert.deepEqual(
    fields(`mx postfix/smtpd[1]: ${port}; ${tail}`, ...names),
    expected,
    'smtpd_client_port_logging',
  );
  assert.deepEqual(
    fields(`mx postfix/smtpd[1]: ${reject}; ${tail} sasl_method=PLAIN sasl_username=u x`, ...names),
    expected.with(3, true),
    'Postfix 3.10',
  );
  assert.deepEqual(
    fields(`mx postfix/smtpd[1]: ${reject.replace('NOQUEUE', '4jWzRm42fBzJbbN')}; ${tail}`, ...names),
    expected.with(6, '4jWzRm42fBzJbbN'),
  );
  const old = '450 <b@r.example>: Recipient address rejected: Greylisted';
  assert.deepEqual(
    fields(`mx postfix/smtpd[1]: NOQUEUE: reject: RCPT from unknown[2001:db8::9]: ${old}; ${tail}`, ...names),
    [old, 'a@s.example', 'b@r.example', false, 'unknown', '2001:db8::9', 'NOQUEUE'],
  );
});

test('the envelope is what reads to the end of the line, however hostile the addresses', () => {
  const cases: [line: string, sender: string, recipient: string | undefined][] = [
    [
      `${reject}; from=<"a> to=<x@y"@e.example> to=<b@r.example> proto=ESMTP helo=<h>`,
      'a> to=<x@y@e.example',
      'b@r.example',
    ],
    [
      `${reject}; from=<"a; from=<b"@e.example> to=<b@r.example> proto=ESMTP helo=<h>`,
      'a; from=<b@e.example',
      'b@r.example',
    ],
    [
      `${reject}; from=<"a\\"> to=<x"@e.example> to=<b@r.example> proto=SMTP`,
      'a"> to=<x@e.example',
      'b@r.example',
    ],
    [
      `${reject}; from=<> to=<"x; from=<y@z> to=<c@d> proto=ESMTP helo=<z>"@r.example> proto=ESMTP helo=<h>`,
      '',
      'x; from=<y@z> to=<c@d> proto=ESMTP helo=<z>@r.example',
    ],
    [
      `NOQUEUE: reject: RCPT from mx.s.example[192.0.2.1]: 450 4.2.0 <"x; from=<y> to=<c@d> proto=ESMTP helo=<z>"@r.example>: Recipient address rejected: Greylisted; from=<a@s.example> to=<"x; from=<y> to=<c@d> proto=ESMTP helo=<z>"@r.example> proto=ESMTP helo=<h>`,
      'a@s.example',
      'x; from=<y> to=<c@d> proto=ESMTP helo=<z>@r.example',
    ],
    [
      `${reject}; from=<"john \\"q\\" smith"@s.example> to=<b@r.example> proto=ESMTP helo=<h>`,
      'john "q" smith@s.example',
      'b@r.example',
    ],
    // Postfix < 3.5 and info_log_address_format = internal.
    [
      `${reject}; from=<john smith@s.example> to=<b@r.example> proto=ESMTP helo=<h>`,
      'john smith@s.example',
      'b@r.example',
    ],
    [
      `${reject}; from=<a> to=<x@y@e.example> to=<b@r.example> proto=ESMTP helo=<h>`,
      'a> to=<x@y@e.example',
      'b@r.example',
    ],
    [`${reject}; from=<a@s.example> proto=ESMTP helo=<h>`, 'a@s.example', undefined],
  ];
  for (const [line, sender, recipient] of cases) {
    assert.deepEqual(
      fields(`mx postfix/smtpd[1]: ${line}`, 'sender', 'recipient'),
      [sender, recipient],
      line,
    );
  }
  const rbl =
    'NOQUEUE: reject: RCPT from unknown[192.0.2.1]: 554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.rbl.example; https://rbl.example/q;x';
  assert.deepEqual(fields(`mx postfix/smtpd[1]: ${rbl}; ${tail}`, 'reply', 'sender'), [
    '554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.rbl.example; https://rbl.example/q;x',
    'a@s.example',
  ]);
});

test('what is not a refusal is not taken for one', () => {
  for (const action of [
    'reject_warning',
    'hold',
    'warn',
    'filter',
    'discard',
    'redirect',
    'info',
    'permit',
    'bcc',
    'delay',
  ]) {
    assert.equal(
      event(`mx postfix/smtpd[1]: ${reject.replace('reject:', `${action}:`)}; ${tail}`),
      undefined,
      action,
    );
  }
  for (const text of [
    'connect from mx.s.example[192.0.2.1]',
    'disconnect from mx.s.example[192.0.2.1] ehlo=1 commands=1',
    'lost connection after RCPT from mx.s.example[192.0.2.1]',
    'warning: hostname mx.s.example does not resolve to address 192.0.2.1',
    'warning: reject: RCPT from mx.s.example[192.0.2.1]: 450 4.2.0 Greylisted',
    'NOQUEUE: reject: RCPT from nowhere: 450 4.2.0 Greylisted',
    'NOQUEUE: reject: ',
    'NOQUEUE:',
    'C0FFEE00123: client=nowhere',
  ])
    assert.equal(event(`mx postfix/smtpd[1]: ${text}`), undefined, text);
});

test('a client line tells the client, authentication, and whom a filter had it from', () => {
  const names = ['queueId', 'clientName', 'clientAddress', 'authenticated', 'originAddress'];
  const client = 'mx postfix/smtpd[1]: C0FFEE00123: client=mx.s.example[192.0.2.1]';
  const expected = ['C0FFEE00123', 'mx.s.example', '192.0.2.1', false, undefined];
  assert.deepEqual(fields(client, ...names), expected);
  assert.deepEqual(fields(`${client}:4711`, ...names), expected);
  assert.deepEqual(
    fields(`${client}, sasl_method=PLAIN, sasl_username=u@s.example`, ...names),
    expected.with(3, true),
  );
  assert.deepEqual(fields(`${client}, sasl_username=u, sasl_sender=x@y`, ...names), expected.with(3, true));
  assert.deepEqual(
    fields(`${client}:4711, orig_queue_id=BADC0FFEE, orig_client=mx.o.example[198.51.100.7]`, ...names),
    expected.with(4, '198.51.100.7'),
  );
});

test('postscreen separates with commas, has a port and no name', () => {
  const line =
    'NOQUEUE: reject: RCPT from [192.0.2.1]:39237: 450 4.3.2 Service currently unavailable; from=<a@s.example>, to=<b@r.example>, proto=ESMTP, helo=<h>';
  const names = ['by', 'clientName', 'clientAddress', 'reply', 'sender', 'recipient'];
  const expected = [
    'postscreen',
    '',
    '192.0.2.1',
    '450 4.3.2 Service currently unavailable',
    'a@s.example',
    'b@r.example',
  ];
  assert.deepEqual(fields(`mx postfix/postscreen[1]: ${line}`, ...names), expected);
  assert.deepEqual(fields(`mx postfix[1]: ${line}`, ...names), expected, 'the tag has lost its end');
  const busy = 'NOQUEUE: reject: CONNECT from [192.0.2.1]:39237: too many connections';
  assert.deepEqual(fields(`mx postfix/postscreen[1]: ${busy}`, 'stage', 'reply'), [
    'CONNECT',
    'too many connections',
  ]);
  assert.equal(event('mx postfix/postscreen[1]: PREGREET 14 after 0 from [192.0.2.1]:1: EHLO x'), undefined);
});

test('milters refuse with and without a code, by smtpd and by cleanup', () => {
  const names = ['by', 'stage', 'queueId', 'reply', 'recipient'];
  const end =
    'C0FFEE00123: milter-reject: END-OF-MESSAGE from mx.s.example[192.0.2.1]: 4.7.1 Try again later';
  for (const program of ['postfix/cleanup', 'postfix/smtpd', 'postfix']) {
    assert.deepEqual(fields(`mx ${program}[1]: ${end}; ${tail}`, ...names), [
      'milter',
      'END-OF-MESSAGE',
      'C0FFEE00123',
      '4.7.1 Try again later',
      'b@r.example',
    ]);
  }
  assert.equal(
    event(`mx postfix/cleanup[1]: C0FFEE00123: milter-hold: END-OF-MESSAGE from x[192.0.2.1]: y; ${tail}`),
    undefined,
  );
});

test('cleanup refuses and discards by content, and its other words are of no concern', () => {
  const header = 'header Subject: reject; from=<x> to=<y> from mx.s.example[192.0.2.1]';
  for (const tag of ['postfix/cleanup', 'postfix']) {
    assert.equal(event(`mx ${tag}[1]: C0FFEE00123: reject: ${header}; ${tail}: spam`)?.type, 'refusal');
    assert.equal(event(`mx ${tag}[1]: C0FFEE00123: discard: ${header}; ${tail}: spam`)?.type, 'discarded');
    assert.equal(event(`mx ${tag}[1]: C0FFEE00123: warning: ${header}; ${tail}: spam`), undefined);
    assert.equal(event(`mx ${tag}[1]: C0FFEE00123: message-id=<client=x[192.0.2.1]>`), undefined);
  }
});

test('qmgr and deliveries are read across versions', () => {
  const queued = ['queueId', 'sender', 'recipients'];
  assert.deepEqual(
    fields('mx postfix/qmgr[1]: C0FFEE00123: from=<a@s.example>, size=1, nrcpt=12 (queue active)', ...queued),
    ['C0FFEE00123', 'a@s.example', 12],
  );
  assert.deepEqual(
    fields(
      'mx postfix/qmgr[1]: C0FFEE00123: from=<"x>, size=1, nrcpt=9"@s.example>, size=1, nrcpt=2 (queue active)',
      ...queued,
    ).slice(1),
    ['x>, size=1, nrcpt=9@s.example', 2],
  );
  assert.equal(
    event('mx postfix/qmgr[1]: C0FFEE00123: from=<a@s.example>, status=expired, returned to sender'),
    undefined,
  );
  assert.equal(event('mx postfix/qmgr[1]: C0FFEE00123: skipped, still being delivered'), undefined);
  assert.equal(event('mx postfix/qmgr[1]: C0FFEE00123: removed')?.type, 'removed');
  assert.equal(event('mx postfix/postsuper[1]: C0FFEE00123: removed')?.type, 'removed');

  const delivery = ['recipient', 'mailbox'];
  const line = (rest: string) => fields(`mx postfix/lmtp[1]: C0FFEE00123: ${rest}`, ...delivery);
  const end =
    'relay=h[private/dovecot-lmtp], conn_use=2, delay=0.1, delays=0/0/0/0.1, tls=secure/dane, dsn=2.0.0, status=sent (250 (ok) to=<x@y>)';
  assert.deepEqual(line(`to=<b@r.example>, ${end}`), ['b@r.example', 'b@r.example']);
  assert.deepEqual(line(`to=<m@r.example>, orig_to=<b@r.example>, ${end}`), ['b@r.example', 'm@r.example']);
  assert.deepEqual(line(`to=<"x>, orig_to=<y"@r.example>, ${end}`), [
    'x>, orig_to=<y@r.example',
    'x>, orig_to=<y@r.example',
  ]);
  assert.deepEqual(line('to=<b@r.example>, relay=local, delay=1, status=sent (mailbox)'), [
    'b@r.example',
    'b@r.example',
  ]);
  assert.deepEqual(line('to=m@r.example, orig_to=b@r.example, relay=local, delay=1'), [
    'b@r.example',
    'm@r.example',
  ]);
});

test('local submission and notices are internal', () => {
  for (const line of [
    'mx postfix/pickup[1]: C0FFEE00123: uid=0 from=<root>',
    'mx postfix/bounce[1]: BADC0FFEE11: sender non-delivery notification: C0FFEE00123',
    'mx postfix[1]: BADC0FFEE11: postmaster non-delivery notification: C0FFEE00123',
  ])
    assert.deepEqual(fields(line, 'type', 'queueId'), ['internal', 'C0FFEE00123'], line);
});

test('policy lines are read with and without sender, queue id, mask and delay', () => {
  const names = ['verdict', 'reason', 'clientName', 'clientAddress', 'sender', 'recipient', 'queueId'];
  const line = (text: string) => fields(`mx postgrey[251]: ${text}`, ...names);
  const client = 'client_name=mx.s.example, client_address=192.0.2.1';
  const expected = ['greylist', 'new', 'mx.s.example', '192.0.2.1', 'a@s.example', 'b@r.example', ''];
  assert.deepEqual(
    line(`action=greylist, reason=new, ${client}, sender=a@s.example, recipient=b@r.example`),
    expected,
  );
  assert.deepEqual(
    line(`action=greylist, reason=new, ${client}/32, sender=a@s.example, recipient=b@r.example`),
    expected,
  );
  assert.deepEqual(
    line(
      `action=greylist, reason=early-retry (12s missing), ${client}, sender=a@s.example, recipient=b@r.example`,
    ),
    expected.with(1, 'early-retry'),
  );
  assert.deepEqual(
    line(`action=greylist, reason=new, ${client}, recipient=b@r.example`),
    expected.with(4, ''),
  );
  assert.deepEqual(
    line(`action=greylist, reason=new, ${client}, sender=, recipient=b@r.example`),
    expected.with(4, ''),
  );
  assert.deepEqual(
    line(
      `C0FFEE00123: action=pass, reason=triplet found, delay=33, ${client}, sender=a@s.example, recipient=b@r.example`,
    ),
    ['pass', 'triplet found', ...expected.slice(2, 6), 'C0FFEE00123'],
  );
  assert.deepEqual(
    line(
      `action=greylist, reason=new, ${client}, sender=comma, recipient=z@z@e.example, recipient=b@r.example`,
    ),
    expected.with(4, 'comma, recipient=z@z@e.example'),
  );
  assert.deepEqual(
    line(
      `action=greylist, reason=new, client_name=unknown, client_address=2001:db8::9/128, recipient=b@r.example`,
    ),
    ['greylist', 'new', 'unknown', '2001:db8::9', '', 'b@r.example', ''],
  );
  for (const text of [
    'action=dunno, reason=new, client_name=n, client_address=192.0.2.1, recipient=b@r.example',
    'action=pass, reason=new',
    'action=pass, client_address=192.0.2.1, recipient=b@r.example',
    'whitelisted: mx.s.example[192.0.2.1]',
    'cleaning up old logs...',
    '2026/11/21-17:15:28 postgrey (type Net::Server::Multiplex) starting! pid(251)',
  ])
    assert.equal(event(`mx postgrey[251]: ${text}`), undefined, text);
  assert.equal(
    event(`mx greyctl[1]: action=pass, reason=new, ${client}, recipient=b@r.example`)?.type,
    'policy',
  );
  assert.equal(
    event(`mx postgrey: action=pass, reason=new, ${client}, recipient=b@r.example`)?.type,
    'policy',
  );
});

test('markers of lost lines are read', () => {
  for (const line of [
    'mx rsyslogd[1]: imjournal: 42 messages lost due to rate-limiting (20000 allowed within 600 seconds)',
    'mx rsyslogd: imuxsock lost 42 messages from pid 501 due to rate-limiting',
    'mx systemd-journald[1]: Suppressed 42 messages from postfix.service',
  ])
    assert.deepEqual(fields(line, 'type', 'lines'), ['lost', 42], line);
});

test('addresses become what a policy server is given: unquoted, and UTF-8 where it is valid', () => {
  assert.equal(internalForm('"john smith"@s.example'), 'john smith@s.example');
  assert.equal(internalForm('"a\\"b\\\\c"@s.example'), 'a"b\\c@s.example');
  assert.equal(internalForm('"unclosed@s.example'), '"unclosed@s.example');
  assert.equal(internalForm('plain"@s.example'), 'plain"@s.example');
  assert.equal(readable(Buffer.from('jos\u00e9@s.example').toString('latin1')), 'jos\u00e9@s.example');
  assert.equal(readable('jos\u00e9@s.example'), 'jos\ufffd@s.example');
  assert.equal(
    readable('a long address of plain ASCII@s.example'),
    'a long address of plain ASCII@s.example',
  );
});
