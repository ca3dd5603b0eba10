import { createWriteStream } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { harmlessJson } from '../../greylist/printable.js';
import { allClients, allEntries, type Store } from '../../greylist/store.js';
import { timestamp } from '../../output/format.js';
import { settingsFor, type Arguments, type Process } from '../context.js';
import { exportedDocument, exportVersion } from './exported.js';
import { fileOrStream, fillNewFile, withFile } from './file.js';

async function* documents(
  store: Store,
  isHashed: boolean,
  now: number,
): AsyncGenerator<Record<string, unknown>> {
  yield { greyctl_export: exportVersion, exported_at: timestamp(now), hashed: isHashed };
  for await (const value of allEntries(store, {})) yield exportedDocument({ type: 'entry', value });
  for await (const value of allClients(store)) yield exportedDocument({ type: 'awl', value });
  for (const value of await store.windows()) yield exportedDocument({ type: 'window', value });
  for (const value of await store.listed()) yield exportedDocument({ type: 'whitelist', value });
}

async function* lines(store: Store, isHashed: boolean, now: number): AsyncGenerator<string> {
  for await (const document of documents(store, isHashed, now)) yield `${harmlessJson(document)}\n`;
}

/** `greyctl db export`: all that is remembered, as lines of JSON, in constant memory. */
export async function exportDatabase(argv: Arguments, outside: Process): Promise<undefined> {
  const { values } = settingsFor(argv, outside);
  const name = fileOrStream(argv);
  await withFile(values, outside, async (store) => {
    const source = Readable.from(lines(store, values.privacy, outside.now()));
    if (name === '-') {
      await pipeline(source, outside.stdout, { end: false });
      return;
    }
    const file = path.resolve(name);
    await fillNewFile(file, 'export', () => pipeline(source, createWriteStream(file, { flags: 'r+' })));
  });
  return undefined;
}
