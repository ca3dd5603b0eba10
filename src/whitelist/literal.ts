/**
 * What every match of a regular expression must hold: looking for it costs much less than the expression, and mostly says no.
 * Errs to the side of nothing: what is not understood needs no literal.
 */

/** Escapes that stand for a place or for one character of a class. Others with a letter or digit are not understood. */
const classEscapes = 'dDwWsSbBAz';

/** Index behind the class `[…]` at `at`; −1 for one that is not plain. */
function classEnd(source: string, at: number): number {
  const plain = /^\[\^?[^\]^[\\][^\][\\]*\]/.exec(source.slice(at));
  return plain ? at + plain[0].length : -1;
}

/** Index behind the group `(?:…)` at `at`; −1 for one that holds groups or classes, and for other groups. */
function groupEnd(source: string, at: number): number {
  const plain = /^\(\?:(?:[^()[\]\\]|\\[^0-9A-Za-z]|\\[dDwWsS])*\)/.exec(source.slice(at));
  return plain ? at + plain[0].length : -1;
}

/** Index behind the repetition at `at`; `at` where there is none. */
function repetitionEnd(source: string, at: number): number {
  const repetition = /^(?:[*+?]|\{\d+(?:,\d*)?\})\??/.exec(source.slice(at));
  return repetition ? at + repetition[0].length : at;
}

/** The next part of an expression: its character where it stands for itself. Undefined for what is not understood. */
function partAt(source: string, at: number): { readonly literal: string; readonly end: number } | undefined {
  const character = source.charAt(at);
  if (character === '[' || character === '(') {
    const end = character === '[' ? classEnd(source, at) : groupEnd(source, at);
    return end < 0 ? undefined : { literal: '', end };
  }
  if (character === '\\') {
    const escaped = source.charAt(at + 1);
    if (classEscapes.includes(escaped)) return { literal: '', end: at + 2 };
    return /[^0-9A-Za-z\0-\x20\x7f-\uffff]/.test(escaped) ? { literal: escaped, end: at + 2 } : undefined;
  }
  if ('^$.'.includes(character)) return { literal: '', end: at + 1 };
  if ('()|{}*+?]'.includes(character) || character > '\x7e') return undefined;
  return { literal: character, end: at + 1 };
}

/**
 * The longest text, in lower case, that is in everything that an RE2 expression (regardless of case) matches of ASCII text;
 * empty when there is none, or none that is easily told.
 */
export function requiredLiteral(source: string): string {
  let longest = '';
  let run = '';
  const endRun = () => {
    if (run.length > longest.length) longest = run;
    run = '';
  };
  for (let at = 0; at < source.length;) {
    const part = partAt(source, at);
    if (!part) return '';
    at = repetitionEnd(source, part.end);
    if (at === part.end && part.literal !== '') run += part.literal;
    else endRun();
  }
  endRun();
  return longest.toLowerCase();
}
