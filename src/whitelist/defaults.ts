/**
 * Which whitelist files are read when the operator names none: greyctl's own; where there are none, those that postgrey
 * left; else the lists that come with greyctl. Each with its `.local`, for the operator's own entries.
 */
import path from 'node:path';
import type { ListKind } from '../greylist/store.js';
import type { ListFile } from './files.js';

export interface ChosenFiles {
  readonly files: ListFile[];
  /** For the operator, about a choice that may surprise. */
  readonly note?: string;
}

const own = { client: 'whitelist_clients', recipient: 'whitelist_recipients', sender: 'whitelist_senders' };
const shipped = { client: 'clients', recipient: 'recipients', sender: undefined };
/** Debian's package, then postgrey's own default (also Fedora's and EPEL's). */
const postgreyPrefixes = ['/etc/postgrey/', '/etc/postfix/postgrey_'];

/** The path of the list that comes with greyctl; undefined for senders, who have none. */
export function shippedList(kind: ListKind): string | undefined {
  const name = shipped[kind];
  return name === undefined ? undefined : path.join(import.meta.dirname, 'lists', name);
}

/** `main` and its `.local`, with the shipped list in place of a `main` that does not exist. */
function withLocal(kind: ListKind, main: string, exists: (file: string) => boolean): ListFile[] {
  const base = exists(main) ? main : shippedList(kind);
  const paths = base === undefined ? [`${main}.local`] : [base, `${main}.local`];
  return paths.map((file) => ({ kind, path: file }));
}

/** Chooses the files of one kind, given which files exist. */
export function chooseListFiles(kind: ListKind, exists: (file: string) => boolean): ChosenFiles {
  const inUse = (main: string) => exists(main) || exists(`${main}.local`);
  const main = `/etc/greyctl/${own[kind]}`;
  const left = postgreyPrefixes.map((prefix) => prefix + own[kind]).find(inUse);
  if (left === undefined || kind === 'sender') return { files: withLocal(kind, main, exists) };
  if (inUse(main)) {
    const reason = exists(main) ? main : `${main}.local`;
    return {
      files: withLocal(kind, main, exists),
      note: `not using postgrey's ${left}, because there is ${reason}`,
    };
  }
  const files = withLocal(kind, left, exists);
  const names = files.map((file) => file.path).filter((file) => file !== shippedList(kind) && exists(file));
  return { files, note: `using postgrey's ${names.join(' and ')}, because there is no ${main}` };
}
