import type Database from 'better-sqlite3';
import type { Waiting, WaitingGroup, WaitingQuery } from '../../greylist/store.js';
import { largest } from '../listing.js';

/**
 * So many waiting entries are grouped by all of them (a tenth of a second). Of more, names are picked from a sample of about a quarter as
 * many and then counted exactly: sorting a million texts takes most of a second, and indices for it triple what a new triplet costs to
 * write (measured).
 */
const groupedEntries = 100_000;
const sampledPart = 1 / 4;
/** So many names for each one wanted: the first are among them unless numbers are nearly equal. */
const candidatesPerGroup = 10;

const keys = ['domain', 'client', 'recipient'] as const;
type Key = (typeof keys)[number];
type Row = Readonly<Record<Key, string | null>> & { readonly count: number };

const expressions: Readonly<Record<Key, string>> = {
  domain: "substr(sender, instr(sender, '@') + 1)",
  client: 'client',
  recipient: 'recipient',
};

/** The largest groups of rows with one key. */
function largestOf(rows: readonly Row[], key: Key, limit: number): WaitingGroup[] {
  const counts = new Map<string, number>();
  for (const row of rows) {
    const name = row[key];
    if (name !== null) counts.set(name, (counts.get(name) ?? 0) + row.count);
  }
  return largest(counts, limit);
}

function prepareStatements(db: Database.Database) {
  const { domain, client, recipient } = expressions;
  const wanted = (key: string) => `${key} IN (SELECT value FROM json_each(?))`;
  const named = (key: string) => `iif(${wanted(key)}, ${key}, NULL)`;
  return {
    counts: db.prepare<[number], { total: number; since: number | null }>(
      'SELECT count(*) AS total, sum(first_seen >= ?) AS since FROM entries WHERE passed_at IS NULL',
    ),
    sample: db.prepare<[number], Row>(
      `SELECT ${domain} AS domain, client, recipient, 1 AS count FROM entries
       WHERE passed_at IS NULL AND random() % ? = 0`,
    ),
    // A row for each combination of the names asked for; what is not asked for is null.
    named: db.prepare<string[], Row>(
      `SELECT ${named(domain)} AS domain, ${named(client)} AS client, ${named(recipient)} AS recipient, count(*) AS count
       FROM entries WHERE passed_at IS NULL AND (${wanted(domain)} OR ${wanted(client)} OR ${wanted(recipient)})
       GROUP BY 1, 2, 3`,
    ),
    all: (key: string) =>
      db.prepare<[number], WaitingGroup>(
        `SELECT ${key} AS name, count(*) AS count FROM entries WHERE passed_at IS NULL
         GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT ?`,
      ),
  };
}

/** Prepares what answers `waiting` of the port; `most` is given by tests only. */
export function waitingReader(db: Database.Database, most = groupedEntries) {
  const { counts, sample, named, all } = prepareStatements(db);
  const everything: Readonly<Record<Key, ReturnType<typeof all>>> = {
    domain: all(expressions.domain),
    client: all(expressions.client),
    recipient: all(expressions.recipient),
  };
  const picked = (total: number, limit: number): ((key: Key) => WaitingGroup[]) => {
    const rows = sample.all(Math.ceil(total / (most * sampledPart)));
    const names = keys.map((key) =>
      JSON.stringify(largestOf(rows, key, limit * candidatesPerGroup).map(({ name }) => name)),
    );
    const exact = named.all(...names, ...names);
    return (key) => largestOf(exact, key, limit);
  };
  return ({ firstSeenSince, limit }: WaitingQuery): Waiting => {
    const found = counts.get(firstSeenSince);
    const total = found?.total ?? 0;
    const top = total > most && limit > 0 ? picked(total, limit) : (key: Key) => everything[key].all(limit);
    return {
      firstSeenSince: found?.since ?? 0,
      senderDomains: top('domain'),
      clients: top('client'),
      recipients: top('recipient'),
    };
  };
}
