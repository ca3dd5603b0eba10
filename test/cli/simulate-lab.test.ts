/** `greyctl simulate` on the laboratory's log: it repeats what the clients were told. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { addressText, parseAddress } from '#src/greylist/address.js';
import { internalForm } from '#src/maillog/fields.js';
import { run } from '../support/greyctl.js';
import { labFile, labTest, policed } from '../support/maillog.js';
import { random } from '../support/random.js';
import { temporaryFolder } from '../support/temporary.js';

const encodings = ['rfc3339', 'rfc5424', 'traditional'] as const;

/** `simulate --decisions` with the settings of the laboratory's postgrey; its whitelist held this one client's domain. */
async function decisions(folder: string, names: readonly string[]): Promise<string> {
  const list = path.join(folder, 'clients');
  await writeFile(list, 'whitelisted.example\n');
  const { status, stdout, stderr } = await run(
    [
      ...['simulate', '--decisions', '--delay=30', '--year=2026', `--db=${folder}/none.db`],
      ...[`--whitelist-clients=${list}`, '--whitelist-recipients=/dev/null', '--whitelist-senders=/dev/null'],
      ...names,
    ],
    { env: { TZ: 'UTC' } },
  );
  assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
  return stdout;
}

labTest('every RCPT of the laboratory is decided as the client was told', async (t) => {
  const folder = await temporaryFolder(t);
  const told = policed().map(({ src, frm, rcpt, code }) =>
    [
      addressText(parseAddress(src) ?? assert.fail(src)),
      internalForm(frm),
      rcpt,
      ...(code === 250 ? ['accepted', 'pass'] : ['greylisted', 'greylist']),
    ].join(' '),
  );
  const found = (await decisions(folder, [labFile('mail.log.rfc3339')]))
    .trimEnd()
    .split('\n')
    .map((line) => {
      const one = JSON.parse(line) as Record<string, string>;
      return ['client_address', 'sender', 'recipient', 'logged', 'verdict'].map((key) => one[key]).join(' ');
    });
  assert.deepEqual(found.toSorted(), told.toSorted());
});

labTest('the three encodings of the laboratory are decided alike', async (t) => {
  const folder = await temporaryFolder(t);
  const [first, ...others] = await Promise.all(
    encodings.map((encoding) => decisions(folder, [labFile(`mail.log.${encoding}`)])),
  );
  assert.notEqual(first, '');
  for (const other of others) assert.equal(other, first);
});

labTest('the log of the laboratory in two files is decided as in one', async (t) => {
  const folder = await temporaryFolder(t);
  const { seed, pick } = random();
  const name = labFile('mail.log.rfc3339');
  const content = await readFile(name);
  const whole = await decisions(folder, [name]);
  const halves = [path.join(folder, 'mail.log.1'), path.join(folder, 'mail.log')] as const;
  for (let round = 0; round < 8; round += 1) {
    const cut = pick(content.length);
    await writeFile(halves[0], content.subarray(0, cut));
    await writeFile(halves[1], content.subarray(cut));
    const names = round % 2 === 0 ? halves : halves.toReversed();
    assert.equal(await decisions(folder, names), whole, `cut at ${cut}, seed ${seed}`);
  }
});
