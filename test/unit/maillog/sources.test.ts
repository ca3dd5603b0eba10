import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { Failure } from '#src/greylist/failure.js';
import type { ReadOptions } from '#src/maillog/read.js';
import { problemOf } from '#src/maillog/sources.js';
import { now, readAll, told } from '../../support/maillog.js';

const folder = mkdtempSync(path.join(tmpdir(), 'greyctl-maillog-'));
after(() => {
  rmSync(folder, { recursive: true });
});

/** A refusal of client number `index` on 21 November, that many seconds after 10:00. */
function line(index: number, host = 'mx'): string {
  const time = new Date(Date.UTC(2026, 10, 21, 10) + index * 1000).toISOString().slice(0, 19);
  return `${time}Z ${host} postfix/smtpd[1]: NOQUEUE: reject: RCPT from c${index}[192.0.2.${index % 256}]: 450 4.2.0 <b@r.example>: Recipient address rejected: Greylisted; from=<a@s.example> to=<b@r.example> proto=ESMTP helo=<h>\n`;
}

const lines = (from: number, to: number, host?: string) =>
  Array.from({ length: to - from }, (_, index) => line(from + index, host)).join('');

function file(name: string, content: string | Buffer, modifiedAt = now): string {
  const target = path.join(folder, name);
  writeFileSync(target, content);
  utimesSync(target, modifiedAt, modifiedAt);
  return target;
}

/** The numbers of the clients, in the order of their attempts. */
async function clients(names: readonly string[], stdin?: AsyncIterable<Buffer>) {
  const { attempts, counts, problems } = await readAll(names, { stdin });
  return { numbers: attempts.map(({ attempt }) => Number(attempt.clientName.slice(1))), counts, problems };
}

const upTo = (end: number, from = 0) => Array.from({ length: end - from }, (_, index) => from + index);

async function* blocksOf(content: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < content.length; at += size)
    yield await Promise.resolve(content.subarray(at, at + size));
}

test('a rotation set in any order is read in time order, packed or not, by content and not by name', async () => {
  const names = [
    file('mail.log', lines(20, 30)),
    file('mail.log.1', lines(10, 20)),
    file('mail.log.2.gz', gzipSync(lines(5, 10))),
    file('mail.log.3', gzipSync(lines(0, 5))),
  ];
  for (const order of [names, names.toReversed(), [2, 0, 3, 1].map((index) => names[index] ?? '')]) {
    const { numbers, counts, problems } = await clients(order);
    assert.deepEqual(numbers, upTo(30));
    assert.deepEqual(problems, []);
    assert.equal(counts.lines, 30);
    assert.equal(counts.bytes, Buffer.byteLength(lines(0, 30)));
  }
});

test('a rotation set without years is ordered across the turn of the year', async () => {
  const traditional = (stamp: string, index: number) => line(index).replace(/^\S+/, stamp);
  const january = Date.UTC(2026, 0, 3) / 1000;
  const names = [
    file('turn.log', traditional('Jan  2 10:00:00', 3), january),
    file(
      'turn.log.1',
      traditional('Dec 31 10:00:00', 1) + traditional('Jan  1 10:00:00', 2),
      january - 86_400,
    ),
    file('turn.log.2', traditional('Dec 24 10:00:00', 0), january - 7 * 86_400),
  ];
  const { attempts } = await readAll(names);
  assert.deepEqual(
    attempts.map(({ attempt }) => new Date(attempt.time * 1000).toISOString().slice(0, 10)),
    ['2025-12-24', '2025-12-31', '2026-01-01', '2026-01-02'],
  );
});

/** The days of attempts in a set of logs. */
async function daysOf(logs: readonly (readonly string[])[], options: Partial<ReadOptions>) {
  const names = logs.map((stamps, index) =>
    file(
      `set.${index}`,
      stamps.map((stamp) => line(index).replace(/^\S+/, stamp)).join(''),
      now - index * 86_400,
    ),
  );
  const { attempts, problems } = await readAll(names, options);
  const days = attempts.map(({ attempt }) => new Date(attempt.time * 1000).toISOString().slice(0, 10));
  return { days, problems };
}

