import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createStampReader, type StampOptions } from '#src/maillog/timestamps.js';
import { now, utc } from '../../support/maillog.js';

function reader(options: Partial<StampOptions> = {}) {
  return createStampReader({ writtenAt: now, localTime: utc, ...options });
}

/** The times of lines of one file as ISO strings. */
function times(lines: readonly string[], options: Partial<StampOptions> = {}): string[] {
  const stamps = reader(options);
  return lines.map((line) => {
    const at = stamps.read(`${line} mx x: y`, 0);
    assert.equal(`${line} mx x: y`.slice(at), 'mx x: y', line);
    return new Date((stamps.time ?? assert.fail()) * 1000).toISOString().slice(0, 19);
  });
}

const one = (line: string, options: Partial<StampOptions> = {}) => times([line], options)[0];

test('all forms of time stamps are read', () => {
  for (const line of [
    'Nov  1 17:16:10',
    'Nov 1 17:16:10',
    'Nov 01 17:16:10',
    'Nov 01 17:16:10.298222',
    'Nov  1 2026 17:16:10',
    '2026 Nov  1 17:16:10.298',
    '<22>Nov  1 17:16:10',
    '2026-11-01T17:16:10+00:00',
    '2026-11-01T17:16:10.298222+00:00',
    '2026-11-01T18:16:10+0100',
    '2026-11-01T18:16:10+01',
    '2026-11-01T11:46:10,298-05:30',
    '2026-11-01T17:16:10Z',
    '2026-11-01T17:16:10.298Z',
    '2026-11-01 17:16:10',
    '2026-11-01T17:16:10',
    '<22>1 2026-11-01T17:16:10.298222+00:00',
    'Sun 2026-11-01 17:16:10 UTC',
    'Sun 2026-11-01 17:16:10 CET',
    '1793553370.298222',
  ])
    assert.equal(one(line), '2026-11-01T17:16:10', line);
  assert.equal(one('2026-12-31T23:59:60Z', { writtenAt: now + 1e8 }), '2026-12-31T23:59:59');
});

test('what only resembles a time stamp is none', () => {
  for (const line of [
    '',
    'Nov',
    'Nov 21',
    'Nov 32 17:16:10 mx',
    'Nov 21 24:16:10 mx',
    'Nov 21 17:60:10 mx',
    'Nov 21 17:16:10x mx',
    'Nov21 17:16:10 mx',
    'Foo 21 17:16:10 mx',
    'Jun 31 17:16:10 mx',
    '2026-13-01T17:16:10Z mx',
    '2026-11-01T17:16:10.Z mx',
    '2026-11-01T17:16:10+x mx',
    '2026-11-01X17:16:10Z mx',
    '1969-11-01T17:16:10Z mx',
    '<>Nov 21 17:16:10 mx',
    '<1234>Nov 21 17:16:10 mx',
    '-- Boot 2f0a --',
    '[12345.678901] mx',
    'action=pass, reason=new',
    '12345678901234567890',
  ])
    assert.equal(reader().read(line, 0), -1, line);
});

test('one file may mix the forms, and lines of the same second may differ in fraction and zone', () => {
  const lines = [
    'Nov 21 10:00:00',
    '2026-11-21T10:00:00.123+00:00',
    '2026-11-21T10:00:00.123456+00:00',
    '2026-11-21T10:00:00.123456+01:00',
    '2026-11-21T10:00:00Z',
    'Nov 21 10:00:00.5',
    'Nov 21 10:00:00',
    '<22>1 2026-11-21T10:00:00Z',
    '<21>1 2026-11-21T10:00:00Z',
  ];
  const ten = '2026-11-21T10:00:00';
  assert.deepEqual(times(lines), [ten, ten, ten, '2026-11-21T09:00:00', ten, ten, ten, ten, ten]);
});

test('a year that is missing is the latest that is not after the date of the file', () => {
  assert.equal(one('Nov 21 23:00:00'), '2026-11-21T23:00:00');
  assert.equal(one('Nov 22 20:00:00'), '2026-11-22T20:00:00', 'some hours after: clocks and zones differ');
  assert.equal(one('Nov 24 10:00:00'), '2025-11-24T10:00:00');
  assert.equal(one('Dec 31 10:00:00'), '2025-12-31T10:00:00');
  assert.equal(one('Jan  1 10:00:00'), '2026-01-01T10:00:00');
  assert.equal(one('Feb 29 10:00:00'), '2024-02-29T10:00:00');
  assert.equal(one('Dec 31 23:59:00', { writtenAt: utc(2027, 0, 1, 1) }), '2026-12-31T23:59:00');
  assert.equal(one('Jan  1 00:30:00', { writtenAt: utc(2026, 11, 31, 23) }), '2027-01-01T00:30:00');
});

