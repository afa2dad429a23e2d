import type { TopLevelSpec } from 'vega-lite';
import type { LineStyle } from './lineStyles';

export interface Series {
  readonly name: string;
  readonly style: LineStyle;
  readonly points: readonly { readonly x: number; readonly y: number }[];
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
  /** Entries of the legend side by side; the others go into further rows. Default: all in one row. */
  readonly legendColumns?: number;
}

/** A package that draws charts is not installed. */
export class ChartPackagesError extends Error {
  override readonly name = 'ChartPackagesError';
}

export const CHART_PACKAGES = ['vega', 'vega-lite', '@resvg/resvg-js'] as const;

const FONT = 'Helvetica Neue, Helvetica, Arial, Liberation Sans, DejaVu Sans, sans-serif';
const INK = '#1f2328';
const MUTED = '#57606a';
const GRID = '#e6e8eb';
/** Height of one more row of the legend, pixels. */
const LEGEND_ROW = 22;

/** The one look of all figures. */
const CONFIG = {
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

/** Powers of ten that the axis labels: all, or every second, third … so that at most nine remain. */
function decades(values: readonly number[]): number[] {
  if (values.length === 0) return [1];
  const low = Math.floor(Math.log10(values.reduce((a, b) => Math.min(a, b))));
  const high = Math.ceil(Math.log10(values.reduce((a, b) => Math.max(a, b))));
  const every = Math.max(1, Math.ceil((high - low + 1) / 9));
  return Array.from({ length: Math.max(1, high - low) + 1 }, (_, i) => low + i)
    .filter((exponent) => (exponent - low) % every === 0)
    .map((exponent) => 10 ** exponent);
}

/** Vega expression for the labels of powers of ten, written as in the tables: 10, 0.1, 0.001, 1e-4. */
const POWER_LABEL = "datum.value < 0.00099 ? format(datum.value, '.0e') : format(datum.value, '~g')";

/** Vega-Lite specification of a line chart in the house style. */
export function lineChartSpec(chart: LineChart): TopLevelSpec {
  const rows = chart.series.flatMap(({ name, points }) =>
    points.filter(({ y }) => Number.isFinite(y) && (!chart.logY || y > 0)).map(({ x, y }) => ({ series: name, x, y })),
  );
  const names = chart.series.map(({ name }) => name);
  const styles = chart.series.map(({ style }) => style);
  const ticks = decades(rows.map(({ y }) => y));
  const { legendColumns = names.length } = chart;
  const legend = { symbolType: 'stroke' as const, columns: legendColumns };
  const legendRows = Math.max(1, Math.ceil(names.length / legendColumns));
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
    mark: { type: 'line', interpolate: 'linear', clip: true, strokeCap: 'butt', strokeJoin: 'round' },
    encoding: {
      x: {
        field: 'x',
        type: 'quantitative',
        title: chart.xTitle,
        scale: chart.xTicks
          ? { type: 'log', domain: [chart.xTicks[0], chart.xTicks[chart.xTicks.length - 1]], nice: false }
          : { nice: false, zero: true },
        axis: {
          grid: false,
          format: ',d',
          labelFlush: false,
          ...(chart.xTicks ? { values: [...chart.xTicks] } : { tickCount: 8 }),
        },
      },
      y: {
        field: 'y',
        type: 'quantitative',
        title: chart.yTitle,
        scale: chart.logY
          ? {
              type: 'log',
              domain: [ticks[0], Math.max(ticks[ticks.length - 1], ...rows.map(({ y }) => y))],
              nice: false,
            }
          : { zero: false },
        axis: chart.logY ? { values: ticks, labelExpr: POWER_LABEL, domain: false, ticks: false } : { domain: false },
      },
      color: {
        field: 'series',
        type: 'nominal',
        sort: names,
        scale: { domain: names, range: styles.map((s) => s.colour) },
        legend,
      },
      strokeDash: {
        field: 'series',
        type: 'nominal',
        sort: names,
        scale: { domain: names, range: styles.map((s) => [...s.dash]) },
        legend,
      },
      strokeWidth: {
        field: 'series',
        type: 'nominal',
        sort: names,
        scale: { domain: names, range: styles.map((s) => s.width) },
        legend,
      },
    },
    config: CONFIG as unknown as TopLevelSpec['config'],
  };
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
    background: CONFIG.background,
  }).render();
  return { svg, png: image.asPng(), hasText: probe.getBBox() !== undefined };
}
