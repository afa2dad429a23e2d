import type { Cell, Part, PicturePart, TablePart } from './result';

/** A field of RFC 4180: quoted where it has to be. */
function field(value: Cell): string {
  if (value === null) return '';
  const text = String(value);
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

const lines = (rows: readonly (readonly Cell[])[]): string =>
  rows.map((row) => `${row.map(field).join(',')}\n`).join('');

function pointRows(part: PicturePart): Cell[][] {
  if (part.kind === 'dots') {
    return part.rows.flatMap(({ name, values }) =>
      values.map((value, run): Cell[] => [part.name, name, run, value, value, value, 1]),
    );
  }
  return part.series.flatMap(({ name, points }) =>
    points.map(({ x, median, low, high, runs }): Cell[] => [part.name, name, x, median, low, high, runs]),
  );
}

/**
 * All points of all pictures, one a line; what is not finite is empty. Of a dot plot, x is the place of the run in its row.
 */
export function seriesCsv(parts: readonly Part[]): string {
  const rows = parts.flatMap((part) => (part.kind === 'table' ? [] : pointRows(part)));
  return lines([['chart', 'series', 'x', 'median', 'low', 'high', 'runs'], ...rows]);
}

/** A table, unrounded. */
export function tableCsv({ columns, rows }: TablePart): string {
  return lines([columns.map(({ title }) => title), ...rows]);
}
