import { asProblem } from '../../problems/asProblem';
import { paperCorpus } from '../../problems/corpus';
import type { Family } from '../../problems/family';
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

const STEPS = 1000;
/** A quick look leaves out families with more parameters: their gradients would take most of the time. */
const SMALL = 256;
/** Families of each group in a quick look: the first and the middle one. */
const quickOf = (families: readonly Family[]): Family[] => [...new Set([families[0], families[families.length >> 1]])];
/** Separates an instance's matrices and data from its start, batches and noise, which are streams 0 to 2 of the seed. */
const INSTANCE_STREAM = 3;

function familyTask(family: Family, effort: Effort): CurveTask {
  const { steps = STEPS } = effort;
  return {
    name: `corpus-${family.name}`,
    title: family.name,
    sampling: 'replacement',
    steps,
    evaluateEvery: evaluateEvery(steps, effort),
    problem: (seed) => asProblem(family.sample(createRandom(seed, INSTANCE_STREAM))),
  };
}

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
