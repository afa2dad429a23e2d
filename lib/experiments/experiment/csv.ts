import type { Cell, ChartPart, Part, TablePart } from './result';

/** A field of RFC 4180: quoted where it has to be. */
function field(value: Cell): string {
  if (value === null) return '';
  const text = String(value);
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

const lines = (rows: readonly (readonly Cell[])[]): string =>
  rows.map((row) => `${row.map(field).join(',')}\n`).join('');

/** All points of all charts, one a line; what is not finite is empty. */
export function seriesCsv(parts: readonly Part[]): string {
  const charts = parts.filter((part): part is ChartPart => part.kind === 'chart');
  const rows = charts.flatMap((chart) =>
    chart.series.flatMap(({ name, points }) =>
      points.map(({ x, median, low, high, runs }): Cell[] => [chart.name, name, x, median, low, high, runs]),
    ),
  );
  return lines([['chart', 'series', 'x', 'median', 'low', 'high', 'runs'], ...rows]);
}

/** A table, unrounded. */
export function tableCsv({ columns, rows }: TablePart): string {
  return lines([columns.map(({ title }) => title), ...rows]);
}