test('a year that is given is that of the first line of all files', async () => {
  const turn = [
    ['Jan  2 10:00:00'],
    ['Dec 30 10:00:00', 'Dec 31 10:00:00', 'Jan  1 10:00:00'],
    ['2019-12-01T10:00:00Z'],
  ];
  for (const logs of [turn, turn.toReversed()]) {
    assert.deepEqual((await daysOf(logs, { year: 2021 })).days, [
      '2019-12-01',
      '2021-12-30',
      '2021-12-31',
      '2022-01-01',
      '2022-01-02',
    ]);
  }
  assert.deepEqual((await daysOf([['Nov 21 10:00:00', 'Nov 22 10:00:00']], { year: 2031 })).days, [
    '2031-11-21',
    '2031-11-22',
  ]);
});

test('with a year the dates of copied files mislead nobody', async () => {
  const logs = [
    ['Dec  5 10:00:00', 'Dec  8 10:00:00'],
    ['Nov  1 10:00:00', 'Nov 15 10:00:00'],
  ];
  assert.deepEqual((await daysOf(logs, { year: 2024 })).days, [
    ...['2024-11-01', '2024-11-15', '2024-12-05', '2024-12-08'],
  ]);
  const mixed = [['2026-11-20T10:00:00Z', 'Dec 10 10:00:00']];
  assert.deepEqual((await daysOf(mixed, { year: 2026 })).days, ['2026-11-20', '2026-12-10']);
});

test('a day that the year does not have is told', async () => {
  const stamps = ['Feb 28 10:00:00', 'Feb 29 10:00:00', 'Mar  1 10:00:00'];
  const { days, problems } = await daysOf([stamps], {});
  assert.deepEqual(days, ['2026-02-28', '2026-03-01', '2026-03-01']);
  assert.deepEqual(problems, [
    {
      source: path.join(folder, 'set.0'),
      message:
        'holds lines of February 29, which 2026 does not have; give the year of the first line with --year',
    },
  ]);
  const given = await daysOf([stamps], { year: 2024 });
  assert.deepEqual(given, { days: ['2024-02-28', '2024-02-29', '2024-03-01'], problems: [] });
});

test('files of the same period are merged by time', async () => {
  const even = upTo(40).filter((index) => index % 2 === 0);
  const odd = upTo(30).filter((index) => index % 2 === 1);
  const names = [
    file('even.log', even.map((index) => line(index, 'mx1')).join('')),
    file('odd.log', odd.map((index) => line(index, 'mx2')).join('')),
    file('late.log', lines(40, 45)),
  ];
  const { numbers, counts } = await clients(names);
  assert.deepEqual(numbers, [...even, ...odd].sort((a, b) => a - b).concat(upTo(45, 40)));
  assert.equal(counts.duplicateLines, 0);
});

test('lines that two files hold are read once', async () => {
  const all = file('mail.log.all', lines(0, 20) + line(19));
  const { numbers, counts } = await clients([
    all,
    file('mail.warn', lines(7, 9) + lines(15, 20)),
    file('copy.gz', gzipSync(lines(0, 10))),
  ]);
  assert.deepEqual(numbers, [...upTo(20), 19], 'twice in one file is twice');
  assert.equal(counts.duplicateLines, 17);
});

test('members of gzip in a row are one file', async () => {
  const packed = Buffer.concat([
    gzipSync(lines(0, 5)),
    gzipSync(lines(5, 9).slice(0, 333)),
    gzipSync(lines(5, 9).slice(333)),
  ]);
  const { numbers, problems } = await clients([file('members.gz', packed)]);
  assert.deepEqual(numbers, upTo(9));
  assert.deepEqual(problems, []);
});

test('standard input may be packed, and come byte by byte', async () => {
  const { numbers } = await clients(['-'], blocksOf(Buffer.from(lines(0, 9)), 7));
  assert.deepEqual(numbers, upTo(9));
  for (const size of [1, 5, 1000]) {
    const packed = await clients(
      ['-', file('after.log', lines(9, 12))],
      blocksOf(gzipSync(lines(0, 9)), size),
    );
    assert.deepEqual(packed.numbers, upTo(12));
    assert.deepEqual(packed.problems, []);
  }
});

