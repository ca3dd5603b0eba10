import { closeSync, constants, fstatSync, openSync, statSync } from 'node:fs';
import path from 'node:path';
import { codeOf, Failure, reasonOf } from '../../greylist/failure.js';
import { giveToFolderOwner } from '../owner.js';

/** Which file it is, whatever its name: device and inode. */
export type FileIdentity = string;

function identity({ dev, ino }: { readonly dev: number; readonly ino: number }): FileIdentity {
  return `${dev}:${ino}`;
}

const hints: Readonly<Record<string, (location: string) => string>> = {
  ENOENT: (location) => `mkdir -p ${path.dirname(location)}`,
  EISDIR: () => 'name a file with --db, or a folder with --dbdir',
  EROFS: (location) => `findmnt -T ${path.dirname(location)} shows how it is mounted`,
  ENOSPC: (location) => `df -h ${path.dirname(location)} shows how much room there is`,
  EACCES: () => 'name another place with --db, or check who may write there',
};

/**
 * Creates the database file where there is none, with mode 0640; SQLite gives its companions (-wal, -shm) mode and owner of the file.
 * Throws a Failure.
 */
export function createFile(location: string): FileIdentity {
  try {
    const isNew = statSync(location, { throwIfNoEntry: false }) === undefined;
    const file = openSync(location, constants.O_RDWR | constants.O_CREAT, 0o640);
    try {
      if (isNew) giveToFolderOwner(file, location);
      return identity(fstatSync(file));
    } finally {
      closeSync(file);
    }
  } catch (error) {
    const hint = hints[codeOf(error) ?? '']?.(location);
    throw new Failure(`cannot open the database ${location}: ${reasonOf(error)}`, {
      cause: error,
      ...(hint && { hint }),
    });
  }
}

/** The file that is there now; undefined when there is none. */
export function currentFile(location: string): FileIdentity | undefined {
  const found = statSync(location, { throwIfNoEntry: false });
  return found && identity(found);
}
