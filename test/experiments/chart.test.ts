import { describe, expect, it } from 'vitest';
import { lineChartSpec, renderChart, type LineChart } from '../../lib/experiments/chart';
import { comparisonStyle, LEARNED_STYLE } from '../../lib/experiments/lineStyles';

const chart: LineChart = {
  title: 'Loss & more',
  subtitle: 'A subtitle',
  xTitle: 'Training step',
  yTitle: 'Training loss (log scale)',
  logY: true,
  series: [
    { name: 'first', style: LEARNED_STYLE, points: [1, 0.1, 1e-4].map((y, x) => ({ x, y })) },
    { name: 'second', style: comparisonStyle(0), points: [1, NaN, Infinity, 0, -1, 0.5].map((y, x) => ({ x, y })) },
  ],
};

describe('charts', () => {
  it('name axes and series and label powers of ten, in SVG and PNG', async () => {
    const { svg, png } = await renderChart(lineChartSpec(chart));
    for (const text of [
      'Loss &amp; more',
      'A subtitle',
      chart.xTitle,
      chart.yTitle,
      'first',
      'second',
      '1e-4',
      '0.001',
      '1',
    ]) {
      expect(svg).toContain(`>${text}</text>`);
    }
    expect(svg).toContain(LEARNED_STYLE.colour);
    expect([...png.subarray(0, 4)]).toEqual([0x89, 0x50, 0x4e, 0x47]);
    const view = new DataView(png.buffer, png.byteOffset);
    const [, width, height] = /<svg[^>]* width="(\d+)" height="(\d+)"/.exec(svg)!.map(Number);
    expect([view.getUint32(16), view.getUint32(20)]).toEqual([2 * width, 2 * height]);
  });

  it('leave out what a log axis cannot show', () => {
    const { values } = (lineChartSpec(chart) as { data: { values: { series: string; x: number }[] } }).data;
    expect(values.filter((row) => row.series === 'second').map((row) => row.x)).toEqual([0, 5]);
  });

  it('have a linear y axis from 0, on which 0 is a value', async () => {
    const points = [0, 0.5, 1].map((y, x) => ({ x, y }));
    const linear = { ...chart, logY: false, yRange: [0, 1] as const, series: [{ ...chart.series[0], points }] };
    const { svg } = await renderChart(lineChartSpec(linear));
    for (const label of ['0.0', '0.5', '1.0']) expect(svg).toContain(`>${label}</text>`);
    const { values } = (lineChartSpec(linear) as { data: { values: { y: number }[] } }).data;
    expect(values.map(({ y }) => y)).toEqual([0, 0.5, 1]);
  });

  it('have a logarithmic x axis, labelled as asked', async () => {
    const series = [{ ...chart.series[0], points: [1, 4, 16].map((x) => ({ x, y: 1 + 1 / x })) }];
    const { svg } = await renderChart(lineChartSpec({ ...chart, series, logY: false, xTicks: [1, 4, 16] }));
    // Places of the labels: as far from 1 to 4 as from 4 to 16.
    const [one, four, sixteen] = ['1', '4', '16'].map((label) => {
      const text = new RegExp(`transform="translate\\(([\\d.]+),[\\d.]+\\)"[^>]*>${label}</text>`).exec(svg);
      return Number(text![1]);
    });
    expect(sixteen - four).toBeCloseTo(four - one, 3);
    expect(four - one).toBeGreaterThan(300);
  });

  it('are taller by further rows of the legend', () => {
    const top = (legendColumns?: number) =>
      (lineChartSpec({ ...chart, legendColumns }) as { padding: { top: number } }).padding.top;
    expect([top(2), top(1)]).toEqual([top(), top() + 22]);
  });

  it('draw even when nothing can be shown', async () => {
    const diverged = { ...chart, series: [{ ...chart.series[0], points: [{ x: 0, y: NaN }] }] };
    expect((await renderChart(lineChartSpec(diverged))).svg).toContain('</svg>');
  });

  it('give neighbouring lines different colours and dashes', () => {
    const styles = [LEARNED_STYLE, ...[0, 1, 2, 3, 4, 5].map(comparisonStyle)];
    expect(new Set(styles.map((s) => s.colour)).size).toBe(7);
    expect(new Set(styles.map((s) => s.dash.join())).size).toBe(7);
  });
});
