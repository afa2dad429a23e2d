import { formatCount, formatLoss, formatPercent, formatRate, formatRatio } from '../format';
import type { Table } from '../table';
import type { Cell, ColumnFormat, TablePart } from './result';

/** Losses from here on are written with an exponent. */
const HUGE = 1e5;

/** A value as a reader sees it. What is not finite is null. */
export function cellText(value: Cell, format: ColumnFormat): string {
  if (typeof value === 'string') return value;
  if (value === null) return format === 'loss' ? 'diverged' : '–';
  switch (format) {
    case 'loss':
      return value >= HUGE ? value.toExponential(1) : formatLoss(value);
    case 'rate':
      return formatRate(value);
    case 'percent':
      return formatPercent(value);
    case 'ratio':
      return formatRatio(value);
    case 'count':
      return formatCount(value);
    default:
      return String(Number(value.toPrecision(3)));
  }
}

/** The table as text, for the terminal. */
export function textTable({ columns, rows }: TablePart): Table {
  return {
    columns: columns.map(({ title, format }) => ({ title, align: format === 'text' ? 'left' : 'right' })),
    rows: rows.map((row) => row.map((cell, i) => cellText(cell, columns[i].format))),
  };
}
