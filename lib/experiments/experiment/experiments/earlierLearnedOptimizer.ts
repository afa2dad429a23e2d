import { featureCount } from '../../../datasets/images';
import type { Weights } from '../../../optimizer/weights';
import type { Contestant } from '../../comparison/contestants';
import { formatCount, formatLoss } from '../../format';
import { l2lContestant } from '../../l2l/contestant';
import { mlpOptimizee } from '../../l2l/optimizees';
import { shippedL2lWeights } from '../../l2l/shipped';
import { learned, learnedWithoutWarmup, planOf, TUNED, type Plan } from '../contestants';
import { CurveRunner, StepCounter, tunedRuns, type CurveTask } from '../curveRunner';
import type { Effort, Experiment, ExperimentContext } from '../experiment';
import { heldOutImages, type HeldOutImages } from '../heldOutImages';
import {
  bestOf,
  COMPARABLE,
  comparisonFinding,
  entryTitle,
  evaluateEvery,
  finalLossOf,
  finalLossTable,
  lossChart,
  planSettings,
  reliabilityFinding,
  type Entry,
} from '../parts';
import type { Finding } from '../result';

/** Steps of a training that L2L is meta-trained on. */
const L2L_HORIZON = 100;
/** Steps of the long trainings. In a quick look less than the ten times of the full run: a step of L2L costs ten of Adam. */
const LONG = { full: 1000, quick: 500 };
/** The first is L2L's own. */
const ACTIVATIONS = ['sigmoid', 'relu'] as const;
/** Factors of its steps that L2L is tuned with. */
const FACTORS = [0.1, 0.3, 1, 3];
/** From so many times the loss of the best tuned optimizer on, L2L counts as broken. */
const BROKEN = 2;

/** A training, whether of L2L's own length or longer. */
export interface Training extends CurveTask {
  readonly activation: (typeof ACTIVATIONS)[number];
  readonly long: boolean;
}

/** The networks on these images, each for L2L's steps and for longer. Steps of the effort are those of the long ones. */
export function trainings({ kind, train, test }: HeldOutImages, effort: Effort): Training[] {
  const longSteps = effort.steps ?? (effort.quick ? LONG.quick : LONG.full);
  const images = kind === 'mnist' ? 'MNIST' : 'digits';
  return ACTIVATIONS.flatMap((activation) => {
    const problem = mlpOptimizee(train, activation);
    const held = mlpOptimizee(test, activation);
    return [false, true].map((long): Training => {
      const steps = long ? longSteps : Math.min(L2L_HORIZON, longSteps);
      return {
        name: `${activation}-${long ? 'long' : 'short'}`,
        title: `${featureCount(train)}-20-10 ${activation}, ${images}, ${formatCount(steps)} steps`,
        sampling: 'replacement',
        steps,
        evaluateEvery: evaluateEvery(steps, effort),
        problem: () => problem,
        accuracy: (parameters) => held.accuracy(parameters),
        ...{ activation, long },
      };
    });
  });
}

/** The optimizers of the experiment, and how often each trains. */
class Field {
  readonly #learned: Contestant;
  readonly #withoutWarmup: Contestant;
  readonly #factorPlan: Plan;

  constructor(
    weights: Weights,
    readonly l2l: Contestant,
    private readonly plan: Plan,
  ) {
    this.#learned = learned(weights);
    this.#withoutWarmup = learnedWithoutWarmup(weights);
    this.#factorPlan = { ...plan, rates: FACTORS, tuningSeeds: plan.tuningSeeds.slice(0, 1) };
  }