test('of a truncated or damaged gzip file all that can be unpacked is read, and the problem is told', async () => {
  // Without repetition nothing is packed into a few last bytes.
  const content = Array.from({ length: 5000 }, (_, index) =>
    line(index).replace('a@s', `${(index * 7919) % 5003}@s`),
  ).join('');
  const packed = gzipSync(content);
  const truncated = await clients([
    file('cut.gz', packed.subarray(0, packed.length >> 1)),
    file('next.log', lines(6000, 6003)),
  ]);
  assert.ok(
    truncated.numbers.length > 2000 && truncated.numbers.length < 4000,
    String(truncated.numbers.length),
  );
  assert.deepEqual(truncated.numbers.slice(-3), [6000, 6001, 6002]);
  assert.deepEqual(truncated.problems, [
    { source: path.join(folder, 'cut.gz'), message: 'the gzip data ends too early' },
  ]);

  const damaged = Buffer.from(packed);
  damaged.fill(0xff, packed.length >> 1, (packed.length >> 1) + 100);
  const { numbers, problems } = await clients([file('damaged.gz', damaged)]);
  assert.ok(numbers.length > 1000, String(numbers.length));
  assert.match(problems[0]?.message ?? '', /^the gzip data is damaged: /);
  assert.equal(problems.length, 1);

  const header = await clients([file('header.gz', packed.subarray(0, 7))]);
  assert.equal(header.problems[0]?.message, 'the gzip data ends too early');
});

test('all of a gzip file is read whatever follows it', async () => {
  const packed = gzipSync(lines(0, 9));
  const zeros = Buffer.alloc(40_000);
  const junk = Buffer.from('other data');
  for (const [tail, message] of [
    [zeros, undefined],
    [junk, 'other data follows the gzip data'],
    [Buffer.concat([zeros, junk]), 'other data follows the gzip data'],
    [packed.subarray(0, 5), 'the gzip data ends too early'],
  ] as const) {
    const whole = Buffer.concat([packed, tail]);
    const name = file('tail.gz', whole);
    const expected = message === undefined ? [] : [message];
    for (const [names, stdin] of [
      [[name], undefined],
      [['-'], blocksOf(whole, 7)],
      [['-'], blocksOf(whole, packed.length)],
    ] as const) {
      const { numbers, problems } = await clients(names, stdin);
      assert.deepEqual(numbers, upTo(9));
      assert.deepEqual(
        problems.map((problem) => problem.message),
        expected,
      );
    }
  }
});

test('all of a gzip file is read although its sum is wrong, or missing', async () => {
  const packed = gzipSync(lines(0, 9));
  const wrong = Buffer.from(packed);
  wrong.fill(0x55, packed.length - 8, packed.length - 4);
  for (const [content, message] of [
    [wrong, 'the gzip data is damaged: incorrect data check'],
    [packed.subarray(0, -8), 'the gzip data ends too early'],
    [packed.subarray(0, -3), 'the gzip data ends too early'],
  ] as const) {
    const { numbers, problems } = await clients([file('sum.gz', content)]);
    assert.deepEqual(numbers, upTo(9));
    assert.deepEqual(
      problems.map((problem) => problem.message),
      [message],
    );
  }
});

test('the header of a gzip file may hold names, comments and more', async () => {
  const packed = gzipSync(lines(0, 9));
  const header = Buffer.from(packed.subarray(0, 10));
  header[3] = 2 + 4 + 8 + 16;
  const extra = Buffer.concat([Buffer.from([0x20, 0x4e]), Buffer.alloc(20_000, 7)]);
  const whole = Buffer.concat([
    header,
    extra,
    Buffer.from('mail.log\0a comment\0'),
    Buffer.alloc(2),
    packed.subarray(10),
  ]);
  for (const size of [1, 9, 12, 20_030, whole.length]) {
    const { numbers, problems } = await clients(['-'], blocksOf(whole, size));
    assert.deepEqual(numbers, upTo(9));
    assert.deepEqual(problems, []);
  }
});

