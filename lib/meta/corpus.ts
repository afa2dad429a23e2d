import type { LaneFamily } from '../problems/lanes/family';
import { Function2dFamily } from '../problems/lanes/functions2d';
import { RegressionFamily } from '../problems/lanes/regression';
import { ResidualFamily } from '../problems/lanes/residuals';

export interface CorpusEntry {
  readonly family: LaneFamily;
  /** Blocks of 16 problems, 8 antithetic pairs each. */
  readonly blocks: number;
}

/** The families of the default meta-training, without a neural network among them. */
export function defaultCorpus(): CorpusEntry[] {
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
