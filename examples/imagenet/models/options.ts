import type { layers, LayersModel, SymbolicTensor } from '@tensorflow/tfjs';
import type { TensorFlow } from '../../../lib/tfjs/backend';

type Initializer = NonNullable<Parameters<typeof layers.conv2d>[0]['kernelInitializer']>;

/** What the networks have in common. */
export interface ImageModelOptions {
  /** Height and width of the images in pixels. Default: that of the paper. */
  readonly size?: number;
  /** Colour channels. Default 3. */
  readonly channels?: number;
  /** Number of classes. Default 1,000. */
  readonly classes?: number;
  /** `softmax` gives probabilities; `logits` leaves the softmax to a loss that takes logits. Default `softmax`. */
  readonly head?: 'softmax' | 'logits';
  /** Of the initial weights, at least 1: TensorFlow.js takes 0 for no seed. Default 1. */
  readonly seed?: number;
}

/** The layers at the two ends of a network, and its initial weights. */
export interface ModelEnds {
  readonly input: SymbolicTensor;
  /** Pools [batch, height, width, features] and classifies: [batch, classes]. */
  finish(features: SymbolicTensor, name: string): LayersModel;
  /** He's normal initialiser, another stream for every layer. */
  initializer(): Initializer;
}

function requireInteger(name: string, value: number, minimum: number, why = ''): void {
  if (!Number.isSafeInteger(value) || value < minimum) {
    throw new RangeError(`${name}: expected a whole number of at least ${minimum}${why}, got ${String(value)}`);
  }
}

/**
 * Checks the options and makes the ends of a network.
 * @param defaultSize of the images, pixels
 * @param smallest size of the images that leaves every layer at least one pixel
 * @throws {RangeError} naming the option
 */
export function modelEnds(
  tf: TensorFlow,
  options: ImageModelOptions,
  defaultSize: number,
  smallest: number,
): ModelEnds {
  const { size = defaultSize, channels = 3, classes = 1000, head = 'softmax', seed = 1 } = options;
  requireInteger('size', size, smallest, ' pixels, or the last layers have nothing left to see');
  requireInteger('channels', channels, 1);
  requireInteger('classes', classes, 2);
  requireInteger('seed', seed, 1);
  if (head !== 'softmax' && head !== 'logits') {
    throw new RangeError(`head: expected 'softmax' or 'logits', got ${JSON.stringify(head)}`);
  }
  let initialized = 0;
  // Seeds of one run lie 10,000 apart, so that no two layers of two runs share a stream.
  const nextSeed = (): number => seed * 10_000 + initialized++;
  const input = tf.input({ shape: [size, size, channels], name: 'image' });
  return {
    input,
    finish(features, name) {
      const pooled = tf.layers.globalAveragePooling2d({ name: 'avg_pool' }).apply(features);
      const classifier = tf.layers.dense({
        units: classes,
        activation: head === 'softmax' ? 'softmax' : 'linear',
        kernelInitializer: tf.initializers.glorotUniform({ seed: nextSeed() }),
        name: 'predictions',
      });
      return tf.model({ inputs: input, outputs: classifier.apply(pooled) as SymbolicTensor, name });
    },
    initializer: () => tf.initializers.heNormal({ seed: nextSeed() }),
  };
}
