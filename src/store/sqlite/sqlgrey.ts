/** The SQLite database of sqlgrey (db_type = SQLite), opened for reading only. */
import Database from 'better-sqlite3';
import { Failure, reasonOf } from '../../greylist/failure.js';

/** Long enough for sqlgrey to finish a round of its own. */
const lockTimeoutMs = 5000;

/** A row of one of the three tables; see the room that makes entries of it. */
export interface SqlgreyRecord {
  table: 'connect' | 'from_awl' | 'domain_awl';
  senderName: string;
  senderDomain: string;
  source: string;
  recipient: string;
  firstSeen: number;
  lastSeen: number;
}

/** Epoch seconds; written as a number by sqlgrey itself, as text in UTC by tools. */
const seconds = (column: string) =>
  `CASE typeof(${column}) WHEN 'text' THEN coalesce(unixepoch(${column}), 0) ELSE CAST(${column} AS INTEGER) END`;

const queries = [
  `SELECT 'connect' AS "table", sender_name AS senderName, sender_domain AS senderDomain, src AS source, rcpt AS recipient,
     ${seconds('first_seen')} AS firstSeen, ${seconds('first_seen')} AS lastSeen FROM connect`,
  `SELECT 'from_awl' AS "table", sender_name AS senderName, sender_domain AS senderDomain, src AS source, '' AS recipient,
     ${seconds('first_seen')} AS firstSeen, ${seconds('last_seen')} AS lastSeen FROM from_awl`,
  `SELECT 'domain_awl' AS "table", '' AS senderName, sender_domain AS senderDomain, src AS source, '' AS recipient,
     ${seconds('first_seen')} AS firstSeen, ${seconds('last_seen')} AS lastSeen FROM domain_awl`,
];

/** All rows, as they were at one moment; throws a Failure. Nothing is written. */
export function readSqlgrey(location: string): SqlgreyRecord[] {
  let db: Database.Database | undefined;
  try {
    const opened = new Database(location, { readonly: true, fileMustExist: true, timeout: lockTimeoutMs });
    db = opened;
    return opened.transaction(() =>
      queries.flatMap((query) => opened.prepare<[], SqlgreyRecord>(query).all()),
    )();
  } catch (error) {
    const why = reasonOf(error);
    throw new Failure(`cannot read sqlgrey's database ${location}: ${why}`, {
      cause: error,
      ...(/no such (?:table|column)|not a database/.test(why) && {
        hint: '--from=FILE with the file that db_dsn in sqlgrey.conf names',
      }),
    });
  } finally {
    db?.close();
  }
}
