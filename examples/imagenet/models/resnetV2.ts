import type { LayersModel, SymbolicTensor } from '@tensorflow/tfjs';
import type { TensorFlow } from '../../../lib/tfjs/backend';
import { modelEnds } from './options';
import type { ImageModelOptions, ModelEnds } from './options';

/** Blocks of each of the four stages, by the number of layers. */
const STAGES = { 50: [3, 4, 6, 3], 101: [3, 4, 23, 3], 152: [3, 8, 36, 3] } as const;

export type ResNetDepth = keyof typeof STAGES;

/** Images of 32 pixels reach the last stage as one pixel. */
export const RESNET_V2_SMALLEST = 32;
export const RESNET_V2_SIZE = 224;

const EPSILON = 1.001e-5;
const MOMENTUM = 0.99;
/** A block's output is this much wider than its 3×3 convolution. */
const EXPANSION = 4;

export interface ResNetV2Shape {
  /** Blocks of each stage, at least 2: the first widens, the last halves the resolution (not in the last stage). */
  readonly blocks: readonly number[];
  /** Filters of the first stage's 3×3 convolutions; every stage doubles them. */
  readonly filters: number;
}

class Builder {
  constructor(
    private readonly tf: TensorFlow,
    private readonly ends: ModelEnds,
  ) {}

  private conv(
    x: SymbolicTensor,
    name: string,
    filters: number,
    kernelSize: number,
    strides: number,
    useBias: boolean,
  ): SymbolicTensor {
    const kernelInitializer = this.ends.initializer();
    return this.tf.layers
      .conv2d({ name, filters, kernelSize, strides, useBias, kernelInitializer })
      .apply(x) as SymbolicTensor;
  }

  private normalize(x: SymbolicTensor, name: string): SymbolicTensor {
    return this.tf.layers.batchNormalization({ name, epsilon: EPSILON, momentum: MOMENTUM }).apply(x) as SymbolicTensor;
  }

  private relu(x: SymbolicTensor, name: string): SymbolicTensor {
    return this.tf.layers.reLU({ name }).apply(x) as SymbolicTensor;
  }

  private pad(x: SymbolicTensor, name: string, pixels: number): SymbolicTensor {
    const padding: [[number, number], [number, number]] = [
      [pixels, pixels],
      [pixels, pixels],
    ];
    return this.tf.layers.zeroPadding2d({ name, padding }).apply(x) as SymbolicTensor;
  }

  private pool(x: SymbolicTensor, name: string, poolSize: number): SymbolicTensor {
    return this.tf.layers.maxPooling2d({ name, poolSize, strides: 2 }).apply(x) as SymbolicTensor;
  }

  /** 7×7 convolution and pooling: a quarter of the resolution. */
  stem(x: SymbolicTensor, filters: number): SymbolicTensor {
    const conv = this.conv(this.pad(x, 'conv1_pad', 3), 'conv1_conv', filters, 7, 2, true);
    return this.pool(this.pad(conv, 'pool1_pad', 1), 'pool1_pool', 3);
  }

  /** A bottleneck with pre-activation (He et al. 2016, figure 4e). */
  private block(x: SymbolicTensor, name: string, filters: number, strides: number, project: boolean): SymbolicTensor {
    const active = this.relu(this.normalize(x, `${name}_preact_bn`), `${name}_preact_relu`);
    let shortcut = x;
    if (project) shortcut = this.conv(active, `${name}_0_conv`, EXPANSION * filters, 1, strides, true);
    else if (strides > 1) shortcut = this.pool(x, `${name}_0_pool`, 1);
    let y = this.conv(active, `${name}_1_conv`, filters, 1, 1, false);
    y = this.relu(this.normalize(y, `${name}_1_bn`), `${name}_1_relu`);
    y = this.conv(this.pad(y, `${name}_2_pad`, 1), `${name}_2_conv`, filters, 3, strides, false);
    y = this.relu(this.normalize(y, `${name}_2_bn`), `${name}_2_relu`);
    y = this.conv(y, `${name}_3_conv`, EXPANSION * filters, 1, 1, true);
    return this.tf.layers.add({ name: `${name}_out` }).apply([shortcut, y]) as SymbolicTensor;
  }

  stage(x: SymbolicTensor, name: string, filters: number, blocks: number, strides: number): SymbolicTensor {
    let y = this.block(x, `${name}_block1`, filters, 1, true);
    for (let i = 2; i < blocks; i++) y = this.block(y, `${name}_block${i}`, filters, 1, false);
    return this.block(y, `${name}_block${blocks}`, filters, strides, false);
  }

  last(x: SymbolicTensor): SymbolicTensor {
    return this.relu(this.normalize(x, 'post_bn'), 'post_relu');
  }
}

/**
 * A ResNet V2 of any number and width of stages: [batch, size, size, channels] → [batch, classes].
 * @throws {RangeError} naming the option
 */
export function resnetV2OfShape(
  tf: TensorFlow,
  { blocks, filters }: ResNetV2Shape,
  options: ImageModelOptions = {},
  name = 'resnetv2',
): LayersModel {
  if (blocks.length === 0 || !blocks.every((n) => Number.isSafeInteger(n) && n >= 2)) {
    throw new RangeError(`blocks: expected at least 2 per stage, got [${blocks.join(', ')}]`);
  }
  if (!Number.isSafeInteger(filters) || filters < 1) {
    throw new RangeError(`filters: expected a whole number of at least 1, got ${String(filters)}`);
  }
  const ends = modelEnds(tf, options, RESNET_V2_SIZE, RESNET_V2_SMALLEST);
  const builder = new Builder(tf, ends);
  let x = builder.stem(ends.input, filters);
  blocks.forEach((count, i) => {
    const strides = i === blocks.length - 1 ? 1 : 2;
    x = builder.stage(x, `conv${i + 2}`, filters * 2 ** i, count, strides);
  });
  return ends.finish(builder.last(x), name);
}

/**
 * ResNet V2 with 50, 101 or 152 layers: He, Zhang, Ren & Sun, *Identity Mappings in Deep Residual Networks* (2016),
 * arXiv 1603.05027. Layers, their names and their biases are those of Keras Applications: stride in the last block of a
 * stage, biases in the first convolution, the projections and the widening convolutions. Pixels are to be in [−1, 1].
 * @returns [batch, size, size, channels] → [batch, classes]; with 1,000 classes 25,613,800, 44,675,560 or 60,380,648
 *   parameters
 * @throws {RangeError} naming the option; images must have at least 32 pixels a side
 */
export function resnetV2(tf: TensorFlow, depth: ResNetDepth, options: ImageModelOptions = {}): LayersModel {
  if (!Object.hasOwn(STAGES, depth)) {
    throw new RangeError(`depth: expected ${Object.keys(STAGES).join(', ')}, got ${String(depth)}`);
  }
  return resnetV2OfShape(tf, { blocks: STAGES[depth], filters: 64 }, options, `resnet${depth}v2`);
}
