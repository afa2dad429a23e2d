import { formatLoss, formatRate } from '../format';
import type { RunMetrics } from '../metrics';
import { columns, type Table } from '../table';
import type { Comparison, RateRuns, Ratio } from './compare';
import type { Criterion } from './criteria';
import { meanFinalLoss } from './tuning';

const formatRatio = (ratio: number): string => (Number.isFinite(ratio) ? ratio.toPrecision(2) : 'diverged');
const failures = (runs: readonly RunMetrics[]): string => {
  const stuck = runs.filter(({ outcome }) => outcome === 'stuck').length;
  const diverged = runs.filter(({ outcome }) => outcome === 'diverged').length;
  return stuck + diverged === 0 ? '' : ` (${stuck} stuck, ${diverged} diverged)`;
};
const lossOf = ({ runs }: RateRuns): string => `${formatLoss(meanFinalLoss(runs))}${failures(runs)}`;
const spread = ({ mean, lowest, highest }: Ratio): string =>
  `${formatRatio(mean)} (${formatRatio(lowest)} – ${formatRatio(highest)})`;

/** Ratios of the final losses and mean log losses, a row per task. */
export function ratioTable({ tasks, ratioToBest }: Comparison): Table {
  return {
    columns: columns(
      'task',
      'learned',
      'best tuned',
      'ratio to best (spread)',
      'worst seed',
      'to tuned Adam',
      'to Adam 1e-3',
      'mean log: learned',
      'tuned Adam',
      'Adam 1e-3',
    ),
    rows: [
      ...tasks.map((task) => [
        task.task,
        lossOf(task.learned),
        `${lossOf(task.best.tuned)} ${task.best.title} ${formatRate(task.best.tuned.rate)}`,
        spread(task.ratioToBest),
        String(task.ratioToBest.worstSeed),
        formatRatio(task.ratioToTunedAdam.mean),
        formatRatio(task.ratioToCustomaryAdam.mean),
        task.meanLogLoss.learned.toFixed(2),
        task.meanLogLoss.tunedAdam.toFixed(2),
        task.meanLogLoss.customaryAdam.toFixed(2),
      ]),
      ['geometric mean', '', '', formatRatio(ratioToBest), '', '', '', '', '', ''],
    ],
  };
}

/** Final losses of the baselines, tuned with their rate and at their customary rate. */
export function baselineTable({ tasks }: Comparison): Table {
  const names = tasks[0]?.baselines ?? [];
  return {
    columns: columns(
      'task',
      ...names.flatMap(({ title, customary }) => [`${title}, tuned`, `at ${formatRate(customary.rate)}`]),
    ),
    rows: tasks.map(({ task, baselines }) => [
      task,
      ...baselines.flatMap(({ tuned, customary }) => [
        `${lossOf(tuned)} at ${formatRate(tuned.rate)}`,
        lossOf(customary),
      ]),
    ]),
  };
}

/** Final losses of the learned optimizer by initial rate. */
export function rateTable({ tasks }: Comparison): Table {
  const rates = tasks[0]?.learnedFromOtherRates.map(({ rate }) => formatRate(rate)) ?? [];
  return {
    columns: columns('task', 'default rate', ...rates.map((rate) => `from ${rate}`)),
    rows: tasks.map(({ task, learned, learnedFromOtherRates }) => [
      task,
      lossOf(learned),
      ...learnedFromOtherRates.map(lossOf),
    ]),
  };
}

export function criteriaTable(list: readonly Criterion[]): Table {
  return {
    columns: ['criterion', 'expected', 'measured', ''].map((title) => ({ title, align: 'left' })),
    rows: list.map(({ name, expected, measured, met }) => [name, expected, measured, met ? 'met' : 'not met']),
  };
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