test('within a file the year turns with December, also when lines are swapped', () => {
  const lines = [
    'Dec 30 10:00:00',
    'Dec 31 23:59:59',
    'Jan  1 00:00:00',
    'Dec 31 23:59:59',
    'Jan  1 00:00:01',
  ];
  const expected = [
    '2025-12-30T10:00:00',
    '2025-12-31T23:59:59',
    '2026-01-01T00:00:00',
    '2025-12-31T23:59:59',
    '2026-01-01T00:00:01',
  ];
  assert.deepEqual(times(lines), expected);
  assert.deepEqual(
    times(['Feb 28 10:00:00', 'Feb 29 10:00:00', 'Mar  1 10:00:00'], { writtenAt: utc(2025, 0, 1, 0) }),
    ['2024-02-28T10:00:00', '2024-02-29T10:00:00', '2024-03-01T10:00:00'],
  );
});

test('the first line may be given another year, and takes the others with it', () => {
  const stamps = reader();
  const years = (lines: readonly string[]) =>
    lines.map((line) => {
      stamps.read(line, 0);
      return new Date((stamps.time ?? assert.fail()) * 1000).getUTCFullYear();
    });
  assert.equal(stamps.firstYear(), undefined);
  assert.deepEqual(years(['Dec 31 10:00:00']), [2025]);
  assert.equal(stamps.firstYear(), 2025);
  stamps.shiftYears(10);
  assert.deepEqual(years(['Dec 31 10:00:00', 'Dec 31 10:00:00', 'Jan  1 10:00:00']), [2035, 2035, 2036]);
  assert.deepEqual(years(['2019-12-31T10:00:00Z', 'Jan  2 10:00:00']), [2019, 2020]);
  assert.equal(stamps.firstYear(), 2035);
  assert.equal(stamps.yearWithoutLeapDay(), undefined);
  assert.deepEqual(years(['2019-01-31T10:00:00Z', 'Feb 29 10:00:00']), [2019, 2019]);
  assert.equal(stamps.yearWithoutLeapDay(), 2019);
});

test('files joined in the wrong order step back within the same year', () => {
  assert.deepEqual(times(['Nov 10 10:00:00', 'Oct 28 10:00:00', 'Nov 11 10:00:00']), [
    '2026-11-10T10:00:00',
    '2026-10-28T10:00:00',
    '2026-11-11T10:00:00',
  ]);
});

test('in the hour that clocks repeat, a step back is the second pass', () => {
  // Central Europe: on 25 October 2026 at 01:00 UTC local time goes from 03:00 back to 02:00.
  const berlin = (year: number, month: number, day: number, hour: number) => {
    const wall = Date.UTC(year, month, day, hour) / 1000;
    return wall - (wall < Date.UTC(2026, 9, 25, 3) / 1000 ? 7200 : 3600);
  };
  const lines = [
    'Oct 25 01:59:59',
    'Oct 25 02:00:00',
    'Oct 25 02:59:59',
    'Oct 25 02:59:58',
    'Oct 25 02:00:00',
    'Oct 25 02:30:00',
    'Oct 25 03:00:00',
  ];
  assert.deepEqual(times(lines, { localTime: berlin }), [
    '2026-10-24T23:59:59',
    '2026-10-25T00:00:00',
    '2026-10-25T00:59:59',
    '2026-10-25T00:59:58',
    '2026-10-25T01:00:00',
    '2026-10-25T01:30:00',
    '2026-10-25T02:00:00',
  ]);
});

test('a stamp is found within a larger text, and does not reach into the next line', () => {
  const stamps = reader();
  const text = 'junk\nNov 21 10:00:00 mx\nNov 21\n10:00:00 mx\n';
  assert.equal(stamps.read(text, 5), 21);
  assert.equal(stamps.read(text, 24), -1);
});

test('the lines of a growing file may be any time after the date it had when it was opened', () => {
  const writtenAt = Date.UTC(2026, 11, 29) / 1000;
  const lines = ['Dec 29 00:00:00', 'Dec 31 23:59:59', 'Jan  1 00:00:00', 'Jan  3 00:00:00'];
  assert.deepEqual(times(lines, { writtenAt, isGrowing: true }), [
    '2026-12-29T00:00:00',
    '2026-12-31T23:59:59',
    '2027-01-01T00:00:00',
    '2027-01-03T00:00:00',
  ]);
});

test('the stamp of the next line is not that of a short one before it', () => {
  for (const short of ['ORG', 'Sat', '', 'Nov', 'Nov  1', 'Nov  1 17:16:10\r', '<22>', '2026', '17957'])
    for (const next of [
      '2026-11-01T17:16:10.5+00:00',
      '2026-11-01 17:16:10',
      'Nov  1 17:16:10',
      '1793553370.5',
    ]) {
      const at = reader().read(`${short}\n${next} mx x: y`, 0);
      assert.ok(at < 0 || at <= short.length + 1, `${short} before ${next}: ${at}`);
    }
});
