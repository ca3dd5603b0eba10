import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFile, copyFile, mkdir, open, rename, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { test, type TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import { followFile } from '#src/maillog/follow.js';
import { readAttempts } from '#src/maillog/read.js';
import { eventually, within } from '../../support/deadline.js';
import { now, utc } from '../../support/maillog.js';
import { temporaryFolder } from '../../support/temporary.js';

/** Follows `name` in the background; the test ends it. */
function following(t: TestContext, name: string) {
  const stopping = new AbortController();
  let looks = 0;
  const blocks: Buffer[] = [];
  const text = () => Buffer.concat(blocks).toString();
  const read = async () => {
    const source = followFile(name, stopping.signal, () => {
      looks += 1;
    });
    for await (const block of source) blocks.push(Buffer.from(block));
  };
  const ended = read();
  // A failure is reported by what waits for the text.
  ended.catch(() => undefined);
  t.after(() => {
    stopping.abort();
  });
  return {
    text,
    caughtUp: () => eventually(() => (looks > 0 ? true : undefined), 'end of what was there'),
    /** Waits until the file and its name have been looked at again. */
    looks: () => {
      const before = looks;
      return eventually(() => (looks > before + 1 ? true : undefined), 'another look');
    },
    holds: (wanted: string) =>
      eventually(() => (text() === wanted ? true : undefined), 'text as it was written').catch(
        (error: unknown) => {
          const at = Array.from(wanted).findIndex((character, index) => character !== text()[index]);
          assert.equal(text().slice(at, at + 200), wanted.slice(at, at + 200));
          throw error;
        },
      ),
    stop: async () => {
      stopping.abort();
      await within(ended, 'end of following');
    },
    ended,
  };
}

async function logFile(t: TestContext, content = ''): Promise<string> {
  const name = path.join(await temporaryFolder(t), 'mail.log');
  await writeFile(name, content);
  return name;
}

test('what is there comes first, then what is appended', async (t) => {
  const name = await logFile(t, 'one\n');
  const log = following(t, name);
  await log.holds('one\n');
  await log.caughtUp();
  await appendFile(name, 'two\n');
  await log.holds('one\ntwo\n');
  await appendFile(name, 'thr');
  await log.holds('one\ntwo\nthr');
  await appendFile(name, 'ee\n');
  await log.holds('one\ntwo\nthree\n');
});

test('bytes come as they are, whatever their encoding and wherever a write ends', async (t) => {
  const name = await logFile(t);
  const log = following(t, name);
  await log.caughtUp();
  const bytes = Buffer.from('grün €\r\n');
  await appendFile(name, bytes.subarray(0, 3));
  await eventually(() => (log.text().length >= 3 ? true : undefined), 'first half');
  await appendFile(name, bytes.subarray(3));
  await log.holds('grün €\r\n');
});

test('the rest of a renamed file is read before the new one', async (t) => {
  const name = await logFile(t, 'one\n');
  const log = following(t, name);
  await log.caughtUp();
  const old = await open(name, 'a');
  await rename(name, `${name}.1`);
  await old.write('two\n');
  await log.holds('one\ntwo\n');
  await writeFile(name, '');
  await old.write('three\n');
  await log.holds('one\ntwo\nthree\n');
  await old.write('four\n');
  await appendFile(name, 'five\n');
  await old.close();
  await log.holds('one\ntwo\nthree\nfour\nfive\n');
  await appendFile(name, 'six\n');
  await log.holds('one\ntwo\nthree\nfour\nfive\nsix\n');
});

test('a file that is copied and cut short goes on from its start', async (t) => {
  const name = await logFile(t, 'one\ntwo\nthree\n');
  const log = following(t, name);
  await log.holds('one\ntwo\nthree\n');
  await log.caughtUp();
  await copyFile(name, `${name}.1`);
  await truncate(name);
  await appendFile(name, 'four\n');
  await log.holds('one\ntwo\nthree\nfour\n');
  await appendFile(name, 'five\n');
  await log.holds('one\ntwo\nthree\nfour\nfive\n');
});

test('half a line ends where its file is cut short or left for another', async (t) => {
  const name = await logFile(t, 'one\ntw');
  const log = following(t, name);
  await log.holds('one\ntw');
  await log.caughtUp();
  await truncate(name);
  await appendFile(name, '3\n');
  await log.holds('one\ntw\n3\n');
  await appendFile(name, 'fo');
  await log.holds('one\ntw\n3\nfo');
  await rename(name, `${name}.1`);
  await writeFile(name, 'five\n');
  await log.holds('one\ntw\n3\nfo\nfive\n');
});

test('a file that is gone is waited for', async (t) => {
  const name = await logFile(t, 'one\n');
  const log = following(t, name);
  await log.holds('one\n');
  await rm(name);
  const another = `${name}.new`;
  await writeFile(another, 'two\n');
  await rename(another, name);
  await log.holds('one\ntwo\n');
});

test('what takes the name meanwhile and cannot be followed is waited out', async (t) => {
  const name = await logFile(t, 'one\n');
  const log = following(t, name);
  await log.caughtUp();
  const old = await open(name, 'a');
  await rename(name, `${name}.1`);
  for (const stranger of ['mkdir', 'mkfifo']) {
    execFileSync(stranger, [name]);
    await old.write(`${stranger}\n`);
    await log.looks();
    await rm(name, { recursive: true });
  }
  await old.close();
  await writeFile(name, 'two\n');
  await log.holds('one\nmkdir\nmkfifo\ntwo\n');
});

test('what has the name when following is stopped, and cannot be followed, is told after all lines', async (t) => {
  const name = await logFile(t, 'one\n');
  const log = following(t, name);
  await log.caughtUp();
  await rename(name, `${name}.1`);
  await mkdir(name);
  await appendFile(`${name}.1`, 'two\n');
  await assert.rejects(log.stop(), /not a plain file/);
  assert.equal(log.text(), 'one\ntwo\n');
});

test('what was written when following is stopped is read to its end', async (t) => {
  const name = await logFile(t, 'one\n');
  const log = following(t, name);
  await log.caughtUp();
  await rename(name, `${name}.1`);
  await appendFile(`${name}.1`, 'two\n');
  await writeFile(name, 'three\n');
  await log.stop();
  assert.equal(log.text(), 'one\ntwo\nthree\n');
});

test('a file that is not there at the start, or is a folder, is an error', async (t) => {
  const folder = await temporaryFolder(t);
  await assert.rejects(following(t, path.join(folder, 'mail.log')).ended, { code: 'ENOENT' });
  await assert.rejects(following(t, folder).ended, /not a plain file/);
});

test('of thousands of lines each comes once and in order, over rotations of both kinds', async (t) => {
  const name = await logFile(t);
  const log = following(t, name);
  const perFile = 2000;
  let file = await open(name, 'a');
  let number = 0;
  const wanted: string[] = [];
  for (let rotation = 0; rotation < 8; rotation += 1) {
    for (let index = 0; index < perFile; index += 1) {
      const line = `line ${number} ${'x'.repeat(number % 97)}\n`;
      number += 1;
      wanted.push(line);
      const cut = number % line.length;
      await file.write(line.slice(0, cut));
      if (number % 50 === 0) await turn();
      await file.write(line.slice(cut));
      if (rotation % 2 === 0 && index === perFile - 100) await rename(name, `${name}.${rotation}`);
    }
    if (rotation % 2 === 0) {
      await file.close();
      file = await open(name, 'a');
    } else {
      // What is written before a look sees the file cut short would be lost, whoever reads it.
      await log.holds(wanted.join(''));
      await truncate(name);
      wanted.push('cut\n');
      await file.write('cut\n');
      await log.holds(wanted.join(''));
    }
  }
  await log.holds(wanted.join(''));
  await file.close();
});

const refusal = (second: number) =>
  `2026-11-21T10:00:${String(second).padStart(2, '0')}Z mx postfix/smtpd[1]: NOQUEUE: reject: RCPT from c${second}[192.0.2.${second}]: 450 4.2.0 <b@r.example>: Recipient address rejected: Greylisted; from=<ä@s.example> to=<b@r.example> proto=ESMTP helo=<h>\n`;

/** Reads attempts in the background: `c1:` what was there, `c1!` what came live. */
function reading(t: TestContext, names: readonly string[], stdin?: AsyncIterable<Buffer>) {
  const stopping = new AbortController();
  t.after(() => {
    stopping.abort();
  });
  const started = performance.now();
  const clock = () => now + Math.floor((performance.now() - started) / 1000);
  const source = readAttempts(names, {
    now,
    localTime: utc,
    stdin,
    follow: { stop: stopping.signal, clock },
  });
  const told: string[] = [];
  const senders = new Set<string>();
  const read = async () => {
    for await (const batch of source.batches)
      for (const { attempt } of batch) {
        told.push(`${attempt.clientName}${source.isLive() ? '!' : ':'}`);
        senders.add(attempt.sender);
      }
  };
  const ended = read();
  ended.catch(() => undefined);
  return {
    senders,
    problems: source.problems,
    isLive: () => eventually(() => (source.isLive() ? true : undefined), 'end of what was there'),
    tells: (wanted: string) =>
      eventually(() => (told.join(' ') === wanted ? true : undefined), `attempts ${wanted}`).catch(
        (error: unknown) => {
          assert.equal(told.join(' '), wanted);
          throw error;
        },
      ),
    stop: async () => {
      stopping.abort();
      await within(ended, 'end of reading');
    },
    ended,
  };
}

test('attempts that are held back come out while the log is silent, and lines in two pieces are one', async (t) => {
  const name = await logFile(t, refusal(1) + refusal(2));
  const log = reading(t, [name]);
  await log.isLive();
  await log.tells('c1: c2:');
  const bytes = Buffer.from(refusal(3));
  const inUmlaut = bytes.indexOf(0xc3) + 1;
  await appendFile(name, bytes.subarray(0, inUmlaut));
  await appendFile(name, bytes.subarray(inUmlaut));
  await log.tells('c1: c2: c3!');
  await appendFile(name, refusal(9));
  await log.stop();
  await log.tells('c1: c2: c3! c9!');
  assert.deepEqual([...log.senders], ['ä@s.example']);
  assert.deepEqual(log.problems, []);
});

test('of several files the newest is followed, though it be empty', async (t) => {
  const name = await logFile(t);
  await writeFile(`${name}.1`, refusal(1));
  await utimes(`${name}.1`, now, now);
  await utimes(name, now + 1, now + 1);
  const log = reading(t, [name, `${name}.1`]);
  await log.isLive();
  await appendFile(`${name}.1`, refusal(2));
  await appendFile(name, refusal(3));
  await log.tells('c1: c3!');
});

test('what cannot be followed is read or reported, and the newest of the others is followed', async (t) => {
  const name = await logFile(t, refusal(2));
  const packed = `${name}.gz`;
  const folder = path.join(path.dirname(name), 'folder');
  await mkdir(folder);
  await writeFile(packed, gzipSync(refusal(1)));
  await utimes(name, now, now);
  for (const newer of [packed, folder]) await utimes(newer, now + 9, now + 9);
  const log = reading(t, [name, packed, folder, '/dev/null']);
  await log.isLive();
  await appendFile(name, refusal(3));
  await log.tells('c1: c2: c3!');
  assert.deepEqual(log.problems, [{ source: folder, message: 'is a directory' }]);
});

test('when nothing can be followed each name is told with its reason', async (t) => {
  const name = await logFile(t);
  const packed = `${name}.gz`;
  await writeFile(packed, gzipSync(refusal(1)));
  const missing = `${name}.missing`;
  await assert.rejects(reading(t, [packed, path.dirname(name), missing, '/dev/null']).ended, {
    message: [
      'none of these can be followed:',
      `  ${packed}: is compressed; only a log that is being written can be followed`,
      `  ${path.dirname(name)}: is a directory`,
      `  ${missing}: no such file or directory`,
      '  /dev/null: is not a plain file',
    ].join('\n'),
  });
});

test('a named pipe into which nobody writes is given up when following is stopped', async (t) => {
  const name = await logFile(t, refusal(1));
  const pipe = `${name}.pipe`;
  execFileSync('mkfifo', [pipe]);
  const log = reading(t, [name, pipe]);
  await turn();
  await log.stop();
  assert.deepEqual(log.problems, []);
});

test('standard input is live from its first line to its end', async (t) => {
  const name = await logFile(t, refusal(1));
  async function* stdin() {
    yield await Promise.resolve(Buffer.from(refusal(2)));
  }
  const log = reading(t, [name, '-'], stdin());
  await within(log.ended, 'end of standard input');
  await log.tells('c1: c2!');
});
