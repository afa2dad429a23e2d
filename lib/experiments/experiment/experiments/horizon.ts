import { loadDigits } from '../../../datasets/digits';
import { LATE_FLOOR, RISE_TOLERANCE } from '../../comparison/criteria';
import { formatCount, formatLoss } from '../../format';
import { NETWORK_TASKS } from '../../tasks/networkTasks';
import { VALIDATION_TASKS } from '../../tasks/validationTasks';
import { completeLosses } from '../curve';
import { learned, learnedWithoutAnnealing, planOf, TUNED } from '../contestants';
import { StepCounter, type CurveTask } from '../curveRunner';
import type { Experiment, ExperimentContext } from '../experiment';
import { fieldRuns, trainField, type Field } from '../field';
import { entryTitle, evaluateEvery, finalLossTable, lossChart, planSettings, type Entry } from '../parts';
import { spreadOf } from '../quantiles';
import { finiteOrNull, tableColumns, type Finding, type TablePart } from '../result';

/** A step of digits-tanh takes three times as long. */
const STEPS: Readonly<Record<string, number>> = { 'digits-long': 50_000, 'digits-tanh': 20_000 };
const QUICK_STEPS = 5000;
/** Evaluations whose median stands for a moment of a run. */
const WINDOW = 5;
/** The loss has to fall at least so far over the second half of a run to count as progress. */
const PROGRESS = 0.8;

/** Medians over the seeds of the loss around the middle and at the end, and the lowest on the way. */
interface Late {
  readonly middle: number;
  readonly end: number;
  readonly lowest: number;
}

function late({ runs }: Entry, task: CurveTask): Late {
  const curves = runs.curves.map((curve) => completeLosses(curve, task));
  const median = (of: (losses: number[]) => number): number => spreadOf(curves.map(of)).median;
  const around = (losses: number[], end: number): number =>
    spreadOf(losses.slice(Math.max(0, end - WINDOW), end)).median;
  return {
    middle: median((losses) => around(losses, Math.ceil((losses.length + WINDOW) / 2))),
    end: median((losses) => around(losses, losses.length)),
    lowest: median((losses) => Math.min(...losses.map((_, i) => around(losses, Math.max(WINDOW, i + 1))))),
  };
}

function findings(task: CurveTask, entry: Entry): Finding[] {
  const { middle, end, lowest } = late(entry, task);
  const name = `${task.name}, ${entryTitle(entry)}`;
  const atFloor = end <= LATE_FLOOR;
  return [
    {
      expected: `${name}: over the second half the loss falls to at most ${PROGRESS} times what it was, or is below ${LATE_FLOOR.toExponential(1)}`,
      measured: `${formatLoss(middle)} in the middle, ${formatLoss(end)} at the end`,
      holds: atFloor || end <= PROGRESS * middle,
    },
    {
      expected: `${name}: the loss at the end is at most ${RISE_TOLERANCE} times the lowest on the way, or below ${LATE_FLOOR.toExponential(1)}`,
      measured: `lowest ${formatLoss(lowest)}, at the end ${formatLoss(end)}`,
      holds: atFloor || end <= RISE_TOLERANCE * lowest,
    },
  ];
}

function lateTable(rows: readonly { readonly task: CurveTask; readonly entries: readonly Entry[] }[]): TablePart {
  return {
    kind: 'table',
    name: 'late-progress',
    title: `The second half of a run (medians over seeds; each value the median of ${WINDOW} evaluations)`,
    columns: tableColumns(
      'network',
      ['optimizer', 'text'],
      ['loss in the middle', 'loss'],
      ['loss at the end', 'loss'],
      ['end / middle', 'number'],
      ['lowest', 'loss'],
    ),
    rows: rows.flatMap(({ task, entries }) =>
      entries.map((entry) => {
        const { middle, end, lowest } = late(entry, task);
        return [task.name, entryTitle(entry), ...[middle, end, end / middle, lowest].map(finiteOrNull)];
      }),
    ),
  };
}

/** The paper's limits: long trainings. */
export const horizon: Experiment = {
  name: 'horizon',
  title: 'Long trainings: progress or plateau',
  figure: 'Abstract and Figure 4b',
  claim:
    'The learned optimizer goes on for thousands of steps, far beyond the few hundred that it is unrolled for in meta-training.',
  method:
    'Does it go on, or does the loss reach a plateau or rise again? Two small networks on the embedded digits, trained far longer than any unroll of meta-training. The learned optimizer as it comes, with the annealing that its weights carry, and without (annealAfter: Infinity), beside the others, whose constant rates are tuned for this length.',
  async run(context: ExperimentContext) {
    const { effort, weights } = context;
    const plan = planOf({ ...effort, seeds: effort.seeds ?? (effort.quick ? 2 : 5) });
    const digits = loadDigits();
    const tasks = [
      VALIDATION_TASKS.find(({ name }) => name === 'digits-long')!,
      NETWORK_TASKS.find(({ name }) => name === 'digits-tanh')!,
    ].map((task): CurveTask => {
      const problem = task.problem({ digits });
      const steps = effort.steps ?? (effort.quick ? QUICK_STEPS : STEPS[task.name]);
      const title = task.title.replace(/, [\d,]+ steps$/, '');
      return { ...task, title, steps, evaluateEvery: evaluateEvery(steps, effort), problem: () => problem };
    });
    const field: Field = {
      own: [
        { role: 'learned', contestant: learned(weights) },
        { role: 'variant', contestant: learnedWithoutAnnealing(weights) },
      ],
      tuned: TUNED,
    };
    const counter = new StepCounter(
      tasks.reduce((sum, { steps }) => sum + fieldRuns(field, plan) * steps, 0),
      context.onProgress,
    );
    const rows: { task: CurveTask; entries: Entry[] }[] = [];
    for (const task of tasks) rows.push({ task, entries: await trainField(field, task, plan, context, counter) });
    const { annealing } = weights.metadata;
    return {
      settings: planSettings(plan, tasks),
      findings: rows.flatMap(({ task, entries }) =>
        entries.slice(0, field.own.length).flatMap((entry) => findings(task, entry)),
      ),
      notes: [
        annealing
          ? `These weights anneal: step t beyond ${formatCount(annealing.after)} is multiplied by (${formatCount(annealing.after)}/t)^${annealing.power}. That is part of the package, not of the paper.`
          : 'These weights do not anneal: both lines of the learned optimizer are the same.',
        `A loss below ${LATE_FLOOR.toExponential(1)} has nothing left to fall in single precision.`,
      ],
      parts: [
        ...rows.map(({ task, entries }) =>
          lossChart(
            task.name,
            task,
            entries,
            `${formatCount(task.steps)} steps; median and range over seeds ${plan.seeds.join(', ')}`,
          ),
        ),
        lateTable(rows),
        finalLossTable(rows.map(({ task, entries }) => ({ task: task.name, entries }))),
      ],
    };
  },
};
