import type { LaneFamily } from '../problems/lanes/family';
import { Function2dFamily } from '../problems/lanes/functions2d';
import { RegressionFamily } from '../problems/lanes/regression';
import { ResidualFamily } from '../problems/lanes/residuals';
import { ObjectiveLanes } from '../problems/lanes/objectiveFamily';
import { paperCorpus } from '../problems/corpus';
import { loadedProblems } from './userProblems';

/** A family, and how many problems of it are advanced side by side. */
interface FamilyBlocks {
  readonly family: LaneFamily;
  /** Blocks of 16 problems, 8 antithetic pairs each. */
  readonly blocks: number;
}

/** What advances by itself in an iteration: all blocks of a family, or of one of its copies. */
export interface CorpusEntry extends FamilyBlocks {
  /** Place of the family in the corpus, the same for all its copies. */
  readonly member: number;
  /** From 0: which copy, with problems and perturbations of its own. */
  readonly copy: number;
}

/** Names of the corpora that come with the package; `none` is for those who bring all problems themselves. */
export type CorpusName = 'default' | 'paper' | 'paper-with-networks' | 'none';

export const CORPUS_NAMES: readonly CorpusName[] = ['default', 'paper', 'paper-with-networks', 'none'];

/** Families that a corpus may have, copies aside. Seeds and streams of random numbers are counted in these. */
export const MOST_FAMILIES = 256;

/** Which problems to meta-train on. */
export interface CorpusChoice {
  readonly corpus: CorpusName;
  /** Absolute path of a module with families of the user's own (`loadProblems`), which come after those of the corpus. */
  readonly problems?: string;
  /**
   * So many copies of every family, each with problems and perturbations of its own: a less noisy meta-gradient of as many
   * times the work, on as many times the threads or workers. Default: 1.
   */
  readonly copies?: number;
}

/**
 * The families of a corpus, always in the same order: the default one, or every member of the paper's ensemble
 * (`paperCorpus`), one block of each; then the user's, one block of each. Of several copies, first all families' first.
 * @throws {RangeError} if they are more than 256
 */
export function corpusEntries({ corpus, problems, copies = 1 }: CorpusChoice): CorpusEntry[] {
  const own = problems === undefined ? [] : loadedProblems(problems);
  const families = [...namedCorpus(corpus), ...own.map((family) => ({ family, blocks: 1 }))];
  if (families.length > MOST_FAMILIES) {
    throw new RangeError(
      `problems: expected at most ${MOST_FAMILIES} families with those of the corpus '${corpus}', got ${families.length}; train on some of them, or on copies (--copies)`,
    );
  }
  return Array.from({ length: copies }).flatMap((_, copy) =>
    families.map((family, member) => ({ ...family, member, copy })),
  );
}

function namedCorpus(name: CorpusName): FamilyBlocks[] {
  if (name === 'none') return [];
  if (name === 'default') return defaultCorpus();
  const groups = paperCorpus({ networks: name === 'paper-with-networks' });
  return groups.flatMap(({ families }) =>
    families.map((family) => ({ family: new ObjectiveLanes(family), blocks: 1 })),
  );
}

/** The families of the default meta-training, without a neural network among them. */
export function defaultCorpus(): FamilyBlocks[] {
  return [
    { family: new ResidualFamily('residuals-3', [24, 12, 4], 0.5), blocks: 3 },
    { family: new ResidualFamily('residuals-1', [100], 0.5), blocks: 1 },
    {
      family: new RegressionFamily('softmax-16', 'softmax', { inputs: 16, outputs: 5, samples: 200, batchSize: 16 }, 1),
      blocks: 4,
    },
    {
      family: new RegressionFamily(
        'softmax-36',
        'softmax',
        { inputs: 36, outputs: 10, samples: 256, batchSize: 32 },
        1,
      ),
      blocks: 2,
    },
    {
      family: new RegressionFamily('linear-20', 'linear', { inputs: 20, outputs: 6, samples: 128, batchSize: 8 }, 0.7),
      blocks: 2,
    },
    { family: new Function2dFamily('sum-2d', 'sum', 0.3), blocks: 2 },
    { family: new Function2dFamily('single-2d', 'single', 0.2), blocks: 3 },
  ];
}
