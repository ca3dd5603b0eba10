/** Whose a file is, and whose it becomes. */
import { fchownSync, lstatSync, statSync } from 'node:fs';
import path from 'node:path';

const writableByAll = 0o002;

/**
 * Throws when another user than root or this one has made what stands at `file`: a link, which could lead anywhere, or anything in a
 * folder where everybody may write. There a stranger's file could be read by the stranger, or hold what the stranger wants us to do.
 */
export function refuseStrangers(file: string): void {
  const found = lstatSync(file, { throwIfNoEntry: false });
  if (!found || found.uid === 0 || found.uid === process.geteuid?.()) return;
  if (found.isSymbolicLink()) throw new Error(`it is a link that another user has made (id ${found.uid})`);
  if ((statSync(path.dirname(file)).mode & writableByAll) !== 0) {
    throw new Error(`another user has made it (id ${found.uid}), in a folder where everybody may write`);
  }
}

/**
 * A file that root has just made belongs to the owner of its folder: the server, which runs as that user, must be able to use what a
 * command of root's has begun. `fd` is the open file.
 */
export function giveToFolderOwner(fd: number, file: string): void {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = statSync(path.dirname(file));
  if (uid !== 0) fchownSync(fd, uid, gid);
}
