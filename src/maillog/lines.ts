/**
 * Bytes to lines, without I/O.
 *
 * A line ends with LF; one CR before it is dropped. Lines are binary strings: one character a byte (latin1), so that
 * no byte is lost whatever its encoding; addresses become UTF-8 later, field by field. NUL bytes at the start of a line,
 * which a crash leaves in a file, are dropped. Of a line that is longer than the limit the beginning is kept.
 */

/** What is kept of one line: Postfix writes at most 2,000 bytes of text, a journal's JSON some times as much. */
const defaultLineLimitBytes = 65_536;

export interface LineSplitter {
  /** Takes the next block, when `next` has told that there is no line left; the bytes are not referred to afterwards. */
  readonly feed: (block: Buffer) => void;
  /** Moves to the next line; false when the rest of the block is none. */
  readonly next: () => boolean;
  /** The line is `text` from `start` to `end`: most are not worth a string of their own. */
  text: string;
  start: number;
  end: number;
  /** The rest without a line end; empty when there is none. Call once, at the end. */
  readonly finish: () => string;
  /** Bytes beyond the limit that were dropped so far. */
  cutBytes: number;
}

const newline = '\n';
const carriageReturn = 13;

/** Makes a splitter that keeps at most `limitBytes` of a line. */
export function createLineSplitter(limitBytes = defaultLineLimitBytes): LineSplitter {
  let block = '';
  let position = 0;
  let rest = '';
  let dropped = 0;
  let lastByte = 0;

  const set = (text: string, from: number, to: number) => {
    let start = from;
    let end = to;
    if (end > start && text.charCodeAt(end - 1) === carriageReturn) end -= 1;
    while (start < end && text.charCodeAt(start) === 0) start += 1;
    if (end - start > limitBytes) {
      splitter.cutBytes += end - start - limitBytes;
      end = start + limitBytes;
    }
    splitter.text = text;
    splitter.start = start;
    splitter.end = end;
  };
  const remember = (text: string) => {
    let start = 0;
    // A hole of NUL bytes may be longer than any line.
    if (rest === '') while (text.charCodeAt(start) === 0) start += 1;
    const kept = text.slice(start, start + Math.max(0, limitBytes - rest.length));
    rest += kept;
    dropped += text.length - start - kept.length;
    if (start < text.length) lastByte = text.charCodeAt(text.length - 1);
  };
  const takeRest = () => {
    if (dropped > 0) splitter.cutBytes += lastByte === carriageReturn ? dropped - 1 : dropped;
    // Of a line that was cut, the last byte kept is not the last.
    const line = dropped > 0 ? `${rest}\r` : rest;
    rest = '';
    dropped = 0;
    set(line, 0, line.length);
  };

  const splitter: LineSplitter = {
    text: '',
    start: 0,
    end: 0,
    cutBytes: 0,
    feed: (bytes) => {
      block = bytes.toString('latin1');
      position = 0;
    },
    next: () => {
      if (position >= block.length) return false;
      const end = block.indexOf(newline, position);
      const from = position;
      position = end < 0 ? block.length : end + 1;
      if (end < 0) {
        remember(block.slice(from));
        return false;
      }
      if (rest === '' && dropped === 0) {
        set(block, from, end);
      } else {
        remember(block.slice(from, end));
        takeRest();
      }
      return true;
    },
    finish: () => {
      takeRest();
      return splitter.text.slice(splitter.start, splitter.end);
    },
  };
  return splitter;
}
