import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseConfiguration, readSeconds, viewOf } from '#src/postfix/configuration.js';

function view(text: string, service?: string) {
  const configuration = parseConfiguration(text);
  return viewOf(
    configuration,
    configuration.services.find(({ name }) => name === service),
  );
}

test('main.cf: values, empty ones, continued lines, comments and CRLF', () => {
  const { parameters, services } = parseConfiguration(
    [
      '# comment',
      'myhostname = mx.example.org',
      'relayhost =',
      'odd=a = b',
      'smtpd_recipient_restrictions = permit_mynetworks,',
      '    reject_unauth_destination',
      '  # not this',
      '\tcheck_policy_service inet:127.0.0.1:60000',
      'policy_time_limit = 3600',
      'this line is no setting',
      '',
    ].join('\r\n'),
  );
  assert.deepEqual(Object.fromEntries(parameters), {
    myhostname: 'mx.example.org',
    relayhost: '',
    odd: 'a = b',
    smtpd_recipient_restrictions:
      'permit_mynetworks, reject_unauth_destination check_policy_service inet:127.0.0.1:60000',
    policy_time_limit: '3600',
  });
  assert.deepEqual(services, []);
});

test('text that begins with a blank, and no text, are no setting', () => {
  for (const text of ['', '\n', '   going on with nothing\n', '=\n', '= value\n'])
    assert.equal(parseConfiguration(text).parameters.size, 0, JSON.stringify(text));
});

test('master.cf: the columns that count, and what -o and postconf -P set', () => {
  const { services, parameters } = parseConfiguration(
    [
      'smtp       inet  n       -       y       -       -       smtpd',
      '127.0.0.1:10025 inet n - n - - smtpd -o content_filter=',
      'pickup     unix  n       -       -       60      1       pickup',
      'submission inet  n       -       y       -       -       smtpd',
      '    -o smtpd_sasl_auth_enable=yes',
      'submission/inet/smtpd_sasl_auth_enable = yes',
      'submission/inet/smtpd_relay_restrictions = permit_sasl_authenticated, reject',
      'nobody/inet/smtpd_sasl_auth_enable = yes',
    ].join('\n'),
  );
  assert.deepEqual(
    services.map(({ name, type, isChrooted, command }) => [name, type, isChrooted, command]),
    [
      ['smtp', 'inet', true, 'smtpd'],
      ['127.0.0.1:10025', 'inet', false, 'smtpd'],
      // Since Postfix 3.0 `-` means no.
      ['pickup', 'unix', false, 'pickup'],
      ['submission', 'inet', true, 'smtpd'],
    ],
  );
  assert.deepEqual(Object.fromEntries(services[3]?.overrides ?? []), {
    smtpd_sasl_auth_enable: 'yes',
    smtpd_relay_restrictions: 'permit_sasl_authenticated, reject',
  });
  assert.deepEqual([services[0]?.overrides.size, parameters.size], [0, 0]);
});

test('a service sees its own values before those of main.cf, and these before the defaults', () => {
  const text = [
    'mail_owner = mailer',
    'smtpd_policy_service_timeout = 20s',
    'submission inet n - y - - smtpd',
    'submission/inet/smtpd_policy_service_timeout = 1m',
  ].join('\n');
  assert.equal(view(text, 'submission').seconds('smtpd_policy_service_timeout'), 60);
  assert.equal(view(text).seconds('smtpd_policy_service_timeout'), 20);
  assert.equal(view(text).value('mail_owner'), 'mailer');
  assert.equal(view('').value('mail_owner'), 'postfix');
  assert.equal(view('').value('no_such_parameter'), '');
});

test('values are expanded, and what is not known stays', () => {
  const text = [
    'a = A',
    'empty =',
    'list = $a, ${a}, $(a), ${b}, ${a?then $a}, ${empty?never}, ${empty:else}, ${a:never}',
    'loop = x$loop',
    'deep = ${a?$mail_owner}',
  ].join('\n');
  assert.equal(view(text).value('list'), 'A, A, A, ${b}, then A, , else,');
  assert.equal(view(text).value('deep'), 'postfix');
  assert.match(view(text).value('loop'), /^x+\$loop$/);
});

test('before compatibility level 1 no default keeps strangers from relaying', () => {
  assert.equal(view('').value('smtpd_relay_restrictions'), '');
  assert.match(
    view('compatibility_level = 3.6').value('smtpd_relay_restrictions'),
    /defer_unauth_destination/,
  );
  assert.equal(
    view('compatibility_level = 2\nsmtpd_relay_restrictions =').value('smtpd_relay_restrictions'),
    '',
  );
});

test('times and switches are read as Postfix reads them', () => {
  assert.deepEqual(
    ['5', '100s', '2m', '1h', '1d', '1w'].map(readSeconds),
    [5, 100, 120, 3600, 86_400, 604_800],
  );
  for (const text of ['', 'soon', '1.5h', '-1', '1y']) assert.ok(Number.isNaN(readSeconds(text)), text);
  assert.deepEqual(
    [view('x = YES').isOn('x'), view('x = no').isOn('x'), view('').isOn('x')],
    [true, false, false],
  );
});
