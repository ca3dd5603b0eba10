/**
 * The table key_hashes: the hashes of the keys of all entries, by blocks of ids, so that the index in memory is built at start without
 * reading every row. A block is written when the first row after it is: of every block but the last the hashes of all rows are there.
 * Hashes of rows that are gone may be there too, until the purge comes by.
 */
import type Database from 'better-sqlite3';

/** So many ids are a block, and so many rows at most are looked at in a step of the purge. */
export const blockIds = 512;
const bytesOfHash = 4;
const bytesOfPlace = 2;

/** A row's key by its hash. */
export interface HashedRow {
  readonly id: number;
  readonly hash: number;
}

export function blockOf(id: number): number {
  return Math.floor(id / blockIds);
}

/** First all hashes, then of each the place of its id in the block. */
function packed(rows: readonly HashedRow[]): Buffer {
  const bytes = Buffer.alloc(rows.length * (bytesOfHash + bytesOfPlace));
  const places = rows.length * bytesOfHash;
  for (const [index, { id, hash }] of rows.entries()) {
    bytes.writeUInt32LE(hash, index * bytesOfHash);
    bytes.writeUInt16LE(id % blockIds, places + index * bytesOfPlace);
  }
  return bytes;
}

function unpack(block: number, bytes: Buffer, take: (hash: number, id: number) => void): void {
  const size = Math.floor(bytes.length / (bytesOfHash + bytesOfPlace));
  for (let index = 0; index < size; index += 1) {
    const place = bytes.readUInt16LE(size * bytesOfHash + index * bytesOfPlace);
    take(bytes.readUInt32LE(index * bytesOfHash), block * blockIds + place);
  }
}

/** Prepares reading and writing of the table. */
export function hashBlocks(db: Database.Database) {
  const range = db.prepare<[number, number], { block: number; hashes: Buffer }>(
    'SELECT block, hashes FROM key_hashes WHERE block BETWEEN ? AND ? ORDER BY block',
  );
  const last = db.prepare<[], number | null>('SELECT max(block) FROM key_hashes').pluck();
  const count = db.prepare<[], number>('SELECT count(*) FROM key_hashes').pluck();
  const write = db.prepare('INSERT OR REPLACE INTO key_hashes (block, hashes) VALUES (?, ?)');
  const remove = db.prepare('DELETE FROM key_hashes WHERE block = ?');
  return {
    /** The last block that is there; -1 for none. */
    last: () => last.get() ?? -1,
    /** How many hashes there are at most. */
    mostHashes: () => (count.get() ?? 0) * blockIds,
    /** Tells the hash and the id of each row in these blocks. */
    tell: (first: number, final: number, take: (hash: number, id: number) => void) => {
      for (const { block, hashes } of range.iterate(first, final)) unpack(block, hashes, take);
    },
    /** An empty block is not kept. */
    write: (block: number, rows: readonly HashedRow[]) => {
      if (rows.length > 0) write.run(block, packed(rows));
      else remove.run(block);
    },
  };
}