test('sources that are no logs are told by name, and the others are read all the same', async () => {
  mkdirSync(path.join(folder, 'directory'));
  const random = Buffer.from(Array.from({ length: 100_000 }, (_, index) => (index * index * 31) % 256));
  const names = [
    path.join(folder, 'missing.log'),
    path.join(folder, 'directory'),
    file('program', random),
    file('nuls', Buffer.alloc(300_000)),
    file('letter.txt', 'Dear Sir,\nthis is no log.\n'),
    file('packed.xz', Buffer.from('fd377a585a000004', 'hex')),
    file('empty.log', ''),
    file('good.log', lines(0, 3)),
    '-',
  ];
  const { numbers, counts, problems } = await clients(names);
  assert.deepEqual(numbers, [0, 1, 2]);
  assert.deepEqual(problems.map(({ source, message }) => [path.basename(source), message]).sort(), [
    ['-', 'there is no standard input'],
    ['directory', 'is a directory'],
    ['letter.txt', 'holds no line with a time stamp'],
    ['missing.log', 'no such file or directory'],
    ['nuls', 'is a binary file, not a mail log'],
    ['packed.xz', 'is compressed; unpack it with xz first'],
    ['program', 'is a binary file, not a mail log'],
  ]);
  assert.ok(counts.skippedLines > 2);
});

test('journalctl -o json is read, with text as string or bytes', async () => {
  const entry = (fields: object) =>
    `${JSON.stringify({ __REALTIME_TIMESTAMP: '1795253770123456', SYSLOG_IDENTIFIER: 'postfix/smtpd', _PID: '501', ...fields })}\n`;
  const text = (name: string) =>
    `NOQUEUE: reject: RCPT from c1[192.0.2.1]: 450 4.2.0 <b@r.example>: Recipient address rejected: Greylisted; from=<${name}@s.example> to=<b@r.example> proto=ESMTP helo=<h>`;
  const content = [
    entry({ MESSAGE: text('jos\u00e9') }),
    entry({ MESSAGE: [...Buffer.from(text('jos\u00e9'))] }),
    entry({ MESSAGE: null }),
    entry({
      MESSAGE: 'action=pass, reason=new, client_name=n, client_address=192.0.2.2, recipient=b@r.example',
      SYSLOG_IDENTIFIER: 'postgrey',
    }),
    '{"broken\n',
    '{}\n',
  ].join('');
  const { attempts, counts } = await readAll([file('journal.json', content)]);
  assert.deepEqual(attempts.map(told), [
    'c1[192.0.2.1] <jos\u00e9@s.example> <b@r.example> greylisted by smtpd',
    'c1[192.0.2.1] <jos\u00e9@s.example> <b@r.example> greylisted by smtpd',
    'n[192.0.2.2] <> <b@r.example> accepted by policy (new)',
  ]);
  assert.equal(attempts[0]?.attempt.time, 1_795_253_770);
  assert.equal(counts.skippedLines, 3);
});

test('of a field that a journal holds several times the first is read; what has no tag has a command', async () => {
  const text =
    'NOQUEUE: reject: RCPT from c1[192.0.2.1]: 450 4.2.0 <b@r.example>: Recipient address rejected: Greylisted; from=<a@s.example> to=<b@r.example> proto=ESMTP helo=<h>';
  const fields = {
    __REALTIME_TIMESTAMP: '1795253770123456',
    SYSLOG_IDENTIFIER: 'postfix/smtpd',
    _PID: '501',
    MESSAGE: text,
  };
  const entries = [
    { ...fields, MESSAGE: [text, 'other'] },
    { ...fields, MESSAGE: [[...Buffer.from(text)], 'other'] },
    { ...fields, __REALTIME_TIMESTAMP: ['1795253770123456', '1'] },
    { ...fields, SYSLOG_IDENTIFIER: ['postfix/smtpd', 'x'], SYSLOG_PID: ['501', '502'] },
    { ...fields, SYSLOG_IDENTIFIER: null, _COMM: 'smtpd' },
  ];
  const content = entries.map((entry) => `${JSON.stringify(entry)}\n`).join('');
  const { attempts, counts } = await readAll([file('fields.json', content)]);
  assert.equal(attempts.length, entries.length);
  assert.equal(counts.skippedLines, 0);
});

test('a byte order mark at the start of a file is no part of its first line', async () => {
  const content = `\ufeff${lines(0, 3)}`;
  for (const packed of [content, gzipSync(content)]) {
    const { numbers, counts } = await clients([file('marked.log', packed)]);
    assert.deepEqual(numbers, [0, 1, 2]);
    assert.equal(counts.skippedLines, 0);
  }
  assert.deepEqual((await clients(['-'], blocksOf(Buffer.from(content), 7))).numbers, [0, 1, 2]);
});

