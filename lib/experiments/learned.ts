import { createOptimizer } from '../optimizer/optimizer';
import type { OptimizerOptions } from '../optimizer/options';
import type { MakeOptimizer } from './baselines';

/** The learned optimizer as one of those that are compared. */
export function learnedOptimizer(options: OptimizerOptions): MakeOptimizer {
  return (parameters) => {
    const optimizer = createOptimizer([...parameters], options);
    return {
      step: (gradients) => void optimizer.step([...gradients]),
      evaluationParameters: () => optimizer.evaluationParameters(),
      dispose: () => optimizer.dispose(),
    };
  };
}
