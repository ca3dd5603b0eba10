import { closeSync, constants, fstatSync, lstatSync, openSync, realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import { codeOf, Failure, reasonOf } from '../../greylist/failure.js';
import { giveToFolderOwner, refuseStrangers } from '../owner.js';

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

/** What SQLite keeps beside a database: whoever makes one first decides what the database holds. */
const companions = ['-wal', '-shm', '-journal'];

function refuseStrangersCompanions(location: string): void {
  // SQLite puts them where a link leads.
  const real = realpathSync(location);
  for (const file of companions.map((end) => real + end)) {
    try {
      refuseStrangers(file);
    } catch (error) {
      throw new Error(`what belongs to it, ${file}, is not ours: ${reasonOf(error)}`, { cause: error });
    }
  }
}

/** What is at the place. A link is followed only if this user or root made it. */
function whatIsThere(location: string): 'nothing' | 'file' | 'link' {
  refuseStrangers(location);
  const found = lstatSync(location, { throwIfNoEntry: false });
  if (!found) return 'nothing';
  return found.isSymbolicLink() ? 'link' : 'file';
}

function openOrCreate(location: string): { file: number; isNew: boolean } {
  const before = whatIsThere(location);
  // O_EXCL: a link that has come since is not followed.
  const flags = { nothing: constants.O_CREAT | constants.O_EXCL, file: 0, link: constants.O_CREAT }[before];
  try {
    return { file: openSync(location, constants.O_RDWR | flags, 0o640), isNew: before === 'nothing' };
  } catch (error) {
    // Another process was quicker.
    if (codeOf(error) === 'EEXIST' && before === 'nothing') return openOrCreate(location);
    throw error;
  }
}

/**
 * Creates the database file where there is none, with mode 0640; SQLite gives its companions mode and owner of the file. Throws a
 * Failure, also where a stranger has put something in the place of one of them.
 */
export function createFile(location: string): FileIdentity {
  try {
    const { file, isNew } = openOrCreate(location);
    try {
      if (isNew) giveToFolderOwner(file, location);
      refuseStrangersCompanions(location);
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
