/**
 * The table of entries. New rows are only ever put at its end, so that a batch of new triplets writes a few pages and not one for each,
 * which is what a tree in the order of the keys, or an index on them, would cost. Keys are found through the index of their hashes in
 * memory. A row is believed only when its key is the one asked for: the index may hold ids too many, but never too few.
 */
import type Database from 'better-sqlite3';
import type { Entry } from '../../greylist/decide.js';
import type { Triplet } from '../../greylist/triplet.js';
import { blockIds, blockOf, hashBlocks, type HashedRow } from './hashblocks.js';
import { HashIndex } from './hashindex.js';
import { keyHash, type HashSeed } from '../keyhash.js';
import { entryOf, type EntryRow } from './rows.js';
import { WaitingCounts, type WaitingChange } from './waitingcounts.js';

/** An entry, and the id of its row. */
export interface Found {
  readonly id: number;
  readonly entry: Entry;
}

/** A part of the table, as the purge sees it. */
export interface Look {
  /** Where to go on; Infinity at the end. */
  readonly next: number;
  /** The clients of rows that wait and are believed, and the rows that nobody believes any more. */
  readonly waiting: readonly string[];
  readonly dead: readonly (EntryRow & HashedRow)[];
  /** Hashes in key_hashes of rows that are dead or not there any more, and the others. */
  readonly gone: readonly HashedRow[];
  readonly kept: readonly HashedRow[];
}

type RawRow = readonly [
  client: string,
  sender: string,
  recipient: string,
  firstSeen: number,
  lastSeen: number,
  deferrals: number,
  passedAt: number | null,
  passes: number,
  releasedAt: number | null,
];

function entryOfRaw([, , , firstSeen, lastSeen, deferrals, passedAt, passes, releasedAt]: RawRow): Entry {
  // Always of the same shape, which is much faster than leaving out what is not there.
  return {
    firstSeen,
    lastSeen,
    deferrals,
    passedAt: passedAt ?? undefined,
    passes,
    releasedAt: releasedAt ?? undefined,
  };
}

type KeyRow = Triplet & { readonly id: number };

