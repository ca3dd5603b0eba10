import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseEndpoint } from '#src/config/endpoint.js';
import { parseConfigFile } from '#src/config/file.js';
import type { Option } from '#src/config/option.js';
import { optionNames, options } from '#src/config/options.js';
import { resolve, settingsOf } from '#src/config/resolve.js';
import { readDuration, readFlag, readInteger, readMode, writeDuration } from '#src/config/value.js';

const file = (text: string) => ({ name: 'greyctl.conf', text });

test('durations take a unit or the one of their option', () => {
  assert.equal(readDuration('90', 's'), 90);
  assert.equal(readDuration('35', 'd'), 35 * 86_400);
  assert.equal(readDuration('5m', 'd'), 300);
  assert.equal(readDuration('36h', 'd'), 129_600);
  assert.equal(readDuration('2w', 's'), 1_209_600);
  for (const wrong of ['', '-1', '1.5h', '5 m', '1y', 'm', '99999999999', '1e3'])
    assert.throws(() => readDuration(wrong, 's'), wrong);
  for (const seconds of [0, 1, 59, 300, 5400, 86_400, 3_024_000])
    assert.equal(readDuration(writeDuration(seconds), 'd'), seconds);
});

test('other values are read strictly', () => {
  assert.equal(readInteger('7', 0, 9), 7);
  for (const wrong of ['', '10', '-1', '1.0', '0x1', 'seven'])
    assert.throws(() => readInteger(wrong, 0, 9), wrong);
  assert.equal(readMode('0660'), 0o660);
  assert.throws(() => readMode('0999'));
  assert.equal(readFlag('Yes'), true);
  assert.equal(readFlag('0'), false);
  assert.throws(() => readFlag('maybe'));
});

test('endpoints are HOST:PORT, a bare port or an IPv6 address in brackets', () => {
  assert.deepEqual(parseEndpoint('10023'), { host: '127.0.0.1', port: 10_023 });
  assert.deepEqual(parseEndpoint('localhost:60000'), { host: '127.0.0.1', port: 60_000 });
  assert.deepEqual(parseEndpoint('[::1]:60000'), { host: '::1', port: 60_000 });
  assert.deepEqual(parseEndpoint('mx.example.org:1'), { host: 'mx.example.org', port: 1 });
  for (const wrong of ['', '::1:60000', '127.0.0.1', '1.2.3.4:99999', 'a b:1', '[::1]'])
    assert.equal(parseEndpoint(wrong), undefined, wrong);
});

test('the command line goes before the environment, and that before the file', () => {
  const from = (commandLine: object, environment: Record<string, string>) =>
    resolve(commandLine, environment, file('delay = 1m\n')).values.delay;
  assert.equal(from({ delay: ['3'] }, { GREYCTL_DELAY: '2' }), 3);
  assert.equal(from({}, { GREYCTL_DELAY: '2' }), 2);
  assert.equal(from({}, {}), 60);
  const { origins } = resolve({}, {}, file('\n# a comment\ndelay = 1m # another\n'));
  assert.deepEqual(origins.delay, { from: 'file', file: 'greyctl.conf', line: 3 });
});

test('all problems are told at once, each with where it stands', () => {
  const text =
    'delay = soon\nno-such = 1\nnonsense\nmax-age = 10\nmax-age = 11\nquiet = perhaps\ndaemonize = yes\n';
  const { problems } = resolve({ ipv4cidr: ['99'] }, { GREYCTL_SOCKETMODE: 'rw' }, file(text));
  assert.deepEqual(problems, [
    'greyctl.conf line 3: not a setting: a line is NAME = VALUE',
    'greyctl.conf line 2: there is no setting "no-such"',
    'greyctl.conf line 5: max-age is set twice',
    'greyctl.conf line 7: there is no setting "daemonize"',
    'GREYCTL_SOCKETMODE: "rw" is not a file mode in octal, such as 0660',
    'greyctl.conf line 6: quiet: "perhaps" is not yes or no',
    'greyctl.conf line 1: delay: "soon" is not a duration: a number of seconds, or one with a unit such as 90s, 5m, 36h, 35d',
    '--ipv4cidr: "99" is not a number from 0 to 32',
  ]);
});

test('settings that contradict each other are a problem, unless one of them goes before', () => {
  assert.match(resolve({ db: ['a'], dbdir: ['b'] }, {}).problems[0] ?? '', /give only one/);
  const { values, problems } = resolve({ dbdir: ['b'] }, {}, file('db = a\n'));
  assert.deepEqual([problems, values.db, values.dbdir], [[], undefined, 'b']);
  assert.equal(settingsOf(resolve({ 'lookup-by-host': ['yes'] }, {}).values).clientKey, 'host');
  assert.equal(resolve({ 'lookup-by-host': ['yes'], 'client-key': ['domain'] }, {}).problems.length, 1);
  const bySubnet = resolve({ 'lookup-by-subnet': ['yes'] }, {}, file('client-key = domain\n'));
  assert.deepEqual(
    [bySubnet.values['client-key'], bySubnet.origins['client-key']],
    ['subnet', { from: 'command line', setting: 'lookup-by-subnet' }],
  );
  assert.equal(
    resolve({ 'lookup-by-subnet': ['yes'], 'lookup-by-host': ['yes'] }, {}).values['client-key'],
    'host',
  );
  assert.match(resolve({ delay: ['3d'] }, {}).problems[0] ?? '', /no retry could ever pass/);
});

test('postgrey’s special values mean what they mean there, but for delay 0', () => {
  const { values, problems } = resolve(
    {
      'max-age': ['0'],
      ipv4cidr: ['0'],
      'retry-window': ['4h'],
      'auto-whitelist-clients': ['0'],
      delay: ['0'],
    },
    {},
  );
  assert.deepEqual(problems, []);
  assert.deepEqual(
    [
      values['max-age'],
      values.ipv4cidr,
      values['retry-window'],
      values['auto-whitelist-clients'],
      values.delay,
    ],
    [35 * 86_400, 24, 4 * 3600, 0, 0],
  );
});

test('a repeated setting collects its values, in the file by lines, in the environment by commas', () => {
  assert.deepEqual(resolve({}, {}, file('allow = 192.0.2.0/24\nallow = 2001:db8::/32\n')).values.allow, [
    '192.0.2.0/24',
    '2001:db8::/32',
  ]);
  assert.deepEqual(resolve({}, { GREYCTL_INET: '1, [::1]:2' }).values.inet, ['1', '[::1]:2']);
});

test('a variable that belongs to no setting is said', () => {
  assert.deepEqual(resolve({}, { GREYCTL_DELYA: '1', GREYCTL_OPTS: 'x' }).warnings, [
    'the environment variable GREYCTL_DELYA belongs to no setting',
  ]);
});

test('quotes keep a # and blanks; CRLF and a byte order mark do no harm', () => {
  const { settings } = parseConfigFile('\ufeffgreylist-text = "a # b "  # comment\r\nhostname=mx#1\r\n');
  assert.deepEqual(
    settings.map(({ text }) => text),
    ['a # b ', 'mx#1'],
  );
});

test('every default is written so that it can be read again', () => {
  for (const name of optionNames) {
    const option: Option<unknown> = options[name];
    const [first, ...more] = option.write(option.default);
    if (first !== undefined) assert.deepEqual(option.read([first, ...more]), option.default, name);
  }
});
