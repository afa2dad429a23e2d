/**
 * The learned optimizer as a `tf.Optimizer`, for TensorFlow.js on the cpu, wasm and tfjs-node backends.
 * @packageDocumentation
 */
import { restoreUtilFunctions } from './nodePolyfill';
import { TfLearnedOptimizer } from './optimizer';
import type { TfOptimizerOptions } from './options';

// tfjs-node 4.22 calls two functions of node:util that Node 23 removed.
restoreUtilFunctions();

export { TfLearnedOptimizer } from './optimizer';
export type { NamedTensor } from './savedState';
export type { OptimizerOptions, ResolvedOptions } from '../optimizer/options';
export type { ResolvedTfOptions, TfOptimizerOptions } from './options';
export { objectiveFromLoss, objectiveFromModel } from './asObjective';
export type { LossObjectiveOptions, ModelObjectiveOptions, TensorLoss, TrainableModel } from './asObjective';
export type { StepReport } from '../optimizer/engine';

/**
 * Creates the optimizer: `model.compile({ optimizer: learnedOptimizer(), … })`. No learning rate is needed.
 * @throws TypeError or RangeError naming the option; Error when the native addon cannot be loaded
 */
export function learnedOptimizer(options?: TfOptimizerOptions): TfLearnedOptimizer {
  return new TfLearnedOptimizer(options);
}
