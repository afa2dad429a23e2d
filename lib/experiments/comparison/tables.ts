import { formatLoss, formatRate } from '../format';
import { columns, type Table } from '../table';
import type { Comparison, Ratio, RateRuns } from './compare';
import type { Criterion } from './criteria';
import { meanFinalLoss } from './tuning';

const ratioText = (ratio: number): string =>
  Number.isFinite(ratio) ? Number(ratio.toPrecision(2)).toString() : 'diverged';

/** A ratio with its spread over the seeds and the worst of them. */
const spreadText = ({ mean, lowest, highest, worstSeed }: Ratio): string =>
  `${ratioText(mean)} (${ratioText(lowest)} – ${ratioText(highest)}, seed ${worstSeed})`;

/** Lowest and highest final loss. */
function lossRange({ runs }: RateRuns): string {
  const losses = runs.map(({ finalLoss }) => finalLoss);
  return `${formatLoss(Math.min(...losses))} – ${formatLoss(Math.max(...losses))}`;
}

/** Geometric mean of the final losses, and how many runs failed. */
function lossText({ runs }: RateRuns): string {
  const failures = (['stuck', 'diverged'] as const).flatMap((outcome) => {
    const count = runs.filter((run) => run.outcome === outcome).length;
    return count === 0 ? [] : [`${count} ${outcome}`];
  });
  const loss = formatLoss(meanFinalLoss(runs));
  if (failures.length === 0) return loss;
  // A mean that includes a diverged run says so itself.
  return loss === 'diverged' ? failures.join(', ') : `${loss} (${failures.join(', ')})`;
}

/** Final losses beside those of the best tuned baseline, a row per task. */
export function ratioTable({ tasks, ratioToBest }: Comparison): Table {
  return {
    columns: columns('task', 'learned', 'best tuned', 'which', 'ratio (spread, worst seed)'),
    rows: [
      ...tasks.map(({ task, learned, best, ratioToBest: ratio }) => [
        task,
        lossText(learned),
        lossText(best.tuned),
        `${best.title} ${formatRate(best.tuned.rate)}`,
        spreadText(ratio),
      ]),
      ['geometric mean', '', '', '', ratioText(ratioToBest)],
    ],
  };
}

/** Final losses and speed beside Adam, tuned and not, a row per task. */
export function adamTable({ tasks }: Comparison): Table {
  return {
    columns: columns(
      'task',
      'loss / tuned Adam',
      'loss / untuned Adam',
      'mean log loss: learned',
      'tuned Adam',
      'untuned Adam',
    ),
    rows: tasks.map(({ task, ratioToTunedAdam, ratioToCustomaryAdam, meanLogLoss }) => [
      task,
      spreadText(ratioToTunedAdam),
      spreadText(ratioToCustomaryAdam),
      meanLogLoss.learned.toFixed(2),
      meanLogLoss.tunedAdam.toFixed(2),
      meanLogLoss.customaryAdam.toFixed(2),
    ]),
  };
}

/** Final losses of the baselines, tuned and at their customary rate. */
export function baselineTable({ tasks }: Comparison): Table {
  return {
    columns: columns('task', 'optimizer', 'tuned rate', 'loss', 'customary rate', 'loss'),
    rows: tasks.flatMap(({ task, baselines }) =>
      baselines.map(({ title, tuned, customary }, i) => [
        i === 0 ? task : '',
        title,
        formatRate(tuned.rate),
        lossText(tuned),
        formatRate(customary.rate),
        lossText(customary),
      ]),
    ),
  };
}

/** Final losses of the learned optimizer by initial rate, with their ranges over the seeds. */
export function rateTable({ tasks }: Comparison): Table {
  const rates = tasks[0]?.learnedFromOtherRates.map(({ rate }) => formatRate(rate)) ?? [];
  return {
    columns: columns('task', 'default rate', ...rates.map((rate) => `from ${rate}`)),
    rows: tasks.map(({ task, learned, learnedFromOtherRates }) => [
      task,
      ...[learned, ...learnedFromOtherRates].map((runs) => `${lossText(runs)} (${lossRange(runs)})`),
    ]),
  };
}

/** One criterion a line. */
export function criteriaText(list: readonly Criterion[]): string {
  return list
    .map(
      ({ name, expected, measured, met }) =>
        `${met ? 'met    ' : 'not met'} ${name}: ${measured}; expected: ${expected}`,
    )
    .join('\n');
}

/** Every run as a line of comma-separated values, with a header. */
export function runsCsv({ tasks, seeds, weights }: Comparison): string {
  const learned = `learned ${weights}`.replaceAll(/[",\n]/g, ' ');
  const header = 'task,optimizer,setting,rate,seed,outcome,initial_loss,final_loss,mean_log_loss,late_change';
  const lines = tasks.flatMap((task) => {
    const of = (optimizer: string, setting: string, { rate, runs }: RateRuns): string[] =>
      runs.map((run, i) =>
        [
          task.task,
          optimizer,
          setting,
          rate,
          seeds[i],
          run.outcome,
          run.initialLoss,
          run.finalLoss,
          run.meanLogLoss,
          run.lateChange,
        ].join(','),
      );
    return [
      ...of(learned, 'default', task.learned),
      ...task.learnedFromOtherRates.flatMap((runs) => of(learned, 'other rate', runs)),
      ...task.baselines.flatMap(({ name, tuned, customary }) => [
        ...of(name, 'tuned', tuned),
        ...of(name, 'customary', customary),
      ]),
    ];
  });
  return `${[header, ...lines].join('\n')}\n`;
}