test('what docker compose puts before a line is passed over', async () => {
  const bare =
    'action=greylist, reason=new, client_name=c7, client_address=192.0.2.7, sender=a@s.example, recipient=b@r.example\n';
  const content = `mail-1  | ${line(5)}mail-1  | ${bare}web-1 | GET / | 200\nmail-1  | ${line(9).replace(' mx ', ' Nov 21 10:00:09 mx ')}`;
  const { numbers, counts } = await clients([file('compose.log', content)]);
  assert.deepEqual(numbers, [5, 7, 9]);
  assert.equal(counts.skippedLines, 1);
});

test("policy servers' lines without a header have the time of the line before", async () => {
  const bare =
    'action=greylist, reason=new, client_name=c7, client_address=192.0.2.7, sender=a@s.example, recipient=b@r.example\n';
  const { attempts, counts } = await readAll([
    file('bare.log', `${bare}${line(5)}${bare}some junk\n\n${line(9)}`),
  ]);
  assert.deepEqual(
    attempts.map(({ attempt }) => attempt.clientName),
    ['c5', 'c7', 'c9'],
  );
  assert.equal(attempts[1]?.attempt.time, attempts[0]?.attempt.time);
  assert.equal(counts.skippedLines, 2);
});

test('CRLF, NUL bytes and a last line without an end do no harm', async () => {
  const content = `${line(0).trimEnd()}\r\n${'\0'.repeat(300_000)}${line(1)}${line(2).trimEnd()}`;
  const { numbers, counts } = await clients([file('crlf.log', content)]);
  assert.deepEqual(numbers, [0, 1, 2]);
  assert.equal(counts.cutBytes, 0);
});

test('connections and Message-IDs are lines without meaning, but end what is repeated', async () => {
  const stamp = line(3).slice(0, 20);
  const noise = `${stamp} mx postfix/smtpd[1]: connect from x[192.0.2.1]\n`;
  const again = `${stamp} mx last message repeated 5 times\n`;
  const { numbers, counts } = await clients([
    file('noise.log', `${noise}${line(3)}${noise}${again}${noise}`),
  ]);
  assert.deepEqual(numbers, [3]);
  assert.equal(counts.lines, 5);
  assert.equal(counts.lastTime, Date.UTC(2026, 10, 21, 10, 0, 3) / 1000);
});

test('of a log that may not be read it is told that it is a matter of leave', () => {
  const denied = Object.assign(new Error('EACCES: open'), { code: 'EACCES' });
  const wrapped = new Failure('permission denied', { cause: denied });
  for (const error of [denied, wrapped])
    assert.deepEqual(problemOf('mail.log', error), {
      source: 'mail.log',
      message: 'permission denied',
      remedy: 'permission',
    });
  assert.equal(problemOf('mail.log', new Failure('is a directory')).remedy, undefined);
});

test('what is repeated is the last line of the same file', async () => {
  const again = (index: number, times: number) =>
    `${line(index).slice(0, 20)} mx last message repeated ${times} times\n`;
  const one = file('one.log', line(0) + again(10, 2) + line(20));
  const other = file('other.log', line(1) + line(7) + line(30) + again(31, 1));
  const { numbers, counts } = await clients([one, other]);
  assert.deepEqual(numbers, [0, 1, 7, 0, 0, 20, 30, 30]);
  assert.equal(counts.repeatedLines, 3);

  // A log that is cut into files goes on where it ended.
  const cut = [file('cut.0', line(0)), file('cut.1', again(1, 1) + line(2)), file('cut.2', again(5, 2))];
  assert.deepEqual((await clients(cut.toReversed())).numbers, [0, 0, 2, 2, 2]);

  // A file that holds a part of another's lines is repeated at other places: what the whole one holds is not counted again.
  const whole = file('whole.log', line(0) + line(0) + line(1) + line(0) + line(2));
  const part = file('part.log', line(0) + line(0) + again(1, 1) + line(2));
  const both = await clients([whole, part]);
  assert.deepEqual(both.numbers, [0, 0, 0, 1, 2]);
});
