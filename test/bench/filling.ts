/** Large databases for greyctl, written through its own store, whatever its tables are. */
import type { StoredEntry } from '#src/greylist/store.js';
import { openSqlite } from '#src/store/sqlite/client.js';

export interface Filling {
  readonly entries: number;
  /** How long ago they were seen last, seconds; waiting ones for the first time, too. */
  readonly ageSeconds: number;
  /** Of ten, so many have passed. */
  readonly passedOfTen: number;
}

const batchEntries = 10_000;
const letters = 'ghijklmnopqrstuv';
/** Networks of three octets from 100 to 227, as the load's clients are in; in text order, which fills a tree quickly. */
const networks = 128 ** 3;

function networkOf(index: number, { entries }: Filling): string {
  const number = Math.floor((index * networks) / entries);
  return `${[14, 7, 0].map((bits) => 100 + ((number >>> bits) & 127)).join('.')}.0`;
}

function entryOf(index: number, now: number, filling: Filling): StoredEntry {
  const seen = now - filling.ageSeconds;
  const hasPassed = index % 10 < filling.passedOfTen;
  const name = Array.from({ length: 8 }, (_, place) => letters[(index >>> (28 - 4 * place)) & 15]).join('');
  return {
    triplet: {
      client: networkOf(index, filling),
      // Another domain than the load's: none of its triplets is among these.
      sender: `${name}@mail.example.net`,
      recipient: 'bob@example.org',
    },
    ...{ firstSeen: hasPassed ? seen - 600 : seen, lastSeen: seen, deferrals: 1 },
    ...(hasPassed ? { passedAt: seen, passes: 1 } : { passes: 0 }),
  };
}

/** Adds entries to the database at `location`, which no server has open. */
export async function fill(location: string, filling: Filling, now: number): Promise<void> {
  const store = await openSqlite(location);
  try {
    for (let from = 0; from < filling.entries; from += batchEntries) {
      const length = Math.min(batchEntries, filling.entries - from);
      await store.merge(
        Array.from({ length }, (_, index) => entryOf(from + index, now, filling)),
        [],
      );
    }
  } finally {
    await store.close();
  }
}

/** How many entries the database at `location` holds. */
export async function entriesIn(location: string): Promise<number> {
  const store = await openSqlite(location);
  try {
    const { waiting, passed } = await store.info();
    return waiting + passed;
  } finally {
    await store.close();
  }
}
