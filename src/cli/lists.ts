import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Values } from '../config/options.js';
import { printable } from '../greylist/printable.js';
import type { Store } from '../greylist/store.js';
import { chooseListFiles } from '../whitelist/defaults.js';
import { listFiles, type ListFile } from '../whitelist/files.js';
import { compile, type Whitelist } from '../whitelist/matcher.js';
import { parseListed, type Entry } from '../whitelist/syntax.js';

/** The whitelist files in force, and what the operator should know of the choice. Naming one file replaces the default files of its kind. */
export function chosenLists(values: Values): { files: ListFile[]; notes: string[] } {
  const named = {
    client: values['whitelist-clients'],
    recipient: values['whitelist-recipients'],
    sender: values['whitelist-senders'],
  };
  const defaults = chooseListFiles(existsSync);
  const files = (['client', 'recipient', 'sender'] as const).flatMap((kind): ListFile[] =>
    named[kind].length > 0
      ? named[kind].map((file) => ({ kind, path: path.resolve(file) }))
      : defaults.files.filter((file) => file.kind === kind),
  );
  const notes = defaults.notes.filter((note) => files.some((file) => note.includes(file.path)));
  return { files, notes };
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
  const stored = (await store.listed())
    .map(parseListed)
    .flatMap((entry) => ('problem' in entry ? [] : [entry]));
  const inFiles = await fileEntries(values, stderr);
  const first = compile(inFiles);
  const second = compile(stored);
  return {
    size: first.size + second.size,
    match: (subject, now) => first.match(subject, now) ?? second.match(subject, now),
    all: (subject, now) => [...first.all(subject, now), ...second.all(subject, now)],
  };
}