function prepareStatements(db: Database.Database) {
  return {
    // Rows as lists: objects cost several times as much.
    row: db
      .prepare<[number], RawRow>(
        `SELECT client, sender, recipient, first_seen, last_seen, deferrals, passed_at, passes, released_at
         FROM entries WHERE id = ?`,
      )
      .raw(),
    insert: db.prepare(
      `INSERT INTO entries (client, sender, recipient, first_seen, last_seen, deferrals, passed_at, passes, released_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    update: db.prepare(
      `UPDATE entries SET first_seen = ?, last_seen = ?, deferrals = ?, passed_at = ?, passes = ?, released_at = ?
       WHERE id = ?`,
    ),
    lastId: db.prepare<[], number | null>('SELECT max(id) FROM entries').pluck(),
    keysAfter: db.prepare<[number], KeyRow & { readonly waits: 0 | 1 }>(
      'SELECT id, client, sender, recipient, passed_at IS NULL AS waits FROM entries WHERE id > ? ORDER BY id',
    ),
    keysBetween: db.prepare<[number, number], KeyRow>(
      'SELECT id, client, sender, recipient FROM entries WHERE id >= ? AND id < ? ORDER BY id',
    ),
    seed: db.prepare<[], HashSeed>('SELECT start, factor FROM key_hash_seed'),
    next: db.prepare<[number, number, number], EntryRow>(
      'SELECT * FROM entries WHERE id >= ? AND id < ? ORDER BY id LIMIT ?',
    ),
    remove: db.prepare('DELETE FROM entries WHERE id = ?'),
  };
}

function valuesOf({ firstSeen, lastSeen, deferrals, passedAt, passes, releasedAt }: Entry) {
  return [firstSeen, lastSeen, deferrals, passedAt ?? null, passes, releasedAt ?? null] as const;
}

function waits(entry: Entry | undefined): number {
  return entry && entry.passedAt === undefined ? 1 : 0;
}

export class EntryTable {
  readonly #sql: ReturnType<typeof prepareStatements>;
  readonly #blocks: ReturnType<typeof hashBlocks>;
  readonly #seed: HashSeed;
  /** Made when it is first needed: what only lists has no use for it. */
  #index: HashIndex | undefined;
  /** The index knows all committed rows up to this id. */
  #lastKnown = 0;
  #lastInserted = 0;
  /** What the transaction under way has put into the index; of one that failed, until the next. */
  #uncommitted: HashedRow[] = [];
  #waiting: WaitingCounts | undefined;
  /** What the transaction under way changes of them. */
  #waitingChanges: WaitingChange[] = [];

  constructor(db: Database.Database) {
    this.#sql = prepareStatements(db);
    this.#blocks = hashBlocks(db);
    const seed = this.#sql.seed.get();
    if (!seed) throw new Error('the table key_hash_seed is empty');
    this.#seed = seed;
  }

  #hash(triplet: Triplet): number {
    return keyHash(triplet, this.#seed);
  }

  #load(): HashIndex {
    const index = new HashIndex(this.#blocks.mostHashes());
    const last = this.#blocks.last();
    index.addAll((take) => {
      this.#blocks.tell(0, last, take);
    });
    this.#lastKnown = (last + 1) * blockIds - 1;
    return index;
  }

  /** Takes in what others have added: to be called in every transaction before keys are looked for. */
  catchUp(): void {
    this.#index ??= this.#load();
    this.#lastInserted = 0;
    this.#waitingChanges = [];
    for (const { id, hash } of this.#uncommitted) this.#index.delete(hash, id);
    this.#uncommitted = [];
    if ((this.#sql.lastId.get() ?? 0) <= this.#lastKnown) return;
    for (const row of this.#sql.keysAfter.iterate(this.#lastKnown)) {
      this.#index.add(this.#hash(row), row.id);
      this.#lastKnown = row.id;
      if (row.waits) this.#waiting?.changed({ id: row.id, client: row.client, by: 1 });
    }
    this.#waiting ??= new WaitingCounts(this.#seed, this.#lastKnown + 1);
  }

  /** To be called after a transaction that was committed. */
  committed(): void {
    this.#uncommitted = [];
    this.#lastKnown = Math.max(this.#lastKnown, this.#lastInserted);
    for (const change of this.#waitingChanges) this.#waiting?.changed(change);
    this.#waitingChanges = [];
  }

  find(triplet: Triplet): Found | undefined {
    const { client, sender, recipient } = triplet;
    let row: RawRow | undefined;
    const id = this.#index?.find(this.#hash(triplet), (candidate) => {
      row = this.#sql.row.get(candidate);
      return row?.[2] === recipient && row[1] === sender && row[0] === client;
    });
    return id && row ? { id, entry: entryOfRaw(row) } : undefined;
  }

  /** The entry of a triplet as others get it: what it does not have is left out. */
  known(triplet: Triplet): Entry | undefined {
    const found = this.find(triplet);
    if (!found) return undefined;
    const { passedAt, releasedAt, ...entry } = found.entry;
    return {
      ...entry,
      ...(passedAt !== undefined && { passedAt }),
      ...(releasedAt !== undefined && { releasedAt }),
    };
  }

  /** Writes what is known of a triplet from now on; `found` is what `find` gave in this transaction. */
  write(triplet: Triplet, entry: Entry, found: Found | undefined): void {
    const by = waits(entry) - waits(found?.entry);
    if (found) {
      this.#sql.update.run(...valuesOf(entry), found.id);
      if (by !== 0) this.#waitingChanges.push({ id: found.id, client: triplet.client, by });
      return;
    }
    const { client, sender, recipient } = triplet;
    const id = Number(this.#sql.insert.run(client, sender, recipient, ...valuesOf(entry)).lastInsertRowid);
    const hash = this.#hash(triplet);
    this.#index?.add(hash, id);
    this.#uncommitted.push({ id, hash });
    this.#lastInserted = id;
    if (by !== 0) this.#waitingChanges.push({ id, client, by });
    // Ids are given one after the other: this is the first of a block.
    if (id % blockIds === 0) this.#writeBlock(id / blockIds - 1);
  }

  #writeBlock(block: number): void {
    const rows = this.#sql.keysBetween.all(block * blockIds, (block + 1) * blockIds);
    this.#blocks.write(
      block,
      rows.map((row) => ({ id: row.id, hash: this.#hash(row) })),
    );
  }

  /** How many triplets wait, all and of this client key; see WaitingCounts. */
  waitingOf(client: string) {
    return this.#waiting?.of(client);
  }

  /** False when it was not there, or `lastSeen` is given and is not what it has. */
  remove(triplet: Triplet, lastSeen: number | undefined): boolean {
    const found = this.find(triplet);
    if (!found || (lastSeen !== undefined && found.entry.lastSeen !== lastSeen)) return false;
    const by = -waits(found.entry);
    if (by !== 0) this.#waitingChanges.push({ id: found.id, client: triplet.client, by });
    return this.#sql.remove.run(found.id).changes > 0;
  }

  /** How many rows nobody would find by their keys; 0 unless key_hashes is wrong. */
  lost(): number {
    this.catchUp();
    let count = 0;
    for (const row of this.#sql.keysAfter.iterate(0))
      if (this.#index?.find(this.#hash(row), (id) => id === row.id) !== row.id) count += 1;
    return count;
  }

  /** To be called before the purge begins with the first row. */
  beginRound(): void {
    this.#waiting?.begin(this.#lastKnown + 1);
  }

  /** Looks at the rows from id `from` on, up to the end of a block: what of them is dead, and what the index should no longer know. */
  look(from: number, isAlive: (entry: Entry) => boolean): Look {
    // A round ends where it began: what has come since is young, and counted as it comes.
    const end = Math.min(this.#waiting?.roundEnd ?? Infinity, Number.MAX_SAFE_INTEGER);
    const rows = this.#sql.next.all(from, end, blockIds);
    const first = blockOf(rows[0]?.id ?? from);
    const last = blockOf(rows.at(-1)?.id ?? from);
    const isEnd = rows.length < blockIds;
    // The last of several blocks may not be there as a whole.
    const next = isEnd ? Infinity : first === last ? last + 1 : last;
    const seen = rows.filter((row) => blockOf(row.id) < next);
    const dead = seen.filter((row) => !isAlive(entryOf(row)));
    const alive = new Set(seen.map((row) => row.id));
    for (const { id } of dead) alive.delete(id);
    const known: HashedRow[] = [];
    this.#blocks.tell(blockOf(from), Math.min(next - 1, blockOf(end - 1)), (hash, id) =>
      known.push({ id, hash }),
    );
    // Rows behind the end have not been looked at: nothing is said about them.
    const isGone = ({ id }: HashedRow) => id < end && !alive.has(id);
    return {
      next: next * blockIds,
      waiting: seen.flatMap((row) => (row.passed_at === null && alive.has(row.id) ? row.client : [])),
      dead: dead.map((row) => ({ ...row, hash: this.#hash(row) })),
      gone: known.filter(isGone),
      kept: known.filter((row) => !isGone(row)),
    };
  }

  /** Removes what `look` found dead, within the same transaction. */
  clear({ dead, gone, kept }: Look): void {
    for (const { id } of dead) this.#sql.remove.run(id);
    for (const block of new Set(gone.map(({ id }) => blockOf(id)))) {
      this.#blocks.write(
        block,
        kept.filter(({ id }) => blockOf(id) === block),
      );
    }
  }

  /** To be called when what `look` found is done with, and the transaction of `clear` was committed. */
  passed({ dead, gone, waiting, next }: Look): void {
    for (const { id, hash } of [...dead, ...gone]) this.#index?.delete(hash, id);
    for (const { id, client, passed_at: passedAt } of dead) {
      if (passedAt === null) this.#waiting?.changed({ id, client, by: -1 });
    }
    this.#waiting?.passed(waiting, next, next === Infinity);
  }
}
