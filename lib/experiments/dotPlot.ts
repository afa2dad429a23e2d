import type { TopLevelSpec } from 'vega-lite';
import { CHART_CONFIG, GRID, INK, MUTED } from './chart';

/** A line of dots for every row, with their median, beside a zero line. */
export interface DotPlot {
  readonly title: string;
  readonly subtitle: string;
  /** With unit where there is one. */
  readonly xTitle: string;
  readonly rows: readonly {
    readonly name: string;
    readonly colour: string;
    /** A dot each; what is not finite is left out. */
    readonly values: readonly number[];
  }[];
}

/** Height of a row, pixels. */
const ROW = 30;

/** Vega-Lite specification of a dot plot in the house style. */
export function dotPlotSpec({ title, subtitle, xTitle, rows }: DotPlot): TopLevelSpec {
  const values = rows.flatMap(({ name, colour, values: of }) =>
    of.filter(Number.isFinite).map((x) => ({ row: name, colour, x })),
  );
  const y = {
    field: 'row',
    type: 'nominal',
    sort: rows.map(({ name }) => name),
    scale: { domain: rows.map(({ name }) => name) },
    title: null,
    axis: {
      grid: true,
      gridColor: GRID,
      domain: false,
      ticks: false,
      labelColor: INK,
      labelFontSize: 13,
      labelLimit: 0,
    },
  };
  const x = { field: 'x', type: 'quantitative', title: xTitle, scale: { zero: true }, axis: { grid: false } };
  const color = { field: 'colour', type: 'nominal', scale: null };
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v5.json',
    description: `${title}. ${subtitle}`,
    title: { text: title, subtitle },
    width: 640,
    height: ROW * rows.length,
    // Fixed margins, as in the line charts.
    autosize: { type: 'none' },
    padding: { left: 176, right: 28, top: 82, bottom: 64 },
    data: { values },
    layer: [
      { mark: { type: 'rule', color: MUTED, strokeDash: [3, 3] }, encoding: { x: { datum: 0 } } },
      {
        mark: { type: 'tick', thickness: 2.2, size: 18 },
        encoding: { x: { ...x, aggregate: 'median' }, y, color },
      },
      { mark: { type: 'point', filled: true, size: 60, opacity: 0.75 }, encoding: { x, y, color } },
    ],
    config: CHART_CONFIG as unknown as TopLevelSpec['config'],
  } as TopLevelSpec;
}
