import { DEFAULT_META_TRAINING } from '../../meta/config';
import { defaultCorpus } from '../../meta/corpus';
import { asProblem } from '../../problems/asProblem';
import { paperCorpus } from '../../problems/corpus';
import type { Family } from '../../problems/family';
import { laneProblem } from '../../problems/lanes/laneProblem';
import { NoiseTable } from '../../problems/lanes/noise';
import { sizeOf } from '../../problems/problem';
import { createRandom } from '../../random';
import type { CurveTask } from './curveRunner';
import type { Effort } from './experiment';
import { evaluateEvery } from './parts';

/** A family of problems to train on, an instance for every seed. */
export interface CorpusTask {
  /** Kind of problem. */
  readonly group: string;
  readonly task: CurveTask;
}

/** The group of the families that the shipped weights were meta-trained on. */
export const OWN_CORPUS = 'own-corpus';

const STEPS = 1000;
/** A quick look leaves out families with more parameters: their gradients would take most of the time. */
const SMALL = 256;
/** Families of each group in a quick look: the first and the middle one. */
const quickOf = <T>(families: readonly T[]): T[] => [...new Set([families[0], families[families.length >> 1]])];
/** Separates an instance's matrices and data from its start, batches and noise, which are streams 0 to 2 of the seed. */
const INSTANCE_STREAM = 3;
/** Of the table that noise comes from. */
const NOISE_SEED = 0;
const NOISE_SIZE = 1 << 17;

function corpusTask(name: string, effort: Effort, problem: CurveTask['problem']): CurveTask {
  const { steps = STEPS } = effort;
  const of = { steps, evaluateEvery: evaluateEvery(steps, effort), problem };
  return { name: `corpus-${name}`, title: name, sampling: 'replacement', ...of };
}

const familyTask = (family: Family, effort: Effort): CurveTask =>
  corpusTask(family.name, effort, (seed) => asProblem(family.sample(createRandom(seed, INSTANCE_STREAM))));

/**
 * Families of the paper's ensemble.
 * @param twoOfEachKind default: in a quick look
 */
export function corpusTasks(effort: Effort, twoOfEachKind = effort.quick): CorpusTask[] {
  const isSmall = ({ parameters }: Family): boolean => parameters.reduce((sum, p) => sum + sizeOf(p), 0) <= SMALL;
  return paperCorpus({ networks: true }).flatMap(({ name, families }) =>
    (twoOfEachKind ? quickOf(families.filter(isSmall)) : families).map((family) => ({
      group: name,
      task: familyTask(family, effort),
    })),
  );
}

/**
 * The families that the shipped weights were meta-trained on, as they were seen there, with members that were not: two in a
 * quick look, else all.
 */
export function ownCorpusTasks(effort: Effort): CorpusTask[] {
  // A member has minibatches and noise of its own, so one table serves all.
  const table = new NoiseTable(NOISE_SEED, NOISE_SIZE);
  const { augmentation } = DEFAULT_META_TRAINING.phases.at(-1)!.estimator;
  const families = defaultCorpus().map(({ family }) => family);
  return (effort.quick ? quickOf(families) : families).map((family) => ({
    group: OWN_CORPUS,
    task: corpusTask(`own-${family.name}`, effort, () => laneProblem(family, augmentation, table)),
  }));
}
