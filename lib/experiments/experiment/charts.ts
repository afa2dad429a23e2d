import { lineChartSpec, renderChart, type ChartPoint, type LineChart, type RenderedChart } from '../chart';
import { dotPlotSpec, type DotPlot } from '../dotPlot';
import { COLOURS, comparisonStyle, LEARNED_STYLE, LEVEL_STYLE, VARIANT_STYLE } from '../lineStyles';
import type { LineStyle } from '../lineStyles';
import type { ChartPart, DotPlotPart, PicturePart, SeriesData, SeriesPoint } from './result';

/** Width of a legend in characters: without a canvas Vega takes a character for 10 of the picture's 720 pixels. */
const LEGEND_WIDTH = 74;
/** Characters that a line and the gap beside it take. */
const LEGEND_ENTRY = 5;
const QUICK = 'QUICK LOOK, not a result. ';

function styles(series: readonly SeriesData[]): LineStyle[] {
  let others = 0;
  return series.map(({ role }) => {
    if (role === 'learned') return LEARNED_STYLE;
    if (role === 'variant') return VARIANT_STYLE;
    return role === 'level' ? LEVEL_STYLE : comparisonStyle(others++);
  });
}

/** What is not finite, or beyond the axis, stands at its end; without a maximum it is left out. */
function chartPoint({ x, median, low, high }: SeriesPoint, maximum = NaN): ChartPoint {
  const held = (value: number | null): number => (value === null ? maximum : value > maximum ? maximum : value);
  const y = held(median);
  return low === median && high === median ? { x, y } : { x, y, low: held(low), high: held(high) };
}

/** The most columns of a legend, filled row by row, with which no row is wider than the picture. */
export function legendColumns(names: readonly string[]): number {
  for (let columns = names.length; columns > 1; columns--) {
    const widths = Array<number>(columns).fill(0);
    names.forEach((name, i) => {
      widths[i % columns] = Math.max(widths[i % columns], name.length + LEGEND_ENTRY);
    });
    if (widths.reduce((sum, width) => sum + width, 0) <= LEGEND_WIDTH) return columns;
  }
  return 1;
}

/** The part in the house style. */
export function lineChart(part: ChartPart, quick: boolean): LineChart {
  const style = styles(part.series);
  return {
    title: part.title,
    subtitle: `${quick ? QUICK : ''}${part.subtitle}`,
    xTitle: part.x.title,
    yTitle: part.y.title,
    logY: part.y.log,
    xTicks: part.x.log ? part.x.ticks : undefined,
    yRange: part.y.ticks && [part.y.ticks[0], part.y.ticks[part.y.ticks.length - 1]],
    dots: part.dots,
    legendColumns: legendColumns(part.series.map(({ name }) => name)),
    series: part.series.map(({ name, points }, i) => ({
      name,
      style: style[i],
      points: points.map((point) => chartPoint(point, part.y.maximum)),
    })),
  };
}

/** The part in the house style. */
export function dotPlot(part: DotPlotPart, quick: boolean): DotPlot {
  return {
    title: part.title,
    subtitle: `${quick ? QUICK : ''}${part.subtitle}`,
    xTitle: part.x,
    rows: part.rows.map(({ name, role, values }) => ({
      name,
      colour: role === 'learned' ? LEARNED_STYLE.colour : role === 'variant' ? VARIANT_STYLE.colour : COLOURS.blue,
      values: values.filter((value) => value !== null),
    })),
  };
}

/** Draws a part. @throws {ChartPackagesError} if a drawing package is missing */
export function renderPart(part: PicturePart, quick: boolean): Promise<RenderedChart> {
  return renderChart(part.kind === 'dots' ? dotPlotSpec(dotPlot(part, quick)) : lineChartSpec(lineChart(part, quick)));
}
