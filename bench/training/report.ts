import CliTable from 'cli-table3';
import { writeFileAtomic } from '../../lib/atomicFile';
import { lineChartSpec, renderChart } from '../../lib/experiments/chart';
import type { LineChart, Series } from '../../lib/experiments/chart';
import { COLOURS, comparisonStyle, LEARNED_STYLE } from '../../lib/experiments/lineStyles';
import { LEARNED } from './contestants';
import type { Row } from './results';

/** What a step with the learned optimizer may cost, as a multiple of one with Adam. */
const AIM = 1.1;

const TITLES = [
  'network',
  'optimizer',
  'pixels',
  'batch',
  'ms',
  '± MAD',
  'Adam',
  '± MAD',
  'ratio',
  '± MAD',
  'CPU ratio',
  '± MAD',
  'GiB',
];

export function trainingTable(rows: readonly Row[]): string {
  const table = new CliTable({
    head: TITLES,
    colAligns: TITLES.map((_, i) => (i < 2 ? 'left' : 'right')),
    style: { head: [], border: [], compact: true },
  });
  table.push(
    ...rows.map((r) => [
      r.network,
      r.optimizer,
      String(r.size),
      String(r.batchSize),
      r.milliseconds.toFixed(0),
      r.millisecondsMad.toFixed(0),
      r.adamMilliseconds.toFixed(0),
      r.adamMillisecondsMad.toFixed(0),
      `${r.ratio.toFixed(3)}×`,
      r.ratioMad.toFixed(3),
      `${r.cpuRatio.toFixed(3)}×`,
      r.cpuRatioMad.toFixed(3),
      r.peakGiB.toFixed(1),
    ]),
  );
  return table.toString();
}

/** The overhead against the batch size, a line for each network, size of images and optimizer. */
export function overheadChart(rows: readonly Row[]): LineChart {
  const sizes = [...new Set(rows.map(({ size }) => size))];
  const optimizers = [...new Set(rows.map(({ optimizer }) => optimizer))];
  const nameOf = ({ network, size, optimizer }: Row): string =>
    [
      network,
      ...(sizes.length > 1 ? [`${size} pixels`] : []),
      ...(optimizers.length > 1 || optimizer !== LEARNED ? [optimizer] : []),
    ].join(', ');
  const names = [...new Set(rows.map(nameOf))];
  const ticks = [...new Set(rows.map(({ batchSize }) => batchSize))].sort((a, b) => a - b);
  const lines = names.map((name, i): Series => {
    const points = rows.filter((row) => nameOf(row) === name).map((row) => ({ x: row.batchSize, y: row.ratio }));
    return { name, style: i === 0 ? LEARNED_STYLE : comparisonStyle(i - 1), points: points.sort((a, b) => a.x - b.x) };
  });
  const level = (name: string, y: number, dash: readonly number[]): Series => ({
    name,
    style: { colour: COLOURS.black, dash, width: 1 },
    points: [ticks[0], ticks[ticks.length - 1]].map((x) => ({ x, y })),
  });
  return {
    title: 'What the learned optimizer adds to a training step',
    subtitle: `trainOnBatch on tfjs-node, images of ${sizes.join(' and ')} pixels; median of the ratios of rounds in turns`,
    xTitle: 'Images per batch (log scale)',
    yTitle: 'Time of a step, as a multiple of Adam’s',
    series: [...lines, level(`aim: ${AIM.toFixed(2)}`, AIM, [3, 3]), level('Adam', 1, [])],
    logY: false,
    xTicks: ticks,
    legendColumns: optimizers.length > 1 || sizes.length > 1 ? 2 : lines.length + 2,
  };
}

/**
 * Draws `path`.svg and `path`.png.
 * @throws {Error} unless there are two batch sizes to draw a line between; {ChartPackagesError} if a package is missing
 */
export async function writePicture(path: string, rows: readonly Row[]): Promise<void> {
  const sizes = new Set(rows.map(({ batchSize }) => batchSize)).size;
  if (sizes < 2) throw new Error(`--picture: expected rows of at least 2 batch sizes, got ${sizes}`);
  const { svg, png } = await renderChart(lineChartSpec(overheadChart(rows)));
  writeFileAtomic(`${path}.svg`, Buffer.from(svg));
  writeFileAtomic(`${path}.png`, png);
}
