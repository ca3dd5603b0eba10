/** Entries by filter and order: in the order they were first remembered page by page, in any other from a table that lasts as long as the connection. */
import type Database from 'better-sqlite3';
import type { EntryFilter, EntryOrder, Page, StoredEntry } from '../../greylist/store.js';
import { storedEntry, type EntryRow } from './rows.js';

const sortColumns = {
  firstSeen: 'first_seen',
  lastSeen: 'last_seen',
  deferrals: 'deferrals',
  passes: 'passes',
} as const;

interface Where {
  readonly text: string;
  readonly values: readonly (string | number)[];
}

/** The address lies in the domain, or in one below it: its end tells. Takes `@DOMAIN` and `.DOMAIN`, each twice. */
function inDomain(column: 'sender' | 'recipient'): string {
  const hasEnd = `substr(${column}, -length(?)) = ?`;
  return `(instr(${column}, '@') > 0 AND (${hasEnd} OR ${hasEnd}))`;
}

function whereOf(filter: EntryFilter, fromId = 0): Where {
  const conditions: string[] = [];
  const values: (string | number)[] = [];
  const require = (condition: string, ...given: (string | number)[]) => {
    conditions.push(condition);
    values.push(...given);
  };
  if (fromId > 0) require('id >= ?', fromId);
  if (filter.client !== undefined) require('client = ?', filter.client);
  if (filter.sender !== undefined) require('sender = ?', filter.sender);
  if (filter.recipient !== undefined) require('recipient = ?', filter.recipient);
  if (filter.state) require(filter.state === 'passed' ? 'passed_at IS NOT NULL' : 'passed_at IS NULL');
  if (filter.lastSeenFrom !== undefined) require('last_seen >= ?', filter.lastSeenFrom);
  if (filter.lastSeenBefore !== undefined) require('last_seen < ?', filter.lastSeenBefore);
  if (filter.domain !== undefined) {
    const ends = [`@${filter.domain}`, `.${filter.domain}`].flatMap((end) => [end, end]);
    require(`(${inDomain('sender')} OR ${inDomain('recipient')})`, ...ends, ...ends);
  }
  return { text: conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : '', values };
}

/** Up to `limit` entries in the order they were first remembered, from `from` on, which is an id. */
export function selectEntries(
  db: Database.Database,
  filter: EntryFilter,
  limit: number,
  from?: string,
): Page<StoredEntry> {
  const where = whereOf(filter, Number(from ?? 0));
  const rows = db
    .prepare<unknown[], EntryRow>(`SELECT * FROM entries ${where.text} ORDER BY id LIMIT ?`)
    .all(...where.values, limit);
  const last = rows.length === limit ? rows.at(-1) : undefined;
  return { found: rows.map(storedEntry), ...(last && { next: String(last.id + 1) }) };
}

/** Puts what `filter` lets through in order; the rows lie in a temporary file, not in memory, and no lock is held afterwards. */
export function sortEntries(
  db: Database.Database,
  filter: EntryFilter,
  { by, isReversed }: EntryOrder,
): void {
  const direction = isReversed ? 'DESC' : 'ASC';
  const keys = ['client', 'sender', 'recipient'].map((column) => (by ? column : `${column} ${direction}`));
  const order = [...(by ? [`${sortColumns[by]} ${direction}`] : []), ...keys].join(', ');
  const where = whereOf(filter);
  db.exec('DROP TABLE IF EXISTS temp.sorted');
  db.prepare(`CREATE TEMP TABLE sorted AS SELECT * FROM entries ${where.text} ORDER BY ${order}`).run(
    ...where.values,
  );
}

/** Up to `limit` entries of what was put in order last, from number `from` on. */
export function selectSorted(db: Database.Database, limit: number, from: number): StoredEntry[] {
  return db
    .prepare<[number, number], EntryRow>('SELECT * FROM temp.sorted WHERE rowid > ? ORDER BY rowid LIMIT ?')
    .all(from, limit)
    .map(storedEntry);
}
