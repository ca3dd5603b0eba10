import { BadValue, readDuration, type DurationUnit } from '../config/value.js';

/** Epoch seconds of `24h` (ago; a bare number counts in `bareUnit`) or of a time such as 2026-11-21 or 2026-11-21T08:00, local unless it says otherwise. */
export function parseTime(text: string, now: number, bareUnit: DurationUnit): number {
  if (/^\d{4}-\d{2}-\d{2}/.test(text)) {
    const time = Date.parse(text.length === 10 ? `${text}T00:00` : text) / 1000;
    if (Number.isFinite(time)) return Math.floor(time);
  }
  try {
    return now - readDuration(text, bareUnit);
  } catch {
    throw new BadValue(text, 'a duration such as 24h or a time such as 2026-11-21');
  }
}
