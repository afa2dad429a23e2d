import { loadDigits } from '../../../datasets/digits';
import { NETWORK_TASKS } from '../../tasks/networkTasks';
import { formatLoss, formatRate } from '../../format';
import { ADAPTIVE, learned, learnedFromAnyRate, planOf } from '../contestants';
import { CurveRunner, StepCounter, type CurveTask } from '../curveRunner';
import type { Experiment, ExperimentContext } from '../experiment';
import { evaluateEvery, finalLossOf, planSettings, reliabilityFinding, type Entry } from '../parts';
import { finiteOrNull, seriesPoint, tableColumns, type ChartPart, type Finding, type TablePart } from '../result';

const STEPS = { full: 2000, quick: 500 };
const NETWORKS = ['deep-relu', 'autoencoder', 'recurrent'] as const;
const DECADES = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1];
const HALF_DECADES = Array.from({ length: 13 }, (_, i) => 10 ** (-6 + i / 2));
/** A rate counts as good if its loss is at most so many times the optimizer's lowest. */
const GOOD = 2;

/** Runs of one optimizer from every rate. */
interface Sweep {
  readonly title: string;
  readonly entries: readonly Entry[];
}

/** How much the initial rate matters to one optimizer. */
interface Sensitivity {
  readonly best: Entry;
  readonly worst: number;
  /** Share of the rates whose median loss is at most twice the lowest. */
  readonly good: number;
}

function sensitivity({ entries }: Sweep): Sensitivity {
  const losses = entries.map((entry) => finalLossOf(entry).median);
  const lowest = Math.min(...losses);
  return {
    best: entries[losses.indexOf(lowest)],
    worst: Math.max(...losses),
    good: losses.filter((loss) => loss <= GOOD * lowest).length / losses.length,
  };
}

function chart(task: CurveTask, sweeps: readonly Sweep[], rates: readonly number[], seeds: number): ChartPart {
  const start = Math.max(
    ...sweeps[0].entries.flatMap(({ runs }) => runs.metrics.map(({ initialLoss }) => initialLoss)),
  );
  return {
    kind: 'chart',
    name: task.name,
    title: task.title,
    subtitle: `Loss after ${task.steps.toLocaleString('en')} steps from ${rates.length} initial rates; median and range over ${seeds} seeds`,
    caption: 'Lower and flatter is better. Points at the upper end diverged, or ended above twice the initial loss.',
    x: { title: 'Initial learning rate (log scale)', log: true, ticks: DECADES },
    y: { title: 'Final training loss (log scale)', log: true, maximum: Number((2 * start).toPrecision(2)) },
    dots: true,
    series: sweeps.map(({ title, entries }) => ({
      name: title,
      role: entries[0].role,
      points: entries.map((entry, i) => seriesPoint(rates[i], finalLossOf(entry), entry.runs.metrics.length)),
    })),
  };
}

function table(rows: readonly { readonly task: CurveTask; readonly sweeps: readonly Sweep[] }[]): TablePart {
  return {
    kind: 'table',
    name: 'sensitivity',
    title: 'How much the initial rate matters',
    columns: tableColumns(
      'network',
      ['optimizer', 'text'],
      ['best rate', 'rate'],
      ['median loss there', 'loss'],
      ['at the worst rate', 'loss'],
      ['worst / best', 'ratio'],
      [`rates within ${GOOD} times the best`, 'percent'],
    ),
    rows: rows.flatMap(({ task, sweeps }) =>
      sweeps.map((sweep) => {
        const { best, worst, good } = sensitivity(sweep);
        const lowest = finalLossOf(best).median;
        return [
          task.name,
          sweep.title,
          best.runs.rate,
          finiteOrNull(lowest),
          finiteOrNull(worst),
          finiteOrNull(worst / lowest),
          good,
        ];
      }),
    ),
  };
}

