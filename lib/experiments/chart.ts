import type { TopLevelSpec } from 'vega-lite';
import { LEVEL_STYLE } from './lineStyles';
import type { LineStyle } from './lineStyles';

export interface Series {
  readonly name: string;
  readonly style: LineStyle;
  readonly points: readonly ChartPoint[];
}

export interface ChartPoint {
  readonly x: number;
  readonly y: number;
  /** Ends of the band around the line, where there is one. */
  readonly low?: number;
  readonly high?: number;
}

export interface LineChart {
  readonly title: string;
  readonly subtitle: string;
  /** Axis titles, with unit where there is one. */
  readonly xTitle: string;
  readonly yTitle: string;
  /** Points at which y is not finite (on a log axis: not positive) are left out. */
  readonly series: readonly Series[];
  readonly logY: boolean;
  /** Where the x axis is labelled; given, it is logarithmic and runs from the first to the last. Default: linear from 0. */
  readonly xTicks?: readonly number[];
  /** Ends of a linear y axis. Default: by the data. */
  readonly yRange?: readonly [lowest: number, highest: number];
  /** Mark every point, not only the line between. */
  readonly dots?: boolean;
  /** Entries of the legend side by side; the others go into further rows. Default: all in one row. */
  readonly legendColumns?: number;
}

/** A package that draws charts is not installed. */
export class ChartPackagesError extends Error {
  override readonly name = 'ChartPackagesError';
}

export const CHART_PACKAGES = ['vega', 'vega-lite', '@resvg/resvg-js'] as const;

const FONT = 'Helvetica Neue, Helvetica, Arial, Liberation Sans, DejaVu Sans, sans-serif';
export const INK = '#1f2328';
export const MUTED = '#57606a';
export const GRID = '#e6e8eb';
/** Height of one more row of the legend, pixels. */
const LEGEND_ROW = 22;

/** The one look of all figures. */
export const CHART_CONFIG = {
  background: '#ffffff',
  font: FONT,
  view: { stroke: null },
  title: {
    anchor: 'start',
    frame: 'group',
    fontSize: 17,
    fontWeight: 600,
    color: INK,
    subtitleFontSize: 12.5,
    subtitleColor: MUTED,
    subtitlePadding: 5,
    offset: 14,
  },
  axis: {
    labelFontSize: 12,
    titleFontSize: 13,
    titleFontWeight: 500,
    labelColor: MUTED,
    titleColor: INK,
    titlePadding: 10,
    gridColor: GRID,
    domainColor: MUTED,
    tickColor: MUTED,
    labelPadding: 5,
  },
  legend: {
    orient: 'top',
    direction: 'horizontal',
    title: null,
    labelFontSize: 13,
    labelColor: INK,
    labelLimit: 0,
    symbolSize: 500,
    symbolStrokeWidth: 2.4,
    columnPadding: 22,
    offset: 8,
  },
} as const;

/** Steps within a decade that the axis labels where the values span few decades. */
const WITHIN = [1, 2, 5];

/**
 * Where a logarithmic axis is labelled; its first and last label are its ends, unless values lie beyond. Powers of ten: all, or
 * every second, third … so that at most nine remain; of values within two decades 1, 2 and 5 times these.
 */
