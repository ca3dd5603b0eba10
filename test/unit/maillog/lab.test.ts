import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { addressText, parseAddress } from '#src/greylist/address.js';
import { internalForm } from '#src/maillog/fields.js';
import { repositoryRoot } from '../../support/greyctl.js';
import { labFile, labTest, policed, readAll } from '../../support/maillog.js';
import { random } from '../../support/random.js';

const encodings = ['rfc3339', 'rfc5424', 'traditional'] as const;
const folder = mkdtempSync(path.join(tmpdir(), 'greyctl-lab-'));
after(() => {
  rmSync(folder, { recursive: true });
});

/** Without what depends on how the same lines are written and cut. */
async function readingOf(names: readonly string[]) {
  const { attempts, counts, problems } = await readAll(names);
  const { bytes, lines, duplicateLines, ...others } = counts;
  return { attempts, counts: others, sizes: { bytes, lines, duplicateLines }, problems };
}

for (const encoding of encodings) {
  labTest(`every RCPT of the laboratory that reached the policy check is found (${encoding})`, async () => {
    const { attempts, problems, counts } = await readAll([labFile(`mail.log.${encoding}`)]);
    assert.deepEqual(problems, []);
    assert.equal(counts.skippedLines, 0);
    const expected = policed().map(({ src, frm, rcpt, code }) =>
      [
        addressText(parseAddress(src) ?? assert.fail(src)),
        internalForm(frm),
        rcpt,
        code === 250 ? 'accepted' : 'greylisted',
      ].join(' '),
    );
    const found = attempts.map(({ attempt, logged }) =>
      [addressText(attempt.client), attempt.sender, attempt.recipient, logged].join(' '),
    );
    assert.deepEqual(found.toSorted(), expected.toSorted());
    assert.equal(expected.length, 119);
  });
}

labTest('the three encodings of the laboratory give the same', async () => {
  const [first, ...others] = await Promise.all(
    encodings.map((encoding) => readingOf([labFile(`mail.log.${encoding}`)])),
  );
  for (const { attempts, counts } of others)
    assert.deepEqual({ attempts, counts }, { attempts: first?.attempts, counts: first?.counts });
});

labTest(
  'without the policy server the laboratory gives the same attempts, but for a message never sent',
  async () => {
    const content = readFileSync(labFile('mail.log.rfc3339'), 'latin1');
    const without = path.join(folder, 'without.log');
    writeFileSync(
      without,
      content
        .split('\n')
        .filter((line) => !line.includes(' postgrey['))
        .join('\n'),
      'latin1',
    );
    const key = ({ attempt, logged }: Awaited<ReturnType<typeof readingOf>>['attempts'][number]) =>
      [addressText(attempt.client), attempt.sender, attempt.recipient, logged].join(' ');
    const all = (await readingOf([labFile('mail.log.rfc3339')])).attempts.map(key);
    const { attempts, counts } = await readingOf([without]);
    const found = attempts.map(key);
    const lost = all.filter((one) => {
      const index = found.indexOf(one);
      if (index >= 0) found.splice(index, 1);
      return index < 0;
    });
    assert.deepEqual(found, []);
    assert.deepEqual(lost, [
      // Another temporary refusal took its place.
      '203.0.113.92 a@nodns.example alice@example.org greylisted',
      // The client hung up after RCPT.
      '198.51.100.90 part@partial.example alice@example.org accepted',
    ]);
    assert.equal(counts.incomplete, 2);
  },
);

for (const encoding of encodings) {
  labTest(`the laboratory's log cut anywhere into two files gives the same (${encoding})`, async () => {
    const { seed, pick } = random();
    const name = labFile(`mail.log.${encoding}`);
    const whole = await readingOf([name]);
    const content = readFileSync(name);
    // All cuts within the first, the last and some other lines, and the ends of the lines around.
    const starts = [
      0,
      content.lastIndexOf('\n', -2) - 200,
      ...Array.from({ length: 3 }, () => pick(content.length - 200)),
    ];
    const cuts = starts.flatMap((start) => Array.from({ length: 130 }, (_, index) => start + index));
    cuts.push(...Array.from({ length: 100 }, () => pick(content.length)));
    const halves = [path.join(folder, `${encoding}.1`), path.join(folder, `${encoding}.2`)] as const;
    for (const cut of cuts) {
      writeFileSync(halves[0], content.subarray(0, cut));
      writeFileSync(halves[1], content.subarray(cut));
      const names = cut % 2 === 0 ? halves : halves.toReversed();
      const { attempts, counts, problems } = await readingOf(names);
      assert.deepEqual(
        { attempts, counts, problems },
        { attempts: whole.attempts, counts: whole.counts, problems: [] },
        `cut at ${cut}, seed ${seed}`,
      );
    }
  });
}

test('the first mails of the example log, cut at every byte into two files, give the same', async () => {
  const example = readFileSync(path.join(repositoryRoot, 'test/fixtures/example-mail.log'));
  const content = example.subarray(0, example.indexOf('\n', 1500) + 1);
  const halves = [path.join(folder, 'every.1'), path.join(folder, 'every.2')] as const;
  const whole = path.join(folder, 'every');
  writeFileSync(whole, content);
  const { attempts, counts } = await readingOf([whole]);
  assert.ok(attempts.length >= 3, `${attempts.length} attempts`);
  for (let cut = 0; cut <= content.length; cut += 1) {
    writeFileSync(halves[0], content.subarray(0, cut));
    writeFileSync(halves[1], content.subarray(cut));
    const found = await readingOf(cut % 2 === 0 ? halves : halves.toReversed());
    const expected = { attempts, counts, problems: [] };
    assert.deepEqual(
      { attempts: found.attempts, counts: found.counts, problems: found.problems },
      expected,
      `cut at ${cut}`,
    );
  }
});

labTest('a log beside its packed beginning is read once', async () => {
  const whole = await readingOf([labFile('mail.log.rfc3339')]);
  const both = await readingOf([labFile('mail.log.rfc3339'), labFile('mail.log.rfc3339.2.gz')]);
  assert.deepEqual(both.attempts, whole.attempts);
  const packedLines =
    gunzipSync(readFileSync(labFile('mail.log.rfc3339.2.gz')))
      .toString('latin1')
      .split('\n').length - 1;
  assert.equal(both.sizes.duplicateLines, packedLines);
});
