import Database from 'better-sqlite3';
import { codeOf, Failure, reasonOf } from '../../greylist/failure.js';
import { createFile } from './file.js';

/** Writes this process's id and keeps the lock; undefined when another process has it. */
function locked(file: string): Database.Database | undefined {
  const db = new Database(file, { timeout: 0 });
  try {
    // A lock that others can still read beside; it ends with the process, however that ends.
    db.exec('BEGIN IMMEDIATE');
    db.exec('CREATE TABLE IF NOT EXISTS server (pid INTEGER NOT NULL); DELETE FROM server');
    db.prepare('INSERT INTO server VALUES (?)').run(process.pid);
    db.exec('COMMIT; BEGIN IMMEDIATE');
    return db;
  } catch (error) {
    db.close();
    if (codeOf(error)?.startsWith('SQLITE_BUSY')) return undefined;
    throw error;
  }
}

/** The process that has the lock, in words. */
function owner(file: string): string {
  const db = new Database(file, { readonly: true, timeout: 0 });
  try {
    return `process ${String(db.prepare('SELECT pid FROM server').pluck().get())}`;
  } catch {
    return 'another process that has just begun';
  } finally {
    db.close();
  }
}

/**
 * Claims the database at `location` for one server, with a lock on a file beside it. Throws a Failure when another server has it.
 * Returns a function that gives it back.
 */
export function claimDatabase(location: string): () => void {
  const file = `${location}.lock`;
  createFile(location);
  createFile(file);
  let lock: Database.Database | undefined;
  try {
    lock = locked(file);
  } catch (error) {
    throw new Failure(`cannot lock the database ${location} with ${file}: ${reasonOf(error)}`, {
      cause: error,
    });
  }
  if (!lock) {
    throw new Failure(`the database ${location} is in use by another greyctl serve, ${owner(file)}`, {
      hint: 'stop that one, name another database with --db, or start this one with --share',
    });
  }
  const held = lock;
  return () => {
    held.close();
  };
}
