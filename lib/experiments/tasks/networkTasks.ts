import { featureCount, features, type LabelledImages } from '../../datasets/images';
import { ActivationLayer } from '../../problems/network/activationLayer';
import { AveragePoolLayer } from '../../problems/network/averagePoolLayer';
import { BatchNormLayer } from '../../problems/network/batchNormLayer';
import { ConvLayer, type ConvOptions } from '../../problems/network/convLayer';
import { DenseLayer } from '../../problems/network/denseLayer';
import type { Layer } from '../../problems/network/layer';
import { denseLayers } from '../../problems/network/layers';
import { Network, type NetworkOptions } from '../../problems/network/network';
import { RecurrentLayer } from '../../problems/network/recurrentLayer';
import { ResidualLayer } from '../../problems/network/residualLayer';
import type { Task, TaskData } from './task';

const BATCH = 64;
const CLASSES = 10;

type Rest = Partial<NetworkOptions>;

function classifier(name: string, images: LabelledImages, layers: readonly Layer[], rest: Rest = {}): Network {
  return new Network({
    name,
    layers,
    features: features(images),
    target: { kind: 'classes', labels: images.labels },
    batchSize: BATCH,
    ...rest,
  });
}

function mnistOf({ mnist }: TaskData): LabelledImages {
  if (!mnist) throw new RangeError('data.mnist: expected images for this task, got none');
  return mnist;
}

const usual = { sampling: 'replacement', steps: 2000, evaluateEvery: 50 } as const;
const onDigits = { ...usual, data: 'digits' } as const;
const onMnist = { ...usual, data: 'mnist' } as const;

const mnistMlp = (activation: 'relu' | 'sigmoid'): Task => ({
  ...onMnist,
  name: `mnist-${activation}`,
  title: `784-64-10 ${activation}, MNIST`,
  problem(data) {
    const images = mnistOf(data);
    const start = activation === 'relu' ? 'he' : 'glorot';
    return classifier(
      `mnist-${activation}`,
      images,
      denseLayers([featureCount(images), 64, CLASSES], activation, start),
      {
        evaluationSamples: Math.min(2000, images.count),
      },
    );
  },
});

/** Conv 3×3×8 with stride 2, mean over 2×2, conv 5×5×8, dense. */
function mnistConv(images: LabelledImages): Network {
  const filters = 8;
  const start = 'he';
  const first = new ConvLayer({
    input: [images.height, images.width, 1],
    kernel: 3,
    filters,
    stride: 2,
    padding: 'same',
    start,
  });
  const pool = new AveragePoolLayer(first.outputShape, 2);
  const second = new ConvLayer({
    input: pool.outputShape,
    kernel: 5,
    filters,
    stride: 1,
    padding: 'valid',
    start,
  });
  const layers = [
    first,
    new ActivationLayer(first.outputSize, 'relu'),
    pool,
    second,
    new ActivationLayer(second.outputSize, 'relu'),
    new DenseLayer(second.outputSize, CLASSES, start),
  ];
  return classifier('mnist-conv', images, layers, { evaluationSamples: Math.min(1024, images.count) });
}

/**
 * Conv 3×3×8 with stride 2, two residual blocks of two convolutions 3×3×8 each, mean over the image, dense; batch
 * normalisation after every convolution.
 */
function residualNetwork(images: LabelledImages): Network {
  const filters = 8;
  const conv = (input: ConvOptions['input'], stride: number): ConvLayer =>
    new ConvLayer({ input, kernel: 3, filters, stride, padding: 'same', start: 'he', bias: false });
  const stem = conv([images.height, images.width, 1], 2);
  const size = stem.outputSize;
  const normalised = (layer: ConvLayer): Layer[] => [layer, new BatchNormLayer(size, filters)];
  const inner = (): Layer[] => normalised(conv(stem.outputShape, 1));
  const relu = (): Layer => new ActivationLayer(size, 'relu');
  const block = (): Layer[] => [new ResidualLayer([...inner(), relu(), ...inner()]), relu()];
  const layers = [
    ...normalised(stem),
    relu(),
    ...block(),
    ...block(),
    new AveragePoolLayer(stem.outputShape, stem.outputShape[0]),
    new DenseLayer(filters, CLASSES, 'glorot'),
  ];
  // Whole blocks, so that the statistics of every block are as good as in training.
  return classifier('residual', images, layers, { evaluationSamples: 14 * BATCH });
}

/**
 * The networks that releases are measured on. No search goes by them; the validation tasks are for that. A candidate that fails on them does not ship.
 * Cheap ones first.
 */
export const NETWORK_TASKS: readonly Task[] = [
  {
    ...onDigits,
    name: 'deep-relu',
    title: '64, ten hidden layers of 20, 10, relu, digits',
    problem: ({ digits }) =>
      classifier(
        'deep-relu',
        digits,
        denseLayers([featureCount(digits), ...Array<number>(10).fill(20), CLASSES], 'relu', 'he'),
      ),
  },
  {
    ...onDigits,
    name: 'autoencoder',
    title: '64-32-8-32-64 tanh, sigmoid output, squared error, digits',
    problem({ digits }) {
      const size = featureCount(digits);
      const values = features(digits);
      return new Network({
        name: 'autoencoder',
        layers: [...denseLayers([size, 32, 8, 32, size], 'tanh', 'glorot'), new ActivationLayer(size, 'sigmoid')],
        features: values,
        target: { kind: 'values', values, loss: 'squared' },
        batchSize: BATCH,
      });
    },
  },
  {
    ...onDigits,
    name: 'recurrent',
    title: 'simple recurrent net of 24 units, digits as sequences of 16 half rows',
    problem: ({ digits }) =>
      classifier('recurrent', digits, [
        new RecurrentLayer(16, featureCount(digits) / 16, 24, 'glorot'),
        new DenseLayer(24, CLASSES, 'glorot'),
      ]),
  },
  mnistMlp('relu'),
  mnistMlp('sigmoid'),
  {
    ...onDigits,
    name: 'residual',
    title: 'residual conv net with batch normalisation, five convolutions 3×3×8, digits',
    problem: ({ digits }) => residualNetwork(digits),
  },
  {
    ...onMnist,
    name: 'mnist-conv',
    title: 'conv 3×3×8 with stride 2, mean 2×2, conv 5×5×8, dense, relu, MNIST',
    problem: (data) => mnistConv(mnistOf(data)),
  },
  {
    ...onDigits,
    name: 'digits-tanh',
    title: '64-64-64-10 tanh, digits, 20,000 steps',
    steps: 20_000,
    evaluateEvery: 200,
    problem: ({ digits }) =>
      classifier('digits-tanh', digits, denseLayers([featureCount(digits), 64, 64, CLASSES], 'tanh', 'glorot')),
  },
];
