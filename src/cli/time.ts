import { BadValue, readDuration, type DurationUnit } from '../config/value.js';

/** True when the day that a text such as 2026-11-21 or 2026-11-21T08:00 begins with is in the calendar; Date takes 2026-11-31 for the next. */
export function isDay(text: string): boolean {
  const [, day] = /^(\d{4}-\d{2}-\d{2})(?!\d)/.exec(text) ?? [];
  if (day === undefined) return false;
  const time = new Date(`${day}T00:00Z`);
  return Number.isFinite(time.getTime()) && time.toISOString().startsWith(day);
}

/**
 * Epoch seconds of `24h` or `24h ago` (a bare number counts in `bareUnit`), or of a time such as 2026-11-21 or 2026-11-21T08:00, local
 * unless it says otherwise.
 */
export function parseTime(text: string, now: number, bareUnit: DurationUnit): number {
  if (isDay(text)) {
    const time = Date.parse(text.length === 10 ? `${text}T00:00` : text) / 1000;
    if (Number.isFinite(time)) return Math.floor(time);
  }
  try {
    // A year is not so many hours.
    if (/^(?:19|20)\d\d$/.test(text)) throw new BadValue(text, 'a duration');
    return now - readDuration(text.replace(/\s+ago\s*$/, ''), bareUnit);
  } catch {
    throw new BadValue(text, 'a duration such as 24h or a time such as 2026-11-21');
  }
}
