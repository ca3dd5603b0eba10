import type { ChalkInstance } from 'chalk';
import Table from 'cli-table3';
import displayWidth from 'string-width';
import { printable } from '../greylist/printable.js';

export interface Column {
  readonly title: string;
  /** Numbers stand to the right. */
  readonly align?: 'left' | 'right';
  /** May be cut in the middle where the terminal is too narrow. */
  readonly isElastic?: boolean;
  /** May be left out where the terminal is too narrow, the lowest number first; before them goes what holds nothing but `-`. */
  readonly dispensable?: number;
}

export interface TableStyle {
  readonly isTerminal: boolean;
  readonly style: ChalkInstance;
  /** Columns of the terminal; a CJK character or an emoji takes two. */
  readonly width: number;
}

const gap = 2;
const narrowest = 8;
/** While elastic columns have less than they need up to this, others are left out: enough of both ends of an address. */
const readable = 16;

// What people see as one character is never split: no surrogate pair, no letter from its accent.
const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** As many of the characters, from the first on, as fit into `width` columns. */
function fitting(characters: readonly string[], width: number): string[] {
  let room = width;
  const end = characters.findIndex((character) => (room -= displayWidth(character)) < 0);
  return characters.slice(0, end < 0 ? undefined : end);
}

/** Cuts the middle out of a text of more than `width` columns: both ends of an address tell who it is. */
export function cutMiddle(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  const characters = Array.from(graphemes.segment(text), ({ segment }) => segment);
  const head = fitting(characters, Math.ceil((width - 1) / 2)).join('');
  const tail = fitting(characters.toReversed(), width - 1 - displayWidth(head));
  return `${head}…${tail.toReversed().join('')}`;
}

function widthOf(sizes: readonly number[]): number {
  return sizes.reduce((sum, width) => sum + width + gap, -gap);
}

/** What each column takes when nothing is cut. */
function naturalWidths(columns: readonly Column[], rows: readonly (readonly string[])[]): number[] {
  return columns.map((column, index) =>
    rows.reduce(
      (widest, row) => Math.max(widest, displayWidth(row[index] ?? '')),
      displayWidth(column.title),
    ),
  );
}

/** The columns, by number, that there is room for. */
function chosen(
  columns: readonly Column[],
  cells: readonly (readonly string[])[],
  natural: readonly number[],
  available: number,
): number[] {
  const needed = natural.map((width, index) =>
    columns[index]?.isElastic ? Math.min(width, readable) : width,
  );
  const isEmpty = (index: number) => cells.every((row) => row[index] === '-');
  const order = columns
    .map(({ dispensable }, index) => ({ dispensable: isEmpty(index) ? 0 : dispensable, index }))
    .filter((one): one is { dispensable: number; index: number } => one.dispensable !== undefined)
    .sort((a, b) => a.dispensable - b.dispensable);
  let kept = [...columns.keys()];
  for (const { index } of order) {
    if (widthOf(kept.map((one) => needed[one] ?? 0)) <= available) break;
    kept = kept.filter((one) => one !== index);
  }
  return kept;
}

/** The widths at which columns fit, as far as they can be cut. */
function fittedWidths(columns: readonly Column[], sizes: readonly number[], available: number): number[] {
  const natural = [...sizes];
  let excess = widthOf(natural) - available;
  // The widest elastic column gives first.
  while (excess > 0) {
    const candidates = natural.flatMap((width, index) =>
      columns[index]?.isElastic && width > narrowest ? [index] : [],
    );
    const widest = candidates.reduce(
      (best, index) => ((natural[index] ?? 0) > (natural[best] ?? 0) ? index : best),
      candidates[0] ?? -1,
    );
    if (widest < 0) break;
    natural[widest] = (natural[widest] ?? 0) - 1;
    excess -= 1;
  }
  return natural;
}

function drawTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  sizes: number[],
  table: TableStyle,
): string {
  const drawn = new Table({
    head: columns.map(({ title }) => table.style.bold(printable(title))),
    chars: Object.fromEntries(
      ['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right']
        .concat(['left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid', 'middle'])
        .map((part) => [part, part === 'middle' ? ' '.repeat(gap) : '']),
    ),
    style: { head: [], border: [], compact: true, 'padding-left': 0, 'padding-right': 0 },
    colAligns: columns.map(({ align }) => align ?? 'left'),
    colWidths: sizes,
  });
  for (const row of rows) drawn.push(row.map((cell, index) => cutMiddle(cell, sizes[index] ?? 0)));
  return drawn
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

/** The table as text without the last line end; cells are made harmless. Off a terminal: tab-separated, nothing cut or left out, no head without columns. */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  table: TableStyle,
): string {
  const cells = rows.map((row) => row.map(printable));
  if (!table.isTerminal) {
    const head = columns.length > 0 ? [columns.map(({ title }) => printable(title))] : [];
    return [...head, ...cells].map((row) => row.join('\t')).join('\n');
  }
  const natural = naturalWidths(columns, cells);
  const kept = chosen(columns, cells, natural, table.width);
  const pick = <T>(all: readonly T[]) => all.filter((_, index) => kept.includes(index));
  const sizes = fittedWidths(pick(columns), pick(natural), table.width);
  const drawn = drawTable(pick(columns), cells.map(pick), sizes, table);
  const missing = columns.filter((_, index) => !kept.includes(index)).map(({ title }) => printable(title));
  if (missing.length === 0) return drawn;
  return `${drawn}\n${table.style.dim(`No room for ${missing.join(', ')}: a wider terminal or --json shows them.`)}`;
}