function logTicks(values: readonly number[]): number[] {
  if (values.length === 0) return [1];
  const [lowest, highest] = [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
  const low = Math.floor(Math.log10(lowest));
  const high = Math.ceil(Math.log10(highest));
  if (lowest < highest && highest / lowest < 100) {
    const fine = Array.from({ length: high - low + 1 }, (_, i) =>
      WITHIN.map((step) => Number(`${step}e${low + i}`)),
    ).flat();
    const first = fine.findLastIndex((tick) => tick <= lowest);
    const last = fine.findIndex((tick) => tick >= highest);
    return fine.slice(first, last + 1);
  }
  const every = Math.max(1, Math.ceil((high - low + 1) / 9));
  return Array.from({ length: Math.max(1, high - low) + 1 }, (_, i) => low + i)
    .filter((exponent) => (exponent - low) % every === 0)
    .map((exponent) => 10 ** exponent);
}

/** Vega expression for labels, written as in the tables: 10,000, 10, 0.1, 0.001, 1e-4. */
const POWER_LABEL =
  "datum.value < 0.00099 || datum.value >= 1e6 ? replace(format(datum.value, '.0e'), '+', '') : datum.value >= 1000 ? format(datum.value, ',d') : format(datum.value, '~g')";

/** Whether the y axis can show the value. */
const shown = (value: number | undefined, log: boolean): value is number =>
  value !== undefined && Number.isFinite(value) && (!log || value > 0);

interface Row {
  readonly series: string;
  readonly x: number;
  readonly y: number;
  readonly low?: number;
  readonly high?: number;
}

function rowsOf({ series, logY }: LineChart): Row[] {
  return series.flatMap(({ name, points }) =>
    points
      .filter(({ y }) => shown(y, logY))
      .map(({ x, y, low, high }) => ({
        series: name,
        x,
        y,
        ...(shown(low, logY) && shown(high, logY) ? { low, high } : {}),
      })),
  );
}

function xEncoding(chart: LineChart): object {
  const { xTicks } = chart;
  const labels = xTicks?.some((tick) => !Number.isInteger(tick) || tick >= 1e6)
    ? { labelExpr: POWER_LABEL }
    : { format: ',d' };
  return {
    field: 'x',
    type: 'quantitative',
    title: chart.xTitle,
    scale: xTicks
      ? { type: 'log', domain: [xTicks[0], xTicks[xTicks.length - 1]], nice: false }
      : { nice: false, zero: true },
    axis: { grid: false, ...labels, labelFlush: false, ...(xTicks ? { values: [...xTicks] } : { tickCount: 8 }) },
  };
}

function yEncoding(chart: LineChart, rows: readonly Row[]): object {
  const { yTitle, logY, yRange } = chart;
  const of = { field: 'y', type: 'quantitative', title: yTitle };
  if (!logY) {
    const domain = yRange ? { domain: [...yRange], nice: false } : {};
    return { ...of, scale: { zero: false, ...domain }, axis: { domain: false } };
  }
  const values = rows.flatMap(({ y, low = y, high = y }) => [y, low, high]);
  const ticks = logTicks(values);
  return {
    ...of,
    scale: { type: 'log', domain: [ticks[0], Math.max(ticks[ticks.length - 1], ...values)], nice: false },
    axis: { values: ticks, labelExpr: POWER_LABEL, domain: false, ticks: false },
  };
}

/** Vega-Lite specification of a line chart in the house style. */
export function lineChartSpec(chart: LineChart): TopLevelSpec {
  const rows = rowsOf(chart);
  const names = chart.series.map(({ name }) => name);
  const styles = chart.series.map(({ style }) => style);
  const { legendColumns = names.length } = chart;
  const legend = { symbolType: 'stroke' as const, symbolOpacity: 1, columns: legendColumns };
  const legendRows = Math.max(1, Math.ceil(names.length / legendColumns));
  const x = xEncoding(chart);
  const y = yEncoding(chart, rows);
  const bySeries = (range: readonly unknown[]): object => ({
    field: 'series',
    type: 'nominal',
    sort: names,
    scale: { domain: names, range },
    legend,
  });
  const colours = styles.map(({ colour }) => colour);
  const line = {
    mark: { type: 'line', interpolate: 'linear', clip: true, strokeCap: 'butt', strokeJoin: 'round' },
    encoding: {
      x,
      y,
      color: bySeries(colours),
      strokeDash: bySeries(styles.map(({ dash }) => [...dash])),
      strokeWidth: bySeries(styles.map(({ width }) => width)),
    },
  };
  const band = {
    transform: [{ filter: 'isValid(datum.low)' }],
    mark: { type: 'area', interpolate: 'linear', clip: true, fillOpacity: 0.16 },
    encoding: {
      x,
      y: { ...y, field: 'low' },
      y2: { field: 'high' },
      fill: bySeries(colours),
    },
  };
  // A level to compare with is no measurement.
  const measured = chart.series.filter(({ style }) => style !== LEVEL_STYLE).map(({ name }) => name);
  const dots = {
    transform: [{ filter: { field: 'series', oneOf: measured } }],
    mark: { type: 'point', filled: true, size: 38, opacity: 1 },
    encoding: { x, y, fill: bySeries(colours) },
  };
  const layers = [...(rows.some(({ low }) => low !== undefined) ? [band] : []), line, ...(chart.dots ? [dots] : [])];
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v5.json',
    description: `${chart.title}. ${chart.subtitle}`,
    title: { text: chart.title, subtitle: chart.subtitle },
    width: 720,
    height: 400,
    // Fixed margins: without a canvas Vega only estimates text widths, and its automatic margins come out too wide.
    autosize: { type: 'none' },
    padding: { left: 94, right: 28, top: 104 + LEGEND_ROW * (legendRows - 1), bottom: 64 },
    data: { values: rows },
    ...(layers.length === 1 ? line : { layer: layers }),
    config: CHART_CONFIG as unknown as TopLevelSpec['config'],
  } as TopLevelSpec;
}

async function load<T>(name: string, importer: () => Promise<T>): Promise<T> {
  try {
    return await importer();
  } catch (error) {
    throw new ChartPackagesError(
      `charts are drawn by ${CHART_PACKAGES.join(', ')}, and ${name} cannot be loaded (${(error as Error).message.split('\n')[0]}). ` +
        `Install them with: npm install --save-dev ${CHART_PACKAGES.join(' ')}`,
      { cause: error },
    );
  }
}

/**
 * Loads the packages that draw, which this package does not depend on.
 * @throws {ChartPackagesError} naming the packages to install if one is missing.
 */
async function chartPackages() {
  const vega = await load('vega', () => import('vega'));
  const vegaLite = await load('vega-lite', () => import('vega-lite'));
  const resvg = await load('@resvg/resvg-js', () => import('@resvg/resvg-js'));
  return { vega, vegaLite, resvg };
}

/**
 * Checks that charts can be drawn, so that a long run fails before it starts and not at its end.
 * @throws {ChartPackagesError} naming the packages to install if one is missing.
 */
export async function requireChartPackages(): Promise<void> {
  await chartPackages();
}

export interface RenderedChart {
  readonly svg: string;
  /** At twice the size of the SVG. */
  readonly png: Uint8Array;
  /** Whether a font was found; without one the PNG has no text (the SVG has). */
  readonly hasText: boolean;
}

/** Draws a chart. @throws {ChartPackagesError} if a drawing package is missing. */
export async function renderChart(spec: TopLevelSpec): Promise<RenderedChart> {
  const { vega, vegaLite, resvg } = await chartPackages();
  const view = new vega.View(vega.parse(vegaLite.compile(spec).spec), { renderer: 'none', logLevel: vega.Error });
  const svg = await view.toSVG();
  view.finalize();
  const font = { loadSystemFonts: true, defaultFontFamily: 'DejaVu Sans', sansSerifFamily: 'DejaVu Sans' };
  const probe = new resvg.Resvg(
    '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><text y="8">x</text></svg>',
    { font },
  );
  const image = new resvg.Resvg(svg, {
    font,
    fitTo: { mode: 'zoom', value: 2 },
    background: CHART_CONFIG.background,
  }).render();
  return { svg, png: image.asPng(), hasText: probe.getBBox() !== undefined };
}
