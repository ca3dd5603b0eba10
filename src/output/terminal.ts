import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { Chalk, type ChalkInstance } from 'chalk';
import { harmlessJson } from '../greylist/printable.js';
import { renderTable, type Column } from './table.js';

export type ColorWhen = 'auto' | 'always' | 'never';

/** What of a tty.WriteStream is used. */
type Stream = Writable & { readonly isTTY?: boolean; readonly columns?: number };

/** Standard output for people or programs. Texts must be harmless already; tables and JSON see to it themselves. */
export interface Terminal {
  readonly isTerminal: boolean;
  readonly style: ChalkInstance;
  /** Writes a line; resolves when there is room for more. */
  line(text?: string): Promise<void>;
  /** Writes sentences, on a terminal in lines that fit. */
  sentences(text: string): Promise<void>;
  /** Writes one JSON document on one line. */
  json(value: unknown): Promise<void>;
  /** A table on a terminal, tab-separated lines elsewhere. */
  table(columns: readonly Column[], rows: readonly (readonly string[])[]): Promise<void>;
}

/** NO_COLOR (no-color.org) switches colour off, unless `always` was asked for. */
export function wantsColor(
  when: ColorWhen,
  isTerminal: boolean,
  environment: Readonly<Record<string, string | undefined>>,
): boolean {
  if (when !== 'auto') return when === 'always';
  return isTerminal && !environment['NO_COLOR'] && environment['TERM'] !== 'dumb';
}

/** A terminal that does not know its width says 0. */
function columnsOf({ columns = 0 }: Stream): number {
  return columns > 0 ? columns : 80;
}

/** The words of a text of ASCII in lines of at most `width` columns, as far as words are no longer. */
function folded(text: string, width: number): string {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? '';
    if (line === '') lines[lines.length - 1] = word;
    else if (line.length + 1 + word.length <= width) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines.join('\n');
}

/** Standard output on `stream`. */
export function createTerminal(
  stream: Stream,
  color: ColorWhen,
  environment: Readonly<Record<string, string | undefined>>,
): Terminal {
  const isTerminal = stream.isTTY === true;
  const style = new Chalk({ level: wantsColor(color, isTerminal, environment) ? 1 : 0 });
  const write = async (text: string) => {
    if (!stream.write(`${text}\n`)) await once(stream, 'drain');
  };
  return {
    isTerminal,
    style,
    line: (text = '') => write(text),
    sentences: (text) => write(isTerminal ? folded(text, columnsOf(stream)) : text),
    json: (value) => write(harmlessJson(value)),
    table: (columns, rows) =>
      write(renderTable(columns, rows, { isTerminal, style, width: columnsOf(stream) })),
  };
}
