import { featureCount, features, type LabelledImages } from '../../datasets/images';
import { ActivationLayer } from '../../problems/network/activationLayer';
import { ConvLayer } from '../../problems/network/convLayer';
import { DenseLayer } from '../../problems/network/denseLayer';
import type { Layer } from '../../problems/network/layer';
import { denseLayers } from '../../problems/network/layers';
import { Network } from '../../problems/network/network';
import { RecurrentLayer } from '../../problems/network/recurrentLayer';
import { robustRegression } from '../../problems/robustRegression';
import type { Task } from './task';

const BATCH = 64;

/** Classification of the digits by these layers. */
function digitsNetwork(name: string, digits: LabelledImages, layers: readonly Layer[]): Network {
  return new Network({
    name,
    layers,
    features: features(digits),
    target: { kind: 'classes', labels: digits.labels },
    batchSize: BATCH,
  });
}

const short = { data: 'digits', sampling: 'replacement', steps: 1000, evaluateEvery: 50 } as const;

const relu: Task = {
  ...short,
  steps: 2000,
  name: 'digits-relu',
  title: '64-32-10 relu, digits, batches with replacement',
  problem: ({ digits }) =>
    digitsNetwork('digits-relu', digits, denseLayers([featureCount(digits), 32, 10], 'relu', 'he')),
};

/** A narrow relu network of many layers on the digits. */
function deepRelu(name: string, depth: number, width: number): Task {
  return {
    ...short,
    name,
    title: `64, ${depth} hidden layers of ${width}, 10, relu, digits`,
    problem({ digits }) {
      const sizes = [featureCount(digits), ...Array<number>(depth).fill(width), 10];
      return digitsNetwork(name, digits, denseLayers(sizes, 'relu', 'he'));
    },
  };
}

/**
 * Small, quick networks that steer meta-training and choose its checkpoints. None of them is in the suite `networks`,
 * which is reported and never selected on. They need no data but the embedded digits.
 */
export const VALIDATION_TASKS: readonly Task[] = [
  relu,
  {
    ...relu,
    name: 'digits-relu-epochs',
    title: '64-32-10 relu, digits, every sample once per epoch',
    sampling: 'epochs',
  },
  {
    ...short,
    name: 'digits-tanh-48',
    title: '64-48-10 tanh, digits',
    problem: ({ digits }) =>
      digitsNetwork('digits-tanh-48', digits, denseLayers([featureCount(digits), 48, 10], 'tanh', 'glorot')),
  },
  {
    ...short,
    name: 'digits-sigmoid',
    title: '64-32-10 sigmoid, digits',
    problem: ({ digits }) =>
      digitsNetwork('digits-sigmoid', digits, denseLayers([featureCount(digits), 32, 10], 'sigmoid', 'glorot')),
  },
  {
    ...short,
    name: 'digits-conv',
    title: 'conv 3×3×8 and conv 3×3×16, both with stride 2, dense, relu, digits',
    problem({ digits }) {
      const first = new ConvLayer({
        input: [digits.height, digits.width, 1],
        kernel: 3,
        filters: 8,
        stride: 2,
        padding: 'same',
        start: 'he',
      });
      const second = new ConvLayer({
        input: first.outputShape,
        kernel: 3,
        filters: 16,
        stride: 2,
        padding: 'same',
        start: 'he',
      });
      return digitsNetwork('digits-conv', digits, [
        first,
        new ActivationLayer(first.outputSize, 'relu'),
        second,
        new ActivationLayer(second.outputSize, 'relu'),
        new DenseLayer(second.outputSize, 10, 'he'),
      ]);
    },
  },
  {
    ...short,
    name: 'robust-regression',
    title: 'linear regression with Cauchy loss, 40 features of condition 1,000, a tenth of outliers',
    data: 'synthetic',
    problem: () =>
      robustRegression({ features: 40, samples: 1000, batchSize: 32, condition: 1000, outliers: 0.1, seed: 7 }),
  },
  deepRelu('digits-deep', 5, 24),
  deepRelu('digits-deeper', 8, 28),
  { ...deepRelu('digits-deepest', 12, 18), steps: 3000 },
  { ...relu, steps: 20_000, name: 'digits-long', title: '64-32-10 relu, digits, 20,000 steps' },
  {
    ...short,
    steps: 500,
    name: 'digits-wide',
    title: '64-384-10 relu, digits',
    problem: ({ digits }) =>
      digitsNetwork('digits-wide', digits, denseLayers([featureCount(digits), 384, 10], 'relu', 'he')),
  },
  {
    ...short,
    name: 'digits-code',
    title: 'autoencoder 64-24-64 relu, sigmoid output, squared error, digits',
    problem({ digits }) {
      const values = features(digits);
      const size = featureCount(digits);
      return new Network({
        name: 'digits-code',
        layers: [...denseLayers([size, 24, size], 'relu', 'he'), new ActivationLayer(size, 'sigmoid')],
        features: values,
        target: { kind: 'values', values, loss: 'squared' },
        batchSize: BATCH,
      });
    },
  },
  {
    ...short,
    name: 'digits-rows',
    title: 'simple recurrent net of 16 units, digits as sequences of 8 rows',
    problem: ({ digits }) =>
      digitsNetwork('digits-rows', digits, [
        new RecurrentLayer(8, featureCount(digits) / 8, 16, 'glorot'),
        new DenseLayer(16, 10, 'glorot'),
      ]),
  },
];
