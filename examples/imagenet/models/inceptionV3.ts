import type { layers, LayersModel, SymbolicTensor, Tensor } from '@tensorflow/tfjs';
import type { TensorFlow } from '../../../lib/tfjs/backend';
import { modelEnds } from './options';
import type { ImageModelOptions, ModelEnds } from './options';

/** Smaller images leave the last grid reduction no pixel. */
export const INCEPTION_V3_SMALLEST = 75;
export const INCEPTION_V3_SIZE = 299;

const EPSILON = 1e-3;
const MOMENTUM = 0.99;

/** Filters, height and width of a convolution. */
type Conv = readonly [filters: number, height: number, width: number];

class Builder {
  private convolutions = 0;

  constructor(
    private readonly tf: TensorFlow,
    private readonly ends: ModelEnds,
  ) {}

  /** Batch normalisation that shifts but does not scale: the ReLU behind it and the next convolution make up for that. */
  private normalization(name: string, features: number): layers.Layer {
    const layer = this.tf.layers.batchNormalization({ name, scale: false, epsilon: EPSILON, momentum: MOMENTUM });
    // TensorFlow.js reads the scale in training even where there is none (tensorflow/tfjs, issue 2868): it gets ones.
    (layer as unknown as { gamma: { read(): Tensor } }).gamma = { read: () => this.tf.ones([features]) };
    return layer;
  }

  /** Convolution without bias, batch normalisation without scale, ReLU. */
  conv(x: SymbolicTensor, [filters, height, width]: Conv, padding: 'same' | 'valid' = 'same', strides = 1) {
    const index = ++this.convolutions;
    const convolved = this.tf.layers
      .conv2d({
        name: `conv2d_${index}`,
        filters,
        kernelSize: [height, width],
        strides,
        padding,
        useBias: false,
        kernelInitializer: this.ends.initializer(),
      })
      .apply(x);
    const normalized = this.normalization(`batch_normalization_${index}`, filters).apply(convolved);
    return this.tf.layers.reLU({ name: `activation_${index}` }).apply(normalized) as SymbolicTensor;
  }

  /** Convolutions one after another, all of stride 1 and padded. */
  chain(x: SymbolicTensor, ...convs: Conv[]): SymbolicTensor {
    return convs.reduce((y, conv) => this.conv(y, conv), x);
  }

  maxPool(x: SymbolicTensor): SymbolicTensor {
    return this.tf.layers.maxPooling2d({ poolSize: 3, strides: 2 }).apply(x) as SymbolicTensor;
  }

  averagePool(x: SymbolicTensor): SymbolicTensor {
    return this.tf.layers.averagePooling2d({ poolSize: 3, strides: 1, padding: 'same' }).apply(x) as SymbolicTensor;
  }

  concat(name: string | undefined, ...branches: SymbolicTensor[]): SymbolicTensor {
    return this.tf.layers.concatenate({ name, axis: -1 }).apply(branches) as SymbolicTensor;
  }

  /** An eighth of the resolution, 192 features. */
  stem(image: SymbolicTensor): SymbolicTensor {
    let x = this.conv(image, [32, 3, 3], 'valid', 2);
    x = this.conv(x, [32, 3, 3], 'valid');
    x = this.maxPool(this.conv(x, [64, 3, 3]));
    x = this.conv(x, [80, 1, 1], 'valid');
    return this.maxPool(this.conv(x, [192, 3, 3], 'valid'));
  }

  /** Two 3×3 convolutions in place of a 5×5 one (figure 5). */
  moduleA(x: SymbolicTensor, name: string, poolFilters: number): SymbolicTensor {
    return this.concat(
      name,
      this.chain(x, [64, 1, 1]),
      this.chain(x, [48, 1, 1], [64, 5, 5]),
      this.chain(x, [64, 1, 1], [96, 3, 3], [96, 3, 3]),
      this.chain(this.averagePool(x), [poolFilters, 1, 1]),
    );
  }

  /** Halves the resolution (figure 10). */
  reductionA(x: SymbolicTensor, name: string): SymbolicTensor {
    return this.concat(
      name,
      this.conv(x, [384, 3, 3], 'valid', 2),
      this.conv(this.chain(x, [64, 1, 1], [96, 3, 3]), [96, 3, 3], 'valid', 2),
      this.maxPool(x),
    );
  }

  /** 7×7 convolutions factorised into 1×7 and 7×1 (figure 6). */
  moduleB(x: SymbolicTensor, name: string, filters: number): SymbolicTensor {
    return this.concat(
      name,
      this.chain(x, [192, 1, 1]),
      this.chain(x, [filters, 1, 1], [filters, 1, 7], [192, 7, 1]),
      this.chain(x, [filters, 1, 1], [filters, 7, 1], [filters, 1, 7], [filters, 7, 1], [192, 1, 7]),
      this.chain(this.averagePool(x), [192, 1, 1]),
    );
  }

  /** Halves the resolution. */
  reductionB(x: SymbolicTensor, name: string): SymbolicTensor {
    return this.concat(
      name,
      this.conv(this.chain(x, [192, 1, 1]), [320, 3, 3], 'valid', 2),
      this.conv(this.chain(x, [192, 1, 1], [192, 1, 7], [192, 7, 1]), [192, 3, 3], 'valid', 2),
      this.maxPool(x),
    );
  }

  /** 1×3 and 3×1 side by side: wider, not deeper (figure 7). */
  moduleC(x: SymbolicTensor, name: string): SymbolicTensor {
    const split = (y: SymbolicTensor): SymbolicTensor =>
      this.concat(undefined, this.conv(y, [384, 1, 3]), this.conv(y, [384, 3, 1]));
    return this.concat(
      name,
      this.chain(x, [320, 1, 1]),
      split(this.chain(x, [384, 1, 1])),
      split(this.chain(x, [448, 1, 1], [384, 3, 3])),
      this.chain(this.averagePool(x), [192, 1, 1]),
    );
  }
}

/**
 * Inception V3: Szegedy, Vanhoucke, Ioffe, Shlens & Wojna, *Rethinking the Inception Architecture for Computer Vision*
 * (2015), arXiv 1512.00567. Layers are those of Keras Applications, which leaves out the auxiliary classifier of the
 * paper. Pixels are to be in [−1, 1].
 * @returns [batch, size, size, channels] → [batch, classes]; with 1,000 classes 23,851,784 parameters, 23,817,352 of them
 *   trainable
 * @throws {RangeError} naming the option; images must have at least 75 pixels a side
 */
export function inceptionV3(tf: TensorFlow, options: ImageModelOptions = {}): LayersModel {
  const ends = modelEnds(tf, options, INCEPTION_V3_SIZE, INCEPTION_V3_SMALLEST);
  const builder = new Builder(tf, ends);
  let x = builder.stem(ends.input);
  [32, 64, 64].forEach((poolFilters, i) => (x = builder.moduleA(x, `mixed${i}`, poolFilters)));
  x = builder.reductionA(x, 'mixed3');
  [128, 160, 160, 192].forEach((filters, i) => (x = builder.moduleB(x, `mixed${4 + i}`, filters)));
  x = builder.reductionB(x, 'mixed8');
  for (const name of ['mixed9', 'mixed10']) x = builder.moduleC(x, name);
  return ends.finish(x, 'inceptionv3');
}
