/**
 * What Berkeley DB's db_dump writes: header lines up to `HEADER=END`, then a key and a value on a line each, with a blank in front,
 * up to `DATA=END`. `format=bytevalue` has every byte in hexadecimal; `format=print` (db_dump -p) has printable ASCII as it is, `\\` for a
 * backslash and `\hh` for any other byte. Of several databases in one dump all are read as one.
 */
import { Failure } from '../greylist/failure.js';
import { excerpt } from '../greylist/printable.js';

export interface DumpRecord {
  readonly key: string;
  readonly value: string;
}

export interface DumpParser {
  /** Takes the next line, without its end; gives a record where the line completes one. Throws a Failure for what is no dump. */
  line(text: string): DumpRecord | undefined;
  /** Throws a Failure unless the dump is complete. */
  end(): void;
}

function fromHexadecimal(text: string): string | undefined {
  if (text.length % 2 !== 0 || !/^[\da-f]*$/i.test(text)) return undefined;
  return Buffer.from(text, 'hex').toString('utf8');
}

function fromPrintable(text: string): string | undefined {
  if (!text.includes('\\')) return text;
  if (!/^(?:[^\\]|\\\\|\\[\da-f]{2})*$/i.test(text)) return undefined;
  const bytes = text.replace(/\\(\\|[\da-f]{2})/gi, (_, escaped: string) =>
    escaped === '\\' ? escaped : String.fromCharCode(Number.parseInt(escaped, 16)),
  );
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

/** Reads the dump called `name` line by line; lines are latin1, one character a byte. */
export function createDumpParser(name: string): DumpParser {
  let decode = fromHexadecimal;
  let place: 'header' | 'data' | 'end' = 'header';
  let seen = 0;
  let key: string | undefined;

  const refuse = (text: string): never => {
    throw new Failure(`cannot read ${name}: line ${seen} is not what db_dump writes: "${excerpt(text)}"`);
  };
  const header = (text: string): void => {
    if (!/^\w+=/.test(text)) refuse(text);
    if (text === 'format=print') decode = fromPrintable;
    if (text === 'format=bytevalue') decode = fromHexadecimal;
    if (text === 'HEADER=END') place = 'data';
  };

  return {
    line: (text) => {
      seen += 1;
      if (place === 'end') place = 'header';
      if (place === 'header') {
        header(text);
        return undefined;
      }
      if (text === 'DATA=END' && key === undefined) {
        place = 'end';
        return undefined;
      }
      const decoded = text.startsWith(' ') ? decode(text.slice(1)) : undefined;
      if (decoded === undefined) return refuse(text);
      if (key === undefined) {
        key = decoded;
        return undefined;
      }
      const record = { key, value: decoded };
      key = undefined;
      return record;
    },
    end: () => {
      if (place === 'end') return;
      throw new Failure(`cannot read ${name}: it is no complete dump, DATA=END is missing`);
    },
  };
}
