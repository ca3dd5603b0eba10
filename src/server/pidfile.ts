import {
  constants,
  closeSync,
  lstatSync,
  openSync,
  readFileSync,
  truncateSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { codeOf, Failure, reasonOf } from '../greylist/failure.js';

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

function staleOrAbsent(path: string, own: number): void {
  let text: string;
  try {
    // A link is replaced, wherever it leads.
    if (lstatSync(path).isSymbolicLink()) return;
    text = readFileSync(path, 'latin1');
  } catch {
    return;
  }
  const pid = /^\d{1,9}\s*$/.test(text) ? Number(text) : 0;
  if (pid === 0 && text !== '') {
    throw new Failure(`cannot write the pid file ${path}: there is a file that is none`, {
      hint: 'name another file with --pidfile',
    });
  }
  if (pid > 0 && pid !== own && isRunning(pid)) {
    throw new Failure(`cannot write the pid file ${path}: process ${pid}, which it names, is running`, {
      hint: `stop that process (kill ${pid}), or name another file with --pidfile`,
    });
  }
}

/**
 * Writes the process id to a new file; one that names a process that is gone is replaced, a link is never followed. Returns what removes
 * the file again; where that is not allowed any more (privileges were dropped) it is emptied.
 */
export function writePidfile(path: string, pid: number): () => void {
  staleOrAbsent(path, pid);
  try {
    try {
      unlinkSync(path);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
    }
    const file = openSync(
      path,
      constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
      0o644,
    );
    writeSync(file, `${pid}\n`);
    closeSync(file);
  } catch (error) {
    throw new Failure(`cannot write the pid file ${path}: ${reasonOf(error)}`, { cause: error });
  }
  return () => {
    try {
      unlinkSync(path);
    } catch {
      try {
        truncateSync(path);
      } catch {
        // It stays behind, naming a process that is gone: the next start replaces it.
      }
    }
  };
}
