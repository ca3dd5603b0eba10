/**
 * Bytes to lines, without I/O.
 *
 * A line ends with LF; one CR before it is dropped. Lines are binary strings: one character a byte (latin1), so that
 * no byte is lost whatever its encoding; addresses become UTF-8 later, field by field. NUL bytes at the start of a line,
 * which a crash leaves in a file, are dropped. Of a line that is longer than the limit the beginning is kept.
 */

/** What is kept of one line: Postfix writes at most 2,000 bytes of text, journals more. */
export const defaultLineLimitBytes = 65_536;

export interface LineSplitter {
  /** The lines that end in `block`; the bytes are not referred to afterwards. */
  push: (block: Buffer) => string[];
  /** The rest without a line end; empty when there is none. Call once, at the end. */
  finish: () => string;
  /** Bytes beyond the limit that were dropped so far. */
  cutBytes: () => number;
}

function withoutNuls(line: string): string {
  let start = 0;
  while (line.charCodeAt(start) === 0) start += 1;
  return line.slice(start);
}

/** Makes a splitter that keeps at most `limitBytes` of a line. */
export function createLineSplitter(limitBytes = defaultLineLimitBytes): LineSplitter {
  let rest = '';
  let cut = 0;

  const kept = (line: string): string => {
    let whole = line;
    if (whole.charCodeAt(whole.length - 1) === 13) whole = whole.slice(0, -1);
    if (whole.charCodeAt(0) === 0) whole = withoutNuls(whole);
    if (whole.length <= limitBytes) return whole;
    cut += whole.length - limitBytes;
    return whole.slice(0, limitBytes);
  };

  const remember = (text: string) => {
    // One byte more than the limit, because the last one may be the CR.
    const room = Math.max(0, limitBytes + 1 - rest.length);
    if (text.length > room) cut += text.length - room;
    rest += text.slice(0, room);
  };

  return {
    push: (block) => {
      const text = block.toString('latin1');
      const lines: string[] = [];
      let start = 0;
      let end = text.indexOf('\n');
      if (end >= 0 && rest !== '') {
        remember(text.slice(0, end));
        lines.push(kept(rest));
        rest = '';
        start = end + 1;
        end = text.indexOf('\n', start);
      }
      for (; end >= 0; end = text.indexOf('\n', start)) {
        lines.push(kept(text.slice(start, end)));
        start = end + 1;
      }
      if (start < text.length) remember(text.slice(start));
      return lines;
    },
    finish: () => {
      const line = kept(rest);
      rest = '';
      return line;
    },
    cutBytes: () => cut,
  };
}
