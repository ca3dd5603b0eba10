import type Database from 'better-sqlite3';
import { codeOf, Failure, reasonOf } from '../../greylist/failure.js';

/** Marks a SQLite file as greyctl's (`PRAGMA application_id`): "grey" in ASCII. */
export const applicationId = 0x67726579;

/** Step n brings a database from `user_version` n to n + 1. */
const migrations: readonly string[] = [
  `
  -- See entries.ts. Ids are never used again: whoever knows all rows up to one knows which are new.
  CREATE TABLE entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    client TEXT NOT NULL,
    sender TEXT NOT NULL,
    recipient TEXT NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    deferrals INTEGER NOT NULL,
    passed_at INTEGER,
    passes INTEGER NOT NULL,
    released_at INTEGER
  ) STRICT;

  -- See hashblocks.ts.
  CREATE TABLE key_hashes (
    block INTEGER PRIMARY KEY,
    hashes BLOB NOT NULL
  ) STRICT;
  CREATE TABLE key_hash_seed (
    start INTEGER NOT NULL,
    factor INTEGER NOT NULL
  ) STRICT;
  INSERT INTO key_hash_seed VALUES (abs(random() % 4294967296), abs(random() % 4294967296) | 1073741825);

  CREATE TABLE awl (
    address TEXT NOT NULL PRIMARY KEY,
    count INTEGER NOT NULL,
    last_counted INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  -- For the purge, which asks every second who has expired.
  CREATE INDEX awl_last_counted ON awl (last_counted);

  -- Until when all mail to a recipient passes.
  CREATE TABLE windows (
    recipient TEXT NOT NULL PRIMARY KEY,
    until INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE tallies (
    hour INTEGER NOT NULL,
    verdict TEXT NOT NULL,
    reason TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (hour, verdict, reason)
  ) STRICT, WITHOUT ROWID;

  -- How long passed triplets had waited, by the hour in which they passed; see delayClass in tally.ts.
  CREATE TABLE delays (
    hour INTEGER NOT NULL,
    seconds INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (hour, seconds)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE whitelist (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (kind IN ('client', 'recipient', 'sender')),
    pattern TEXT NOT NULL,
    comment TEXT NOT NULL,
    added_at INTEGER NOT NULL,
    expires_at INTEGER,
    hits INTEGER NOT NULL DEFAULT 0,
    last_hit INTEGER,
    UNIQUE (kind, pattern)
  ) STRICT;

  CREATE TABLE revisions (
    name TEXT NOT NULL PRIMARY KEY,
    revision INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  INSERT INTO revisions VALUES ('whitelist', 0);

  -- Hits are counted without a new revision: only what changes the matching does.
  CREATE TRIGGER whitelist_added AFTER INSERT ON whitelist BEGIN
    UPDATE revisions SET revision = revision + 1 WHERE name = 'whitelist';
  END;
  CREATE TRIGGER whitelist_removed AFTER DELETE ON whitelist BEGIN
    UPDATE revisions SET revision = revision + 1 WHERE name = 'whitelist';
  END;
  CREATE TRIGGER whitelist_changed AFTER UPDATE OF kind, pattern, expires_at ON whitelist BEGIN
    UPDATE revisions SET revision = revision + 1 WHERE name = 'whitelist';
  END;
  `,
  `
  -- Counts that were taken out to be added to another store, until it has them: at most one row, JSON.
  CREATE TABLE counts_taken (
    id TEXT NOT NULL PRIMARY KEY,
    move TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  -- Moves whose counts were added here, with the newest hour of these: when that is forgotten, so are they.
  CREATE TABLE counts_added (
    id TEXT NOT NULL PRIMARY KEY,
    hour INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
];

/** The `user_version` this program works with. */
export const schemaVersion = migrations.length;

function pragmaNumber(db: Database.Database, name: string): number {
  return Number(db.pragma(name, { simple: true }));
}

function refuse(location: string, why: string, hint: string): never {
  throw new Failure(`cannot use the database ${location}: ${why}`, { hint });
}

/**
 * Makes sure that the file is greyctl's and brings it up to this program's schema, all steps in one transaction. A file of another
 * program, or of a newer greyctl, is refused untouched. `steps` are given by tests only.
 */
export function migrate(db: Database.Database, location: string, steps = migrations): void {
  const check = () => {
    const version = pragmaNumber(db, 'user_version');
    const owner = pragmaNumber(db, 'application_id');
    const tables = db.prepare('SELECT count(*) FROM sqlite_schema').pluck().get();
    if (owner !== applicationId && (owner !== 0 || version !== 0 || tables !== 0)) {
      refuse(location, 'it belongs to another program', 'name another file with --db');
    }
    if (version > steps.length) {
      refuse(
        location,
        `its schema is version ${version}, this greyctl knows up to ${steps.length}`,
        'upgrade greyctl, or name another file with --db',
      );
    }
    return version;
  };
  if (check() === steps.length) return;
  // Can only be chosen for a new file: room is then given back in small steps, without a rewrite that locks everybody out.
  db.pragma('auto_vacuum = INCREMENTAL');
  db.transaction(() => {
    const version = check();
    for (const step of steps.slice(version)) db.exec(step);
    db.pragma(`application_id = ${applicationId}`);
    db.pragma(`user_version = ${steps.length}`);
  }).immediate();
}

/**
 * What statements that cannot be prepared say of a file whose version is right: its tables are others, as a greyctl had them that was
 * never released. Any other error is given back.
 */
export function otherTables(error: unknown, location: string): unknown {
  if (codeOf(error) !== 'SQLITE_ERROR') return error;
  const why = `its tables are not those of schema version ${schemaVersion} (${reasonOf(error)})`;
  return new Failure(`cannot use the database ${location}: ${why}`, {
    cause: error,
    hint: `mv ${location} ${location}.old, and a new one is made, without what this one remembers`,
  });
}