  /** Steps of all runs of a training. */
  steps({ steps, long }: Training): number {
    const seeds = this.plan.seeds.length;
    const tuned = TUNED.length * tunedRuns(this.plan);
    return steps * (2 * seeds + tuned + (long ? 0 : seeds + tunedRuns(this.#factorPlan)));
  }

  async train(task: Training, context: ExperimentContext, counter: StepCounter): Promise<Row> {
    const { plan, l2l } = this;
    const runner = new CurveRunner(task, context, counter);
    const asItComes = async (role: Entry['role'], contestant: Contestant): Promise<Entry> => ({
      role,
      untuned: true,
      runs: await runner.curves(contestant, contestant.customaryRate, plan.seeds),
    });
    const own = await asItComes('learned', this.#learned);
    // What the warm-up costs shows in a training of less than its length; a longer one has left it behind.
    const variants = task.long ? [] : [await asItComes('variant', this.#withoutWarmup)];
    const earlier = await asItComes('other', l2l);
    const tuned: Entry[] = [];
    for (const baseline of TUNED) tuned.push({ role: 'other', runs: await runner.tuned(baseline, plan) });
    const withFactor = { ...l2l, title: `${l2l.title} (factor tuned)` };
    const factors: Entry[] = task.long
      ? []
      : [{ role: 'other', runs: await runner.tuned(withFactor, this.#factorPlan) }];
    return { task, own, earlier, tuned, drawn: [own, ...variants, earlier, ...tuned], factors };
  }
}

/** All runs of one training. */
interface Row {
  readonly task: Training;
  readonly own: Entry;
  /** L2L as it was meta-trained. */
  readonly earlier: Entry;
  readonly tuned: readonly Entry[];
  readonly drawn: readonly Entry[];
  /** L2L with its factor tuned: often the same runs, so the table has it and the picture does not. */
  readonly factors: readonly Entry[];
}

const times = (ratio: number): string => (Number.isFinite(ratio) ? `${ratio.toPrecision(2)} times: ` : '');

/** L2L beside the best tuned optimizer: as good where it was meta-trained, broken everywhere else. */
function earlierFinding({ task, earlier, tuned }: Row): Finding {
  const best = bestOf(tuned);
  const [own, theirs] = [finalLossOf(earlier).median, finalLossOf(best).median];
  const ratio = own / theirs;
  const measured = `${times(ratio)}${formatLoss(own)}, ${entryTitle(best)} ${formatLoss(theirs)}`;
  const beyond = [
    ...(task.activation === ACTIVATIONS[0] ? [] : [`another activation (${task.activation})`]),
    ...(task.long ? ['more steps'] : []),
  ].join(' and ');
  return beyond === ''
    ? {
        expected: `${task.name}: L2L, with the activation and the steps of its meta-training, at most ${COMPARABLE} times the median final loss of the best tuned optimizer`,
        measured,
        holds: ratio <= COMPARABLE,
      }
    : {
        expected: `${task.name}: L2L, with ${beyond} than in its meta-training, at least ${BROKEN} times the median final loss of the best tuned optimizer`,
        measured,
        holds: ratio >= BROKEN,
      };
}

/** The learned optimizer beside L2L, where L2L was not meta-trained. */
function betweenFinding({ task, own, earlier }: Row): Finding {
  const [loss, theirs] = [finalLossOf(own).median, finalLossOf(earlier).median];
  return {
    expected: `${task.name}: median final loss of the learned optimizer below that of L2L`,
    measured: `${formatLoss(loss)}, ${entryTitle(earlier)} ${formatLoss(theirs)}`,
    holds: loss < theirs,
  };
}

/** Figure 2: what a learned optimizer of before can do, and where it breaks. */
export const earlierLearnedOptimizer: Experiment = {
  name: 'earlier-learned-optimizer',
  title: 'An earlier learned optimizer, where it was meta-trained and beyond',
  figure: 'Figure 2',
  claim:
    'L2L, the learned optimizer of Andrychowicz et al. 2016, trains the sigmoid network that it was meta-trained on, but fails when the activation becomes relu or the training longer; the hierarchical optimizer, meta-trained without a neural network, trains both.',
  method:
    'A network of 20 hidden units, sigmoid (L2L’s own) and relu, batches of 128, trained for the 100 steps of L2L’s meta-training and for longer, from the same starts on the same batches for all. The loss is over the first 2,000 training images or, of the digits, all; accuracies are of images that were held out.',
  async run(context: ExperimentContext) {
    const { effort, weights } = context;
    const images = await heldOutImages(context);
    const tasks = trainings(images, effort);
    const plan = planOf({ ...effort, seeds: effort.seeds ?? (effort.quick ? 2 : 5) });
    const l2lWeights = shippedL2lWeights();
    const field = new Field(weights, { ...l2lContestant(l2lWeights), title: 'L2L' }, plan);
    const counter = new StepCounter(
      tasks.reduce((sum, task) => sum + field.steps(task), 0),
      context.onProgress,
    );
    const rows: Row[] = [];
    for (const task of tasks) rows.push(await field.train(task, context, counter));
    const { warmup } = weights.metadata;
    return {
      settings: [
        ['Data', images.provenance],
        ...planSettings(plan, tasks),
        ['Weights of L2L', `${l2lWeights.metadata.name} (${field.l2l.name})`],
        [
          'L2L (factor tuned)',
          `its steps times ${FACTORS.join(', ')}, chosen with seed ${plan.tuningSeeds[0]}; short trainings only`,
        ],
      ],
      findings: [
        ...rows.map(earlierFinding),
        ...rows.map(({ task, own, tuned }) => comparisonFinding(task.name, own, tuned)),
        ...rows.filter(({ task }) => task.long || task.activation !== ACTIVATIONS[0]).map(betweenFinding),
        reliabilityFinding(rows.map(({ own }) => own)),
      ],
      notes: [
        'L2L was meta-trained by this package, not by its authors, on the first 8,000 images of MNIST’s t10k files: see data/l2l.md. It has no rate; its “rate” is a factor of its steps, 1 as it was meta-trained.',
        warmup
          ? `These weights of the learned optimizer warm up over ${formatCount(warmup.steps)} steps, which is longer than the short trainings if those have fewer; “no warm-up” is without it (warmupSteps: 0).`
          : 'These weights of the learned optimizer have no warm-up: both of its lines are the same.',
        'Rates of the others are tuned for each network and length; the learned optimizer and L2L are used as they come.',
        images.note,
      ],
      parts: [
        ...rows.map(({ task, drawn }) =>
          lossChart(
            task.name,
            task,
            drawn,
            `Median and range over seeds ${plan.seeds.join(', ')}; Adam, RMSProp, SGD at their best rate of ${plan.rates.length}`,
          ),
        ),
        finalLossTable(rows.map(({ task, drawn, factors }) => ({ task: task.name, entries: [...drawn, ...factors] }))),
      ],
    };
  },
};
