import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCursor } from '#src/maillog/cursor.js';
import { createJoiner } from '#src/maillog/join.js';
import { mergeLines, findStart } from '#src/maillog/merge.js';
import { now, utc } from '../../support/maillog.js';
import { random } from '../../support/random.js';

const good = [
  'Nov 21 10:00:00 mx postfix/smtpd[501]: connect from mx.s.example[192.0.2.1]',
  'Nov 21 10:00:00 mx postfix/smtpd[501]: NOQUEUE: reject: RCPT from mx.s.example[192.0.2.1]:4711: 450 4.2.0 <b@r.example>: Recipient address rejected: Greylisted; from=<"a b"@s.example> to=<b@r.example> proto=ESMTP helo=<h> sasl_method=x',
  '2026-11-21T10:00:01.123456+01:00 mx postgrey[251]: C0FFEE00123: action=pass, reason=triplet found, delay=33, client_name=mx.s.example, client_address=192.0.2.1/32, sender=a@s.example, recipient=b@r.example',
  '<22>1 2026-11-21T10:00:02Z mx postfix/smtpd 501 - -  C0FFEE00123: client=mx.s.example[2001:db8::1], orig_client=x[192.0.2.2]',
  'Nov 21 10:00:03 mx postfix/smtpd[501]: NOQUEUE: client=mx.s.example[192.0.2.1]',
  'Nov 21 10:00:03 mx postfix/smtpd[501]: proxy-accept: END-OF-MESSAGE: 250 Ok: queued as C0FFEE00123; from=<a@s.example> proto=ESMTP helo=<h>',
  'Nov 21 10:00:03 mx postfix/qmgr[454]: C0FFEE00123: from=<a@s.example>, size=1, nrcpt=2 (queue active)',
  'Nov 21 10:00:04 mx postfix/lmtp[570]: C0FFEE00123: to=<m@r.example>, orig_to=<b@r.example>, relay=h[192.0.2.9]:24, delay=1, dsn=2.0.0, status=sent (ok)',
  'Nov 21 10:00:04 mx postfix/qmgr[454]: C0FFEE00123: removed',
  'Nov 21 10:00:05 mx postfix/cleanup[9]: C0FFEE00123: milter-reject: END-OF-MESSAGE from mx.s.example[192.0.2.1]: 4.7.1 Try again later; from=<a@s.example> to=<b@r.example> proto=ESMTP helo=<h>',
  'Nov 21 10:00:06 mx postfix/postscreen[9]: NOQUEUE: reject: RCPT from [192.0.2.1]:9: 450 4.3.2 Service currently unavailable; from=<a@s.example>, to=<b@r.example>, proto=ESMTP, helo=<h>',
  'Nov 21 10:00:07 mx postfix/smtpd[501]: message repeated 3 times: [ NOQUEUE: reject: RCPT from x[192.0.2.1]: 450 4.2.0 Greylisted; from=<> to=<b@r.example> proto=SMTP]',
  'Nov 21 10:00:07 mx last message repeated 2 times',
  'Nov 21 10:00:08 mx docker-compose[1]: mail-1  | Oct 13 18:20:57 mail postfix/pickup[9]: C0FFEE00124: uid=0 from=<root>',
  '{"__REALTIME_TIMESTAMP":"1795253770123456","SYSLOG_IDENTIFIER":"postfix/bounce","_PID":"9","MESSAGE":"A: sender non-delivery notification: C0FFEE00125"}',
  'action=greylist, reason=new, client_name=n, client_address=192.0.2.1, recipient=b@r.example',
] as const;

/** Thousands of lines; FUZZ_INPUTS=n for so many lines. */
const runs = Math.ceil(Number(process.env['FUZZ_INPUTS'] ?? 20_000) / 1000);

test('no bytes at all, and no damage to good lines, make reading fail', async () => {
  const { seed, pick, oneOf, next } = random();
  const damaged = (): string => {
    let line: string = oneOf(good);
    for (let times = pick(4); times > 0; times -= 1) {
      const at = pick(line.length + 1);
      const kinds = [
        () => line.slice(0, at) + line.slice(at + pick(20)),
        () => line.slice(0, at) + String.fromCharCode(pick(256)) + line.slice(at + 1),
        () =>
          line.slice(0, at) +
          oneOf(['; from=<', '"', '\\', '[', ']: ', '<', '>', ', ', ' ', '\0', '=', '99999999999']) +
          line.slice(at),
        () => line.slice(0, at) + oneOf(good).slice(pick(100)),
        () => line.slice(at),
      ] as const;
      line = oneOf(kinds)();
    }
    return line;
  };
  let lines = 0;
  for (let run = 0; run < runs; run += 1) {
    const text = Array.from({ length: 1000 }, () => damaged() + (next() < 0.95 ? '\n' : '\r\n')).join('');
    const bytes = Buffer.from(text, 'latin1');
    const joiner = createJoiner({
      windowSeconds: pick(100),
      horizonSeconds: 1 + pick(1000),
      mostHeld: pick(50),
    });
    const source = {
      name: 'damaged',
      modifiedAt: now,
      async *blocks() {
        for (let at = 0; at < bytes.length; at += 4096)
          yield await Promise.resolve(bytes.subarray(at, at + 4096));
      },
    };
    const cursor = createCursor({ ...source, blocks: source.blocks() }, { localTime: utc }, now);
    const sink = {
      push: joiner.push,
      pushUnstamped: joiner.pushUnstamped,
      passed: joiner.pass,
      duplicate: () => undefined,
      from: () => undefined,
      failed: (_: unknown, error: unknown) => {
        throw error;
      },
    };
    try {
      await findStart(cursor, sink);
      const steps = mergeLines([cursor], sink);
      while (!(await steps.next()).done) joiner.take();
      joiner.finish();
    } catch (error) {
      assert.fail(
        `seed ${seed}, run ${run}: ${error instanceof Error ? (error.stack ?? '') : String(error)}`,
      );
    }
    lines += joiner.counts.lines;
    for (const { attempt, logged } of joiner.take()) {
      assert.ok(logged.length > 0 && Number.isSafeInteger(attempt.time), `seed ${seed}`);
    }
  }
  assert.ok(lines >= runs * 950, `seed ${seed}: ${lines}`);
});
