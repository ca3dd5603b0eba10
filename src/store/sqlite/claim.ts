import Database from 'better-sqlite3';
import { codeOf, Failure, reasonOf } from '../../greylist/failure.js';
import { createFile } from './file.js';

/** Says whose the lock is: no more than a help, so that a full disk does not keep a server from starting. */
function writeOwner(db: Database.Database): void {
  try {
    db.exec('CREATE TABLE IF NOT EXISTS server (pid INTEGER NOT NULL); DELETE FROM server');
    db.prepare('INSERT INTO server VALUES (?)').run(process.pid);
    db.exec('COMMIT');
  } catch {
    if (db.inTransaction) db.exec('ROLLBACK');
  }
}

/** Keeps the lock, which others can still read beside and which ends with the process, however that ends; undefined when another has it. */
function locked(file: string): Database.Database | undefined {
  const db = new Database(file, { timeout: 0 });
  try {
    db.exec('BEGIN IMMEDIATE');
    writeOwner(db);
    db.exec('BEGIN IMMEDIATE');
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
    return 'another process';
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
    // Without room or with a failing disk there is no lock to be had, and the database tells that better.
    if (/^SQLITE_(FULL|IOERR)/.test(codeOf(error) ?? '')) return () => undefined;
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
