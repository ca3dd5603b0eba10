import { isAlive, type Entry } from '../../greylist/decide.js';
import type { Rules } from '../../greylist/settings.js';
import type { StoredEntry } from '../../greylist/store.js';
import { localTime, timestamp } from '../../output/format.js';

/** What people call the states of entries. */
export const shownStates = ['waiting', 'released', 'passed', 'expired'] as const;
export type ShownState = (typeof shownStates)[number];

/** The state of an entry at `now` under these rules. */
export function stateOf(entry: Entry, now: number, rules: Rules): ShownState {
  if (!isAlive(entry, now, rules)) return 'expired';
  if (entry.passedAt !== undefined) return 'passed';
  return entry.releasedAt === undefined ? 'waiting' : 'released';
}

/** A time as programs read it; null where there is none. */
export function optionalTimestamp(time: number | undefined): string | null {
  return time === undefined ? null : timestamp(time);
}

/** The fields of an entry in JSON, but for its state. */
export function entryFields(entry: StoredEntry) {
  const { client, sender, recipient } = entry.triplet;
  return {
    client,
    sender,
    recipient,
    first_seen: timestamp(entry.firstSeen),
    last_seen: timestamp(entry.lastSeen),
    deferrals: entry.deferrals,
    passed_at: optionalTimestamp(entry.passedAt),
    passes: entry.passes,
  };
}

/** An entry in JSON. */
export function entryDocument(entry: StoredEntry, state: string) {
  return { ...entryFields(entry), state, released_at: optionalTimestamp(entry.releasedAt) };
}

/** The columns of a list of entries. */
export const entryColumns = [
  { title: 'STATE' },
  { title: 'FIRST SEEN', dispensable: 1 },
  { title: 'LAST SEEN' },
  { title: 'DEFERRALS', align: 'right', dispensable: 3 },
  { title: 'PASSES', align: 'right', dispensable: 2 },
  { title: 'CLIENT', isElastic: true },
  { title: 'SENDER', isElastic: true },
  { title: 'RECIPIENT', isElastic: true },
] as const;

/** The cells of an entry. */
export function entryRow(entry: StoredEntry, state: string): string[] {
  const { client, sender, recipient } = entry.triplet;
  return [
    ...[state, localTime(entry.firstSeen), localTime(entry.lastSeen)],
    ...[String(entry.deferrals), String(entry.passes), client, sender || '<>', recipient],
  ];
}
