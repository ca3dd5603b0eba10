import type { ChalkInstance } from 'chalk';
import Table from 'cli-table3';
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
  /** Columns of the terminal. */
  readonly width: number;
}

const gap = 2;
const narrowest = 8;

/** Cuts the middle out of a text longer than `width`: both ends of an address tell who it is. */
export function cutMiddle(text: string, width: number): string {
  if (text.length <= width) return text;
  const head = Math.ceil((width - 1) / 2);
  return `${text.slice(0, head)}…${text.slice(text.length - (width - 1 - head))}`;
}

function widths(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  available: number,
): number[] {
  const natural = columns.map((column, index) =>
    Math.max(column.title.length, ...rows.map((row) => row[index]?.length ?? 0)),
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
  for (const row of cells) drawn.push(row.map((cell, index) => cutMiddle(cell, sizes[index] ?? cell.length)));
  return drawn
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}
