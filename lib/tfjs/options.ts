import { resolveOptions } from '../optimizer/options';
import type { OptimizerOptions, ResolvedOptions } from '../optimizer/options';

/** Options of `learnedOptimizer`: those of `createOptimizer` and one for tfjs-node. */
export interface TfOptimizerOptions extends OptimizerOptions {
  /**
   * On tfjs-node, read the gradients where they lie in TensorFlow's memory in place of copying them: faster with many
   * or large tensors, and without 4 bytes per parameter for the copies. On Linux, where TensorFlow computes on the CPU;
   * elsewhere a step throws. The addon registers an op with the TensorFlow library that tfjs-node has loaded, which is
   * tested with TensorFlow 2.21. The other backends have nothing to copy and take no notice. Not saved with a model.
   * Default false.
   */
  readonly zeroCopy?: boolean;
}

/** Options checked and completed. */
export interface ResolvedTfOptions extends ResolvedOptions {
  readonly zeroCopy: boolean;
}

/**
 * Checks options and loads the weights.
 * @throws TypeError or RangeError naming the option, what was expected and what came
 */
export function resolveTfOptions(options?: TfOptimizerOptions): ResolvedTfOptions {
  if (typeof options !== 'object' || options === null) return { ...resolveOptions(options), zeroCopy: false };
  const { zeroCopy = false, ...others } = options;
  if (typeof zeroCopy !== 'boolean') throw new TypeError(`zeroCopy: expected true or false, got ${typeof zeroCopy}`);
  return { ...resolveOptions(others), zeroCopy };
}
