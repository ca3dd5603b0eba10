import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { addressText, parseAddress } from '#src/greylist/address.js';
import type { LoggedAttempt } from '#src/maillog/attempts.js';
import { readAttempts } from '#src/maillog/read.js';
import {
  logStart,
  mailLog,
  writeMailLog,
  type MailLogOptions,
  type WrittenAttempt,
} from '../../bench/mail-log.js';
import { utc } from '../../support/maillog.js';
import { temporaryFolder } from '../../support/temporary.js';

function textOf(options: MailLogOptions): string {
  return [...mailLog(options)].join('');
}

function words(written: WrittenAttempt): string {
  const address = parseAddress(written.clientAddress);
  assert.ok(address);
  const { time, clientName, sender, recipient, logged } = written;
  return [time, logged, clientName, addressText(address), sender, recipient].join(' ');
}

function wordsRead({ attempt, logged }: LoggedAttempt): string {
  const { time, clientName, client, sender, recipient } = attempt;
  return [time, logged, clientName, addressText(client), sender, recipient].join(' ');
}

test('a log is the same for the same seed, and another one for another', () => {
  const options = { seed: 7, mostAttempts: 300 };
  assert.equal(textOf(options), textOf(options));
  assert.notEqual(textOf(options), textOf({ ...options, seed: 8 }));
});

test('a log ends as soon as it has its size', () => {
  const { length } = textOf({ seed: 7, mostBytes: 100_000 });
  assert.ok(length >= 100_000 && length < 110_000, `${length} bytes`);
});

for (const stamps of ['traditional', 'rfc3339'] as const)
  for (const policyLines of [false, true])
    test(`what is written is read: ${stamps} stamps, ${policyLines ? 'with' : 'without'} lines of a policy server`, async (t) => {
      const file = path.join(await temporaryFolder(t), 'mail.log');
      const told: WrittenAttempt[] = [];
      const { attempts } = writeMailLog(file, {
        ...{ seed: 1, mostAttempts: 3000, stamps, policyLines },
        onAttempt: (attempt) => told.push(attempt),
      });
      const reading = readAttempts([file], { now: logStart, year: 2026, localTime: utc });
      const read: LoggedAttempt[] = [];
      for await (const batch of reading.batches) read.push(...batch);

      assert.deepEqual(read.map(wordsRead), told.map(words));
      const { accepted, greylisted, incomplete, skippedLines } = reading.counts;
      assert.deepEqual({ accepted, greylisted }, attempts);
      assert.deepEqual({ incomplete, skippedLines }, { incomplete: 0, skippedLines: 0 });
      const share = greylisted / (accepted + greylisted);
      assert.ok(share > 0.57 && share < 0.63, `${share} deferred`);
    });

test('where all are to be different, no triplet comes twice', () => {
  const triplets: string[] = [];
  const options: MailLogOptions = {
    ...{ seed: 3, mostAttempts: 5000, allDifferent: true },
    onAttempt: ({ clientAddress, sender, recipient }) =>
      triplets.push(`${clientAddress} ${sender} ${recipient}`),
  };
  textOf(options);
  assert.equal(new Set(triplets).size, 5000);
});