/** Whether more rates are good for this optimizer than for every other. */
function sensitivityFinding(task: CurveTask, own: Sweep, others: readonly Sweep[]): Finding {
  const percent = (sweep: Sweep): string =>
    `${sweep.title} ${Math.round(100 * sensitivity(sweep).good)} % of the rates (worst: ${formatLoss(sensitivity(sweep).worst)})`;
  return {
    expected: `${task.name}: from more rates than with Adam and RMSProp, ${own.title} ends within ${GOOD} times its best`,
    measured: [own, ...others].map(percent).join('; '),
    holds: others.every((other) => sensitivity(own).good > sensitivity(other).good),
  };
}

/** Figure 5: how much the choice of the initial rate matters. */
export const learningRate: Experiment = {
  name: 'learning-rate',
  title: 'Sensitivity to the initial learning rate',
  figure: 'Figure 5',
  claim:
    'The learned optimizer is far less sensitive to the choice of the initial learning rate than Adam and RMSProp: from rates orders of magnitude apart it comes to about the same loss.',
  method:
    'Three networks on the embedded 8×8 digits: ten hidden relu layers, an autoencoder, a recurrent network. Every rate from 1e-6 to 1 with every optimizer, the same seeds for all. The learned optimizer runs twice: as it comes, when its weights hold the rate within a range, and without that range, when the network alone has to correct the rate.',
  async run(context: ExperimentContext) {
    const { effort, weights } = context;
    const plan = {
      ...planOf({ ...effort, seeds: effort.seeds ?? (effort.quick ? 2 : 5) }),
      rates: effort.quick ? DECADES : HALF_DECADES,
      tuningSeeds: [],
    };
    const steps = effort.steps ?? (effort.quick ? STEPS.quick : STEPS.full);
    const digits = loadDigits();
    const tasks = NETWORKS.map((name): CurveTask => {
      const task = NETWORK_TASKS.find((of) => of.name === name)!;
      const problem = task.problem({ digits });
      return { ...task, steps, evaluateEvery: evaluateEvery(steps, effort), problem: () => problem };
    });
    const contestants = [
      { role: 'learned', contestant: learned(weights) },
      { role: 'variant', contestant: learnedFromAnyRate(weights) },
      ...ADAPTIVE.map((contestant) => ({ role: 'other' as const, contestant })),
    ] as const;
    const runs = contestants.length * plan.rates.length * plan.seeds.length;
    const counter = new StepCounter(tasks.length * runs * steps, context.onProgress);
    const rows: { task: CurveTask; sweeps: Sweep[] }[] = [];
    for (const task of tasks) {
      const runner = new CurveRunner(task, context, counter);
      const sweeps: Sweep[] = [];
      for (const { role, contestant } of contestants) {
        const entries: Entry[] = [];
        for (const rate of plan.rates) entries.push({ role, runs: await runner.curves(contestant, rate, plan.seeds) });
        sweeps.push({ title: contestant.title, entries });
      }
      rows.push({ task, sweeps });
    }
    const range = weights.metadata.initialLearningRateRange;
    return {
      settings: planSettings(plan, tasks).filter(([name]) => name !== 'Seeds to choose rates'),
      findings: [
        ...[0, 1].flatMap((which) =>
          rows.map(({ task, sweeps }) => sensitivityFinding(task, sweeps[which], sweeps.slice(2))),
        ),
        reliabilityFinding(rows.flatMap(({ sweeps }) => sweeps[0].entries)),
      ],
      notes: [
        range
          ? `These weights hold any initial rate within ${formatRate(range[0])} to ${formatRate(range[1])}: from rates beyond, the runs are those from the nearer end. That is part of the package, not of the paper; “rate not held” is without it.`
          : 'These weights do not hold the initial rate.',
        'Medians over few seeds: a difference of less than the bands is none.',
      ],
      parts: [...rows.map(({ task, sweeps }) => chart(task, sweeps, plan.rates, plan.seeds.length)), table(rows)],
    };
  },
};
