import { fchownSync, statSync } from 'node:fs';
import path from 'node:path';

/**
 * A file that root has just made belongs to the owner of its folder: the server, which runs as that user, must be able to use what a
 * command of root's has begun. `fd` is the open file.
 */
export function giveToFolderOwner(fd: number, file: string): void {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = statSync(path.dirname(file));
  if (uid !== 0) fchownSync(fd, uid, gid);
}
