/**
 * Foreign text made harmless. Senders, recipients, HELO and client names are chosen by strangers; on their way to a log, a
 * terminal or a reply, every character that could do more than be read becomes `?`, one for one, as Postfix does.
 */

// Control characters (C0, DEL, C1), line and paragraph separators, bidirectional controls and marks (Unicode TR 36),
// zero-width characters, the byte order mark, tags, noncharacters, and halves of surrogate pairs.
const harmful =
  // eslint-disable-next-line no-control-regex
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]|\p{Surrogate}/gu;

/** Of most text this says quickly that there is nothing to replace. */
const beyondPlainAscii = /[^ -~]/;

/** `text` with every harmful character replaced by `?`. */
export function printable(text: string): string {
  return beyondPlainAscii.test(text) ? text.replace(harmful, '?') : text;
}

/** The first `limit` characters of `text`, harmless; for quoting hostile input in a warning. */
export function excerpt(text: string, limit = 100): string {
  return printable(text.slice(0, limit));
}

/** JSON on one line, with harmful characters that JSON leaves alone written as `\uXXXX`: nothing is lost, nothing acts. */
export function harmlessJson(value: unknown): string {
  return JSON.stringify(value).replace(harmful, (found) =>
    Array.from(
      { length: found.length },
      (_, index) => `\\u${found.charCodeAt(index).toString(16).padStart(4, '0')}`,
    ).join(''),
  );
}
