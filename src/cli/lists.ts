import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Values } from '../config/options.js';
import { printable } from '../greylist/printable.js';
import type { Store } from '../greylist/store.js';
import { chooseListFiles } from '../whitelist/defaults.js';
import { listFiles, type ListFile } from '../whitelist/files.js';
import { compile, inOrder, type Whitelist } from '../whitelist/matcher.js';
import { parseStored, type Entry } from '../whitelist/syntax.js';

/** The whitelist files in force, and what the operator should know of the choice. Naming one file replaces the default files of its kind. */
export function chosenLists(
  values: Values,
  exists: (file: string) => boolean = existsSync,
): { files: ListFile[]; notes: string[] } {
  const named = {
    client: values['whitelist-clients'],
    recipient: values['whitelist-recipients'],
    sender: values['whitelist-senders'],
  };
  const files: ListFile[] = [];
  const notes: string[] = [];
  for (const kind of ['client', 'recipient', 'sender'] as const) {
    if (named[kind].length > 0) {
      files.push(...named[kind].map((file) => ({ kind, path: path.resolve(file) })));
      continue;
    }
    const chosen = chooseListFiles(kind, exists);
    files.push(...chosen.files);
    if (chosen.note !== undefined) notes.push(chosen.note);
  }
  return { files, notes };
}

/** The file in force that is for the operator's own entries of clients, or the last of those that were named. */
export function ownClientList(values: Values): string {
  const isOne = (file: ListFile) => file.kind === 'client' && file.path !== '/dev/null';
  return chosenLists(values).files.findLast(isOne)?.path ?? 'whitelist_clients.local';
}

/** Where an entry stands: `FILE line N`, or `database`. */
export function entryPlace({ origin }: Entry): string {
  return 'store' in origin ? 'database' : `${printable(origin.file)} line ${origin.line}`;
}

/** The entries of the files in force; warnings go to `stderr`. */
export async function fileEntries(values: Values, stderr: NodeJS.WritableStream): Promise<readonly Entry[]> {
  const { entries, warnings } = await listFiles(chosenLists(values).files).load();
  for (const warning of warnings) stderr.write(`greyctl: ${warning}\n`);
  return entries;
}

/** The whitelists that the server goes by: files first, then the store. */
export async function loadLists(
  values: Values,
  store: Pick<Store, 'listed'>,
  stderr: NodeJS.WritableStream,
): Promise<Whitelist> {
  const { entries, warnings } = parseStored(await store.listed());
  for (const warning of warnings) stderr.write(`greyctl: ${warning}\n`);
  return inOrder(compile(await fileEntries(values, stderr)), compile(entries));
}
