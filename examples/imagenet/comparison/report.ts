import { join } from 'node:path';
import { writeFileAtomic } from '../../../lib/atomicFile';
import { lineChartSpec, renderChart } from '../../../lib/experiments/chart';
import type { LineChart, Series } from '../../../lib/experiments/chart';
import { COLOURS, comparisonStyle, LEARNED_STYLE } from '../../../lib/experiments/lineStyles';
import type { LineStyle } from '../../../lib/experiments/lineStyles';
import { formatLoss, formatPercent } from '../../../lib/experiments/format';
import { mean, median } from '../../../lib/experiments/statistics';
import { columns } from '../../../lib/experiments/table';
import type { Table } from '../../../lib/experiments/table';
import { MODELS } from '../models/index';
import { contenderName } from './records';
import type { Comparison, RunRecord, Settings } from './records';

/** Last steps whose losses are averaged: that of one batch says little. */
const FINAL_STEPS = 50;
/** First steps that no median counts: they allocate state and compile. */
const WARM_UP = 3;
/** Points of a curve: each is the mean (of times the median) of so many of the steps. */
const CURVE_POINTS = 100;
const LEGEND_COLUMNS = 4;

/** What a run came to. */
export interface Summary {
  readonly network: string;
  readonly contender: string;
  /** Mean of the last 50 losses, NaN when the run diverged. */
  readonly trainingLoss: number;
  readonly heldOutLoss: number;
  /** Share. */
  readonly accuracy: number;
  /** Median, milliseconds. */
  readonly stepMs: number;
  /** Of the Adam runs of the network that with the lowest training loss. */
  readonly bestAdam: boolean;
  readonly divergedAt: number | null;
}

function summarize(run: RunRecord): Summary {
  const { network, losses, stepMs, divergedAt, evaluation } = run;
  const steady = stepMs.slice(WARM_UP);
  return {
    network,
    contender: contenderName(run),
    trainingLoss: divergedAt === null ? mean(losses.slice(-FINAL_STEPS)) : NaN,
    heldOutLoss: evaluation?.loss ?? NaN,
    accuracy: evaluation?.top1 ?? NaN,
    stepMs: median(steady.length > 0 ? steady : stepMs),
    bestAdam: false,
    divergedAt,
  };
}

/** One summary for each run, in their order. */
export function summaries({ runs }: Comparison): Summary[] {
  const all = runs.map(summarize);
  for (const network of new Set(runs.map((run) => run.network))) {
    const tuned = all.filter(
      ({ trainingLoss }, i) =>
        runs[i].network === network && runs[i].optimizer === 'adam' && Number.isFinite(trainingLoss),
    );
    if (tuned.length === 0) continue;
    const best = tuned.reduce((a, b) => (b.trainingLoss < a.trainingLoss ? b : a));
    all[all.indexOf(best)] = { ...best, bestAdam: true };
  }
  return all;
}

export function summaryTable(comparison: Comparison): Table {
  const { evaluationImages, steps } = comparison.settings;
  return {
    columns: columns(
      'network, optimizer',
      `loss of the last ${Math.min(FINAL_STEPS, steps)} steps`,
      'held-out loss',
      `accuracy on ${evaluationImages}`,
      'ms per step',
      '',
    ),
    rows: summaries(comparison).map((s) => [
      `${s.network}, ${s.contender}`,
      formatLoss(s.trainingLoss),
      formatLoss(s.heldOutLoss),
      Number.isNaN(s.accuracy) ? '–' : formatPercent(s.accuracy),
      s.stepMs.toFixed(0),
      s.divergedAt === null ? (s.bestAdam ? 'best rate' : '') : `diverged at step ${s.divergedAt}`,
    ]),
  };
}

/** Values in stretches of equal length, each a point at its last step. */
function curve(values: readonly number[], steps: number, combine: (part: readonly number[]) => number) {
  const length = Math.max(1, Math.ceil(steps / CURVE_POINTS));
  return Array.from({ length: Math.ceil(values.length / length) }, (_, i) => {
    const part = values.slice(i * length, (i + 1) * length);
    return { x: i * length + part.length, y: combine(part) };
  });
}

/** The learned optimizer with multipliers: near its colour, dashed. */
const MULTIPLIED_STYLES: readonly LineStyle[] = [
  { colour: COLOURS.vermillion, dash: [10, 3], width: 2 },
  { colour: COLOURS.orange, dash: [2, 2], width: 2.2 },
  { colour: COLOURS.orange, dash: [6, 2, 2, 2], width: 2 },
];
const multipliedStyle = (index: number): LineStyle => MULTIPLIED_STYLES[index % MULTIPLIED_STYLES.length];

function seriesOf(runs: readonly RunRecord[], points: (run: RunRecord) => Series['points']): Series[] {
  let [multiplied, others] = [0, 0];
  const styleOf = ({ optimizer, multiplier }: RunRecord): LineStyle => {
    if (optimizer !== 'learned') return comparisonStyle(others++);
    return multiplier === undefined ? LEARNED_STYLE : multipliedStyle(multiplied++);
  };
  return runs.map((run) => ({
    name: contenderName(run),
    style: styleOf(run),
    points: points(run),
  }));
}

function subtitle({ batchSize, size, steps }: Settings, what: string): string {
  const stretch = Math.max(1, Math.ceil(steps / CURVE_POINTS));
  return `Batches of ${batchSize} images of ${size}×${size}×3${stretch > 1 ? `; ${what} of every ${stretch} steps` : ''}`;
}

/** The charts of a network, by the end of their files' names. */
export function chartsOf(network: RunRecord['network'], { settings, runs }: Comparison): Record<string, LineChart> {
  const own = runs.filter((run) => run.network === network);
  const { title } = MODELS[network];
  const { steps } = settings;
  return {
    loss: {
      title: `${title}: training loss`,
      subtitle: subtitle(settings, 'mean'),
      xTitle: 'Training step',
      yTitle: 'Cross-entropy, nats (log scale)',
      series: seriesOf(own, ({ losses }) => curve(losses, steps, mean)),
      logY: true,
      legendColumns: LEGEND_COLUMNS,
    },
    'step-time': {
      title: `${title}: time of a training step`,
      subtitle: `${subtitle(settings, 'median')}; runs one after the other`,
      xTitle: 'Training step',
      yTitle: 'Milliseconds',
      // A multiplier does not change the time. The first step allocates the state: it would leave the others no height.
      series: seriesOf(
        own.filter(({ multiplier }) => multiplier === undefined),
        ({ stepMs }) => curve(stepMs, steps, median).filter(({ x }) => x > WARM_UP),
      ),
      logY: false,
      legendColumns: LEGEND_COLUMNS,
    },
  };
}

/**
 * Draws two pictures of every network of the comparison, as .svg and .png.
 * @returns their paths
 * @throws {ChartPackagesError} if a package is missing
 */
export async function writePictures(folder: string, comparison: Comparison): Promise<string[]> {
  const paths: string[] = [];
  for (const network of new Set(comparison.runs.map((run) => run.network))) {
    for (const [kind, chart] of Object.entries(chartsOf(network, comparison))) {
      const { svg, png } = await renderChart(lineChartSpec(chart));
      const path = join(folder, `${network}-${kind}`);
      writeFileAtomic(`${path}.svg`, Buffer.from(svg));
      writeFileAtomic(`${path}.png`, png);
      paths.push(`${path}.svg`, `${path}.png`);
    }
  }
  return paths;
}
