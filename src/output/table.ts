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
}

export interface TableStyle {
  readonly isTerminal: boolean;
  readonly style: ChalkInstance;
  /** Columns of the terminal; a CJK character or an emoji takes two. */
  readonly width: number;
}

const gap = 2;
const narrowest = 8;

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

function widths(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  available: number,
): number[] {
  const natural = columns.map((column, index) =>
    rows.reduce(
      (widest, row) => Math.max(widest, displayWidth(row[index] ?? '')),
      displayWidth(column.title),
    ),
  );
  let excess = natural.reduce((sum, width) => sum + width + gap, -gap) - available;
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

/** The table as text without the last line end; cells are made harmless. Off a terminal: tab-separated, nothing cut. */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  table: TableStyle,
): string {
  const cells = rows.map((row) => row.map(printable));
  if (!table.isTerminal)
    return [columns.map(({ title }) => printable(title)), ...cells].map((row) => row.join('\t')).join('\n');
  const sizes = widths(columns, cells, table.width);
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
  for (const row of cells) drawn.push(row.map((cell, index) => cutMiddle(cell, sizes[index] ?? 0)));
  return drawn
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}
