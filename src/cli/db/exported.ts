/**
 * The export format, version 1: UTF-8, one JSON object a line. The first line is the header
 * `{"greyctl_export":1,"exported_at":TIME,"hashed":BOOLEAN}`; every other has a `type`: `entry`, `awl`, `window`, `whitelist`, `tally`,
 * `delay`, and the fields of that type. Times are RFC 3339 in UTC to the second. Fields that are not known are skipped, types that are not known refused.
 */
import type {
  HourlyDelay,
  ListedEntry,
  RecipientWindow,
  StoredClient,
  StoredEntry,
  Tally,
} from '../../greylist/store.js';
import { timestamp } from '../../output/format.js';
import { entryFields, optionalTimestamp } from './entry.js';

/** The version that is written, and the only one that is read. */
export const exportVersion = 1;

/** What a line holds. */
export type ExportedLine =
  | { readonly type: 'entry'; readonly value: StoredEntry }
  | { readonly type: 'awl'; readonly value: StoredClient }
  | { readonly type: 'window'; readonly value: RecipientWindow }
  | { readonly type: 'whitelist'; readonly value: Omit<ListedEntry, 'id'> }
  | { readonly type: 'tally'; readonly value: Tally }
  | { readonly type: 'delay'; readonly value: HourlyDelay };

/** The object of a line. */
export function exportedDocument(line: ExportedLine): Record<string, unknown> {
  const { type, value } = line;
  switch (type) {
    case 'entry':
      return { type, ...entryFields(value), released_at: optionalTimestamp(value.releasedAt) };
    case 'awl':
      return { type, address: value.address, count: value.count, last_counted: timestamp(value.lastCounted) };
    case 'window':
      return { type, recipient: value.recipient, open_until: timestamp(value.until) };
    case 'whitelist':
      return {
        type,
        kind: value.kind,
        pattern: value.pattern,
        comment: value.comment,
        added_at: timestamp(value.addedAt),
        expires_at: optionalTimestamp(value.expiresAt),
        hits: value.hits,
        last_hit: optionalTimestamp(value.lastHit),
      };
    case 'tally':
      return {
        type,
        hour: timestamp(value.hour),
        verdict: value.verdict,
        reason: value.reason,
        count: value.count,
      };
    case 'delay':
      return { type, hour: timestamp(value.hour), seconds: value.seconds, count: value.count };
  }
}

/** What is wrong with a line; the message completes "line N: ". */
export class BadLine extends Error {}

type Fields = Readonly<Record<string, unknown>>;

/** The object in the text of a line; throws a BadLine where there is none. */
export function fieldsOf(text: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new BadLine('it is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new BadLine('it is not a JSON object');
  return value as Fields;
}

function text(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value === 'string') return value;
  throw new BadLine(`"${name}" is not a text`);
}

function number(fields: Fields, name: string): number {
  const value = fields[name];
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new BadLine(`"${name}" is not a whole number`);
}

function time(fields: Fields, name: string): number {
  const value = fields[name];
  const milliseconds =
    typeof value === 'string' && /^\d{4,6}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(value) ? Date.parse(value) : NaN;
  if (!Number.isNaN(milliseconds)) return milliseconds / 1000;
  throw new BadLine(`"${name}" is not a time such as 2026-11-21T08:00:00Z`);
}

function optionalTime<const K extends string>(
  fields: Fields,
  name: string,
  key: K,
): Partial<Record<K, number>> {
  const value = fields[name];
  if (value === null || value === undefined) return {};
  // A record of one key that is known here only as K.
  return { [key]: time(fields, name) } as Partial<Record<K, number>>;
}

function listKind(fields: Fields): ListedEntry['kind'] {
  const { kind } = fields;
  if (kind === 'client' || kind === 'recipient' || kind === 'sender') return kind;
  throw new BadLine('"kind" is not client, recipient or sender');
}

function entryIn(fields: Fields): StoredEntry {
  return {
    triplet: {
      client: text(fields, 'client'),
      sender: text(fields, 'sender'),
      recipient: text(fields, 'recipient'),
    },
    firstSeen: time(fields, 'first_seen'),
    lastSeen: time(fields, 'last_seen'),
    deferrals: number(fields, 'deferrals'),
    ...optionalTime(fields, 'passed_at', 'passedAt'),
    passes: number(fields, 'passes'),
    ...optionalTime(fields, 'released_at', 'releasedAt'),
  };
}

function tallyIn(fields: Fields): Tally {
  const { verdict } = fields;
  if (verdict !== 'pass' && verdict !== 'greylist') throw new BadLine('"verdict" is not pass or greylist');
  // A reason of another version is counted and shown like those of this one.
  const reason = text(fields, 'reason') as Tally['reason'];
  return { hour: time(fields, 'hour'), verdict, reason, count: number(fields, 'count') };
}

/** Reads the object of a line that is not the header; throws a BadLine. */
export function readLine(fields: Fields): ExportedLine {
  switch (fields['type']) {
    case 'entry':
      return { type: 'entry', value: entryIn(fields) };
    case 'awl': {
      const [address, count] = [text(fields, 'address'), number(fields, 'count')];
      return { type: 'awl', value: { address, count, lastCounted: time(fields, 'last_counted') } };
    }
    case 'window':
      return {
        type: 'window',
        value: { recipient: text(fields, 'recipient'), until: time(fields, 'open_until') },
      };
    case 'whitelist':
      return {
        type: 'whitelist',
        value: {
          kind: listKind(fields),
          pattern: text(fields, 'pattern'),
          comment: text(fields, 'comment'),
          addedAt: time(fields, 'added_at'),
          ...optionalTime(fields, 'expires_at', 'expiresAt'),
          hits: number(fields, 'hits'),
          ...optionalTime(fields, 'last_hit', 'lastHit'),
        },
      };
    case 'tally':
      return { type: 'tally', value: tallyIn(fields) };
    case 'delay': {
      const [seconds, count] = [number(fields, 'seconds'), number(fields, 'count')];
      return { type: 'delay', value: { hour: time(fields, 'hour'), seconds, count } };
    }
    default:
      throw new BadLine('its "type" is not entry, awl, window, whitelist, tally or delay');
  }
}
