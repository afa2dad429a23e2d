import {
  comparisonStyle,
  LEARNED_STYLE,
  LEVEL_STYLE,
  lineChartSpec,
  renderChart,
  VARIANT_STYLE,
  type ChartPoint,
  type LineChart,
  type LineStyle,
  type RenderedChart,
} from '../chart';
import type { ChartPart, SeriesData, SeriesPoint } from './result';

/** Names of at most so many characters stand side by side in a legend. */
const LEGEND_WIDTH = 102;
/** Characters that a line and the gap beside it take. */
const LEGEND_ENTRY = 7;
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

/** Columns of the legend, so that no row is wider than the picture. */
function legendColumns(names: readonly string[]): number {
  const widest = Math.max(...names.map((name) => name.length + LEGEND_ENTRY));
  const total = names.reduce((sum, name) => sum + name.length + LEGEND_ENTRY, 0);
  return total <= LEGEND_WIDTH ? names.length : Math.max(1, Math.floor(LEGEND_WIDTH / widest));
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

/** Draws a part. @throws {ChartPackagesError} if a drawing package is missing */
export function renderPart(part: ChartPart, quick: boolean): Promise<RenderedChart> {
  return renderChart(lineChartSpec(lineChart(part, quick)));
}
