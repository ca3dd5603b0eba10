/** Reports as text: for a terminal, and as Markdown. */
import type { Move } from './baseline.js';
import type { Comparison, Report, Table } from './bench.js';

/** A whole report as text that ends with a line feed; `isQuiet` unless other programs kept the machine busy. */
export type Style = (report: Report, isQuiet: boolean) => string;

function figure(value: number | undefined, digits: number): string {
  if (value === undefined || Number.isNaN(value)) return '–';
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** The fraction by which a figure misses its target; 0 or less where it meets it, undefined without a target. */
export function missedBy({ value, target, better }: Comparison): number | undefined {
  if (target === undefined) return undefined;
  return better === 'more' ? 1 - value / target : value / target - 1;
}

function significant(value: number): string {
  return value.toLocaleString('en', { maximumSignificantDigits: 3 });
}

/** What was measured, the target, and how far apart they are. */
export function verdictOf(
  comparison: Comparison,
  isQuiet = true,
): { measured: string; target: string; verdict: string } {
  const { value, unit, better, target } = comparison;
  const withUnit = (number: number) => significant(number) + (unit ? ` ${unit}` : '');
  const missed = missedBy(comparison);
  if (target === undefined || missed === undefined)
    return { measured: withUnit(value), target: '–', verdict: '' };
  const verdict = missed <= 0 ? 'met' : `missed by ${Math.ceil(missed * 100)} %`;
  return {
    measured: withUnit(value),
    target: `${better === 'more' ? '≥' : '≤'} ${withUnit(target)}`,
    verdict: isQuiet || comparison.isSteady ? verdict : `${verdict}, on a busy machine`,
  };
}

/** A table's texts: heads, and rows as long as the heads, or with one text for what is missing. */
function textsOf({ title, columns, rows }: Table): { heads: string[]; lines: string[][] } {
  const lines = rows.map(({ what, missing, values }) =>
    missing === undefined
      ? [what, ...columns.map(({ digits }, index) => figure(values[index], digits))]
      : [what, missing],
  );
  return { heads: [title, ...columns.map((column) => column.title)], lines };
}

function aligned(heads: readonly string[], lines: readonly (readonly string[])[]): string {
  const full = [heads, ...lines.filter((line) => line.length === heads.length)];
  const widths = heads.map((_, index) => Math.max(...full.map((line) => line[index]?.length ?? 0)));
  const first = Math.max(widths[0] ?? 0, ...lines.map(([what = '']) => what.length));
  return [heads, ...lines]
    .map((line) => {
      const [what = '', ...rest] = line;
      const cells =
        line.length === heads.length
          ? rest.map((text, index) => text.padStart(widths[index + 1] ?? 0))
          : rest;
      return `${[what.padEnd(first), ...cells].join('  ').trimEnd()}\n`;
    })
    .join('');
}

function piped(heads: readonly string[], lines: readonly (readonly string[])[]): string {
  const width = Math.max(heads.length, ...lines.map((line) => line.length));
  const row = (texts: readonly string[]) =>
    `| ${Array.from({ length: width }, (_, index) => texts[index] ?? '').join(' | ')} |\n`;
  const rule = Array.from({ length: width }, (_, index) => (index === 0 ? '---' : '--:'));
  return [heads, rule, ...lines].map(row).join('');
}

function styled(render: typeof aligned): Style {
  return ({ tables, comparisons }, isQuiet) => {
    const texts = tables.map((table) => {
      const { heads, lines } = textsOf(table);
      return `\n${render(heads, lines)}`;
    });
    if (comparisons.length === 0) return texts.join('');
    const lines = comparisons.map((comparison) => {
      const { measured, target, verdict } = verdictOf(comparison, isQuiet);
      return [comparison.what, measured, target, verdict];
    });
    return `${texts.join('')}\n${render(['figure', 'measured', 'target', ''], lines)}`;
  };
}

export const plain = styled(aligned);
export const markdown = styled(piped);

/** What moved since the baseline was written, a line each, and what is no longer measured. */
export function moved(moves: readonly Move[], unmeasured: readonly string[]): string {
  const lines = [
    ...moves.map(
      ({ what, before, now, isWorse, isCertain }) =>
        `${isCertain ? '' : 'perhaps '}${isWorse ? 'worse' : 'better'}: ${what}: ${significant(now)}, was ${significant(before)}`,
    ),
    ...unmeasured.map((what) => `not measured: ${what}`),
  ];
  return `\n${lines.length === 0 ? 'no ratio moved by more than 25 % since the baseline\n' : lines.map((line) => `${line}\n`).join('')}`;
}
