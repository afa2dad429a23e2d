import { formatCount, formatLoss, formatRate } from '../format';
import type { RunMetrics } from '../metrics';
import { completeLosses, evaluationSteps } from './curve';
import type { CurveTask, RateCurves } from './curveRunner';
import type { Plan } from './contestants';
import type { Effort } from './experiment';
import { spreadOf, type Spread } from './quantiles';
import {
  finiteOrNull,
  seriesPoint,
  tableColumns,
  type ChartPart,
  type ExperimentResult,
  type Finding,
  type SeriesData,
  type TablePart,
} from './result';

/** Runs of one optimizer on one task, with its place in pictures. */
export interface Entry {
  readonly role: SeriesData['role'];
  readonly runs: RateCurves;
  /** Nothing was tuned: the rate is no part of the title. */
  readonly untuned?: boolean;
}

/** The optimizer and, where it was tuned, its rate. */
export function entryTitle({ role, untuned = false, runs: { contestant, rate } }: Entry): string {
  return role === 'other' && !untuned ? `${contestant.title} at ${formatRate(rate)}` : contestant.title;
}

/** Final losses; a diverged run counts as infinite. */
export function finalLosses(metrics: readonly RunMetrics[]): number[] {
  return metrics.map(({ outcome, finalLoss }) => (outcome === 'diverged' ? Infinity : finalLoss));
}

export const finalLossOf = ({ runs }: Entry): Spread => spreadOf(finalLosses(runs.metrics));

/** Of entries of one task, the one with the lowest median final loss. */
export function bestOf(entries: readonly Entry[]): Entry {
  return entries.reduce((a, b) => (finalLossOf(b).median < finalLossOf(a).median ? b : a));
}

/** Loss curves of one task: median over seeds, lowest to highest as a band. */
export function lossChart(
  name: string,
  task: Pick<CurveTask, 'title' | 'steps' | 'evaluateEvery'>,
  entries: readonly Entry[],
  subtitle: string,
  spread: (values: readonly number[]) => Spread = spreadOf,
): ChartPart {
  const steps = evaluationSteps(task);
  const start = Math.max(...entries.map(({ runs }) => spread(runs.curves.map(({ losses }) => losses[0])).high));
  const series = entries.map((entry): SeriesData => {
    const losses = entry.runs.curves.map((curve) => completeLosses(curve, task));
    return {
      name: entryTitle(entry),
      role: entry.role,
      points: steps.map((step, i) => seriesPoint(step, spread(losses.map((of) => of[i])), losses.length)),
    };
  });
  return {
    kind: 'chart',
    name,
    title: task.title,
    subtitle,
    caption:
      'Lower is better. Lines are medians, bands the spread over the runs. Losses above twice the highest at the start stand at the upper end.',
    x: { title: 'Training step', log: false },
    y: { title: 'Training loss (log scale)', log: true, maximum: Number((2 * start).toPrecision(2)) },
    dots: false,
    series,
  };
}

/** One row for every optimizer of every task. */
export function finalLossTable(
  rows: readonly { readonly task: string; readonly entries: readonly Entry[] }[],
): TablePart {
  const withAccuracy = rows.some(({ entries }) =>
    entries.some(({ runs }) => runs.curves.some((c) => c.accuracy !== null)),
  );
  return {
    kind: 'table',
    name: 'final-losses',
    title: 'Final losses (mean of the last five evaluations of a run)',
    columns: [
      ...tableColumns('network', ['optimizer', 'text'], ['rate', 'rate'], ['median loss', 'loss']),
      { title: 'lowest', format: 'loss' },
      { title: 'highest', format: 'loss' },
      ...(withAccuracy ? [{ title: 'test accuracy, median', format: 'percent' as const }] : []),
      { title: 'stuck or diverged', format: 'count' },
      { title: 'runs', format: 'count' },
    ],
    rows: rows.flatMap(({ task, entries }) =>
      entries.map((entry) => {
        const { contestant, rate, metrics } = entry.runs;
        const { median, low, high } = finalLossOf(entry);
        return [
          task,
          contestant.title,
          rate,
          finiteOrNull(median),
          finiteOrNull(low),
          finiteOrNull(high),
          ...(withAccuracy ? [accuracyOf(entry)] : []),
          metrics.filter(({ outcome }) => outcome !== 'trained').length,
          metrics.length,
        ];
      }),
    ),
  };
}

/** Median accuracy on held-out samples of the runs that did not diverge; null where there is none. */
export function accuracyOf({ runs }: Entry): number | null {
  const known = runs.curves.map(({ accuracy }) => accuracy).filter((accuracy) => accuracy !== null);
  return known.length === 0 ? null : spreadOf(known).median;
}

/** How much more the learned optimizer may lose and still count as comparable. */
export const COMPARABLE = 1.25;

/** Whether the learned optimizer does as well as the best of the others, within {@link COMPARABLE}. */
export function comparisonFinding(task: string, learned: Entry, others: readonly Entry[]): Finding {
  const best = bestOf(others);
  const [own, theirs] = [finalLossOf(learned).median, finalLossOf(best).median];
  const ratio = own / theirs;
  return {
    expected: `${task}: median final loss at most ${COMPARABLE} times that of the best tuned optimizer (comparable or better)`,
    measured: Number.isFinite(ratio)
      ? `${ratio.toPrecision(2)} times: ${formatLoss(own)}, ${entryTitle(best)} ${formatLoss(theirs)}`
      : `${formatLoss(own)}, ${entryTitle(best)} ${formatLoss(theirs)}`,
    holds: ratio <= COMPARABLE,
  };
}

/** Whether no run of the learned optimizer sticks or diverges. */
export function reliabilityFinding(entries: readonly Entry[]): Finding {
  const metrics = entries.flatMap(({ runs }) => runs.metrics);
  const count = (outcome: RunMetrics['outcome']): number => metrics.filter((run) => run.outcome === outcome).length;
  const [stuck, diverged] = [count('stuck'), count('diverged')];
  return {
    expected: 'no run of the learned optimizer ends above half its initial loss (stuck) or above all of it (diverged)',
    measured: `${stuck} stuck, ${diverged} diverged of ${metrics.length} runs`,
    holds: stuck + diverged === 0,
  };
}

/** Settings that say how rates were tuned and what was reported. */
export function planSettings(plan: Plan, tasks: readonly CurveTask[]): ExperimentResult['settings'] {
  const list = (values: readonly number[]): string => values.join(', ');
  return [
    ...tasks.map(({ name, title, steps, evaluateEvery, sampling }): readonly [string, string] => [
      name,
      `${title}; ${formatCount(steps)} steps, loss measured every ${evaluateEvery}, batches ${sampling === 'replacement' ? 'with replacement' : 'by epochs'}`,
    ]),
    ['Seeds reported', list(plan.seeds)],
    [
      'Optimizers',
      'Adam (β 0.9, 0.999), RMSProp (decay 0.9), SGD, SGD with momentum 0.9, as far as they take part; constant rates',
    ],
    ['Rates tried', plan.rates.map(formatRate).join(', ')],
    [
      'Seeds to choose rates',
      `${list(plan.tuningSeeds)}: every rate with the first, the best three with all; lowest geometric mean of the final loss`,
    ],
  ];
}

/** Steps between evaluations: a curve has about forty, in a quick look twenty. */
export const evaluateEvery = (steps: number, { quick }: Effort): number =>
  Math.max(1, Math.round(steps / (quick ? 20 : 40)));
