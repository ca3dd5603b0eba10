import { stat } from 'node:fs/promises';
import path from 'node:path';
import { printable } from '../../greylist/printable.js';
import { size } from '../../output/format.js';
import { textOf } from '../arguments.js';
import {
  isShared,
  privacyKeyFile,
  settingsFor,
  terminalFor,
  type Arguments,
  type Process,
} from '../context.js';
import { writeExport } from './export.js';
import { fillNewFile, withFile, withPlainStore } from './file.js';

/** `greyctl db backup`: a copy of one moment, also while the server writes; of a shared database an export. */
export async function backup(argv: Arguments, outside: Process): Promise<undefined> {
  const { values } = settingsFor(argv, outside);
  const file = path.resolve(textOf(argv, 'file') ?? '');
  if (isShared(values))
    await withPlainStore(values, outside, (store) => writeExport(store, values, file, 'backup', outside));
  else await withFile(values, outside, (store) => fillNewFile(file, 'backup', () => store.backup(file)));
  if (values.privacy)
    outside.stderr.write(
      `greyctl: keep a copy of the key, too: ${printable(privacyKeyFile(values, outside))}; without it the backup cannot be used\n`,
    );
  const sizeBytes = (await stat(file)).size;
  const terminal = terminalFor(values, outside);
  if (values.json) await terminal.json({ file, size_bytes: sizeBytes });
  else await terminal.line(`wrote ${printable(file)}, ${size(sizeBytes)}`);
  return undefined;
}
