import type { LabelledImages } from '../../../datasets/images';
import type { Network } from '../../../problems/network/network';
import { NETWORK_TASKS } from '../../tasks/networkTasks';
import type { Task } from '../../tasks/task';
import { VALIDATION_TASKS } from '../../tasks/validationTasks';
import { learned, planOf, TUNED } from '../contestants';
import { StepCounter, type CurveTask } from '../curveRunner';
import type { Effort, Experiment, ExperimentContext } from '../experiment';
import { fieldRuns, trainField, type Field } from '../field';
import { heldOutImages, type HeldOutImages } from '../heldOutImages';
import {
  accuracyOf,
  comparisonFinding,
  evaluateEvery,
  finalLossTable,
  lossChart,
  planSettings,
  reliabilityFinding,
  type Entry,
} from '../parts';
import type { Finding } from '../result';

const STEPS = { full: 2000, quick: 400 };
/** Share of test images that the learned optimizer may be behind and still count as good. */
const ACCURACY_TOLERANCE = 0.005;

/** A network with a name and a title that fit the images. */
type ImageTask = Task & { readonly of: (images: LabelledImages) => Network };

const find = (tasks: readonly Task[], name: string): Task => tasks.find((task) => task.name === name)!;

function mnistTask(name: string, change: Partial<Task> = {}): ImageTask {
  const task = find(NETWORK_TASKS, name);
  return { ...task, ...change, of: (images) => task.problem({ digits: images, mnist: images }) as Network };
}

function imageTasks({ kind }: HeldOutImages): ImageTask[] {
  if (kind === 'mnist') return ['mnist-relu', 'mnist-sigmoid', 'mnist-conv'].map((name) => mnistTask(name));
  const conv = find(VALIDATION_TASKS, 'digits-conv');
  return [
    // Twice as wide as the validation tasks digits-relu and digits-sigmoid.
    ...(['relu', 'sigmoid'] as const).map((activation) =>
      mnistTask(`mnist-${activation}`, {
        name: `digits-64-${activation}`,
        title: `64-64-10 ${activation}, digits`,
      }),
    ),
    { ...conv, of: (digits) => conv.problem({ digits }) as Network },
  ];
}

function curveTasks(images: HeldOutImages, effort: Effort): CurveTask[] {
  const steps = effort.steps ?? (effort.quick ? STEPS.quick : STEPS.full);
  return imageTasks(images).map((task) => {
    const problem = task.of(images.train);
    const held = task.of(images.test);
    return {
      name: task.name,
      title: task.title,
      sampling: task.sampling,
      steps,
      evaluateEvery: evaluateEvery(steps, effort),
      problem: () => problem,
      accuracy: (parameters) => held.accuracy(parameters),
    };
  });
}

function accuracyFinding(task: string, own: Entry, others: readonly Entry[]): Finding {
  const accuracy = accuracyOf(own) ?? 0;
  const best = others.reduce((a, b) => ((accuracyOf(b) ?? 0) > (accuracyOf(a) ?? 0) ? b : a));
  const theirs = accuracyOf(best) ?? 0;
  const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
  return {
    expected: `${task}: median test accuracy at most half a point below the best of the tuned optimizers`,
    measured: `${percent(accuracy)}, ${best.runs.contestant.title} ${percent(theirs)}`,
    holds: accuracy >= theirs - ACCURACY_TOLERANCE,
  };
}

/** Figure 4a: networks that the optimizer was not meta-trained on. */
export const mnist: Experiment = {
  name: 'mnist',
  title: 'Small networks on handwritten digits',
  figure: 'Figure 4a',
  claim:
    'Meta-trained without a neural network in its corpus, the learned optimizer does as well as or better than tuned Adam, RMSProp and SGD on small fully connected and convolutional networks on MNIST.',
  method:
    'Two fully connected networks (relu, sigmoid) and a convolutional one, batches of 64, from the same starts on the same batches for all. The loss is over the first 2,000 training images (convolutional network: 1,024) or, of the digits, all; accuracies are of images that were held out.',
  async run(context: ExperimentContext) {
    const { effort, weights } = context;
    const images = await heldOutImages(context);
    const tasks = curveTasks(images, effort);
    const plan = planOf(effort);
    const field: Field = { own: [{ role: 'learned', contestant: learned(weights) }], tuned: TUNED };
    const counter = new StepCounter(
      tasks.reduce((sum, { steps }) => sum + fieldRuns(field, plan) * steps, 0),
      context.onProgress,
    );
    const rows: { task: CurveTask; own: Entry; others: Entry[] }[] = [];
    for (const task of tasks) {
      const [own, ...others] = await trainField(field, task, plan, context, counter);
      rows.push({ task, own, others });
    }
    return {
      settings: [['Data', images.provenance], ...planSettings(plan, tasks)],
      findings: [
        ...rows.map(({ task, own, others }) => comparisonFinding(task.name, own, others)),
        ...rows.map(({ task, own, others }) => accuracyFinding(task.name, own, others)),
        reliabilityFinding(rows.map(({ own }) => own)),
      ],
      notes: [
        'Rates of all but the learned optimizer are tuned on each network; the learned one is used as it comes.',
        images.note,
      ],
      parts: [
        ...rows.map(({ task, own, others }) =>
          lossChart(
            task.name,
            task,
            [own, ...others],
            `Median and range over seeds ${plan.seeds.join(', ')}; others at their best rate of ${plan.rates.length}`,
          ),
        ),
        finalLossTable(rows.map(({ task, own, others }) => ({ task: task.name, entries: [own, ...others] }))),
      ],
    };
  },
};
