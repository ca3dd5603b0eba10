import { readDuration } from '../../config/value.js';
import { Failure } from '../../greylist/failure.js';
import { excerpt } from '../../greylist/printable.js';
import type { ListKind } from '../../greylist/store.js';
import { isDay } from '../time.js';

/** All kinds of entries. */
export const kinds: readonly ListKind[] = ['client', 'recipient', 'sender'];

/** True for the name of a kind. */
export function isKind(word: string): word is ListKind {
  return (kinds as readonly string[]).includes(word);
}

/** `30d` from now, or the end of a day such as 2026-12-31 (local time). */
export function expiryOf(given: string | undefined, now: number): number | undefined {
  if (given === undefined) return undefined;
  if (/^\d{4}-\d{2}-\d{2}$/.test(given)) {
    const end = Date.parse(`${given}T23:59:59`) / 1000;
    if (isDay(given) && end > now) return end;
    throw new Failure(`--expires: ${given} is past, or no date`, { kind: 'usage' });
  }
  try {
    const seconds = readDuration(given, 'd');
    if (seconds > 0) return now + seconds;
  } catch {
    // Said below.
  }
  throw new Failure(
    `--expires: "${excerpt(given)}" is neither a duration such as 30d nor a date such as 2026-12-31`,
    {
      kind: 'usage',
    },
  );
}
