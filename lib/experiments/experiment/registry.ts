import type { Experiment } from './experiment';
import { ablation } from './experiments/ablation';
import { corpus } from './experiments/corpus';
import { earlierLearnedOptimizer } from './experiments/earlierLearnedOptimizer';
import { horizon } from './experiments/horizon';
import { imagenetScale } from './experiments/imagenetScale';
import { learningRate } from './experiments/learningRate';
import { mnist } from './experiments/mnist';
import { wallClock } from './experiments/wallClock';

/** All experiments, in the order of the report. One more is one more file in `experiments/` and one more entry here. */
export const EXPERIMENTS: readonly Experiment[] = [
  earlierLearnedOptimizer,
  corpus,
  mnist,
  imagenetScale,
  learningRate,
  horizon,
  ablation,
  wallClock,
];
