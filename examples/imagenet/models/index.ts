import type { LayersModel } from '@tensorflow/tfjs';
import type { TensorFlow } from '../../../lib/tfjs/backend';
import { INCEPTION_V3_SIZE, INCEPTION_V3_SMALLEST, inceptionV3 } from './inceptionV3';
import type { ImageModelOptions } from './options';
import { RESNET_V2_SIZE, RESNET_V2_SMALLEST, resnetV2, resnetV2OfShape } from './resnetV2';
import type { ResNetDepth } from './resnetV2';

/** A network that can be chosen by name. */
export interface ModelEntry {
  /** For a reader. */
  readonly title: string;
  /** Of the images, pixels, as in the paper. */
  readonly size: number;
  readonly smallest: number;
  build(tf: TensorFlow, options?: ImageModelOptions): LayersModel;
}

const resnet = (depth: ResNetDepth): ModelEntry => ({
  title: `ResNet V2 with ${depth} layers`,
  size: RESNET_V2_SIZE,
  smallest: RESNET_V2_SMALLEST,
  build: (tf, options) => resnetV2(tf, depth, options),
});

export const MODELS = {
  resnet50v2: resnet(50),
  resnet101v2: resnet(101),
  resnet152v2: resnet(152),
  inceptionv3: {
    title: 'Inception V3',
    size: INCEPTION_V3_SIZE,
    smallest: INCEPTION_V3_SMALLEST,
    build: inceptionV3,
  },
  'tiny-resnetv2': {
    title: 'two stages of ResNet V2, 8 filters wide: for a first try',
    size: RESNET_V2_SMALLEST,
    smallest: RESNET_V2_SMALLEST,
    build: (tf, options) =>
      resnetV2OfShape(tf, { blocks: [2, 2], filters: 8 }, { size: RESNET_V2_SMALLEST, ...options }, 'tiny-resnetv2'),
  },
} as const satisfies Record<string, ModelEntry>;

export type ModelName = keyof typeof MODELS;
export const MODEL_NAMES = Object.keys(MODELS) as ModelName[];

export type { ImageModelOptions } from './options';
export type { ResNetDepth } from './resnetV2';
