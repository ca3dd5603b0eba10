import { RE2JS } from 're2js';
import { excerpt } from '../greylist/printable.js';
import { Failure, reasonOf } from '../greylist/failure.js';

/** A regular expression of the operator's that is tried on hostile text: RE2's syntax, linear time, case does not matter. */
export function parsePattern(source: string): { test(text: string): boolean } {
  try {
    const regex = RE2JS.compile(source, RE2JS.CASE_INSENSITIVE);
    return { test: (text) => regex.test(text) };
  } catch (error) {
    throw new Failure(
      `"${excerpt(source)}" is not a regular expression that can be used: ${excerpt(reasonOf(error))}`,
      { kind: 'usage' },
    );
  }
}
