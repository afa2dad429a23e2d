import type * as tf from '@tensorflow/tfjs-core';
import { OPTION_NAMES } from '../optimizer/options';
import type { OptimizerOptions, ResolvedOptions } from '../optimizer/options';
import { decodeWeights, encodeWeights } from '../optimizer/weights';

/**
 * Options as a `ConfigDict` for a saved model. The preset is under `name`, the one key whose string the loader of
 * tfjs-layers leaves as it is. Weights that do not ship with the package go along, as base64 of their safetensors.
 */
export function toConfig(options: ResolvedOptions): tf.serialization.ConfigDict {
  const config: tf.serialization.ConfigDict = {
    name: options.preset ?? options.weights.metadata.name,
    initialLearningRate: options.initialLearningRate,
    warmupSteps: options.warmup.steps,
    // JSON has no Infinity.
    annealAfter: Math.min(options.annealing.after, Number.MAX_VALUE),
    weightDecay: options.weightDecay,
    threads: options.threads,
    stateBits: options.stateBits,
  };
  if (options.preset === undefined || options.preset.endsWith('.safetensors')) {
    config['weights'] = Buffer.from(encodeWeights(options.weights)).toString('base64');
  }
  if (Number.isFinite(options.clipNorm)) config['clipNorm'] = options.clipNorm;
  if (typeof options.learningRateMultiplier === 'number') {
    config['learningRateMultiplier'] = options.learningRateMultiplier;
  } else {
    process.emitWarning(
      'learningRateMultiplier is a function and cannot be saved with the model; compile the loaded model with a new optimizer to set it again',
      { code: 'LEARNED_OPTIMIZER_SCHEDULE' },
    );
  }
  return config;
}

/** Not the device: a model is loaded on other machines. */
const NOT_SAVED: readonly string[] = ['preset', 'weights', 'device', 'deviceIndex'];
const SAVED_OPTIONS = OPTION_NAMES.filter((key) => !NOT_SAVED.includes(key));

/**
 * The reverse of `toConfig`. Other keys, which loaders add, are ignored.
 * @throws RangeError or TypeError when the configuration is not one of `toConfig`
 */
export function fromConfig(config: tf.serialization.ConfigDict): OptimizerOptions {
  const { name, weights } = config;
  const source =
    typeof weights === 'string'
      ? { weights: decodeWeights(Buffer.from(weights, 'base64')) }
      : { preset: name as string | undefined };
  const saved = SAVED_OPTIONS.filter((key) => config[key] !== undefined).map((key) => [key, config[key]]);
  return { ...Object.fromEntries(saved), ...source };
}
