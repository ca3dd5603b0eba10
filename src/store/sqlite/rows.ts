/** Rows of the tables, and what they mean. */
import type { ListedEntry, ListKind, StoredEntry } from '../../greylist/store.js';

/** A row of entries. */
export interface EntryRow {
  id: number;
  client: string;
  sender: string;
  recipient: string;
  first_seen: number;
  last_seen: number;
  deferrals: number;
  passed_at: number | null;
  passes: number;
  released_at: number | null;
}

/** A row of whitelist. */
export interface ListedRow {
  id: number;
  kind: ListKind;
  pattern: string;
  comment: string;
  added_at: number;
  expires_at: number | null;
  hits: number;
  last_hit: number | null;
}

/** The entry in a row, without its key. */
export function entryOf(row: EntryRow): Omit<StoredEntry, 'triplet'> {
  return {
    firstSeen: row.first_seen,
    lastSeen: row.last_seen,
    deferrals: row.deferrals,
    ...(row.passed_at !== null && { passedAt: row.passed_at }),
    passes: row.passes,
    ...(row.released_at !== null && { releasedAt: row.released_at }),
  };
}

/** The entry in a row. */
export function storedEntry(row: EntryRow): StoredEntry {
  return { triplet: { client: row.client, sender: row.sender, recipient: row.recipient }, ...entryOf(row) };
}

/** The whitelist entry in a row. */
export function listedEntry(row: ListedRow): ListedEntry {
  return {
    id: row.id,
    kind: row.kind,
    pattern: row.pattern,
    comment: row.comment,
    addedAt: row.added_at,
    ...(row.expires_at !== null && { expiresAt: row.expires_at }),
    hits: row.hits,
    ...(row.last_hit !== null && { lastHit: row.last_hit }),
  };
}
