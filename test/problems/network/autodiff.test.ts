import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { ActivationLayer } from '../../../lib/problems/network/activationLayer';
import { AveragePoolLayer } from '../../../lib/problems/network/averagePoolLayer';
import { BatchNormLayer } from '../../../lib/problems/network/batchNormLayer';
import { ConvLayer } from '../../../lib/problems/network/convLayer';
import { DenseLayer } from '../../../lib/problems/network/denseLayer';
import type { Layer } from '../../../lib/problems/network/layer';
import { denseLayers } from '../../../lib/problems/network/layers';
import { Network, type Target } from '../../../lib/problems/network/network';
import { RecurrentLayer } from '../../../lib/problems/network/recurrentLayer';
import { ResidualLayer } from '../../../lib/problems/network/residualLayer';
import { zerosLike } from '../../../lib/problems/problem';
import { robustRegression } from '../../../lib/problems/robustRegression';
import { createRandom } from '../../../lib/random';

const ROWS = 12;

function uniform(length: number, seed: number): Float32Array {
  const random = createRandom(seed);
  return Float32Array.from({ length }, () => random.uniform());
}

const labels = Uint8Array.from({ length: ROWS }, (_, i) => i % 3);
const classes: Target = { kind: 'classes', labels };

function network(layers: readonly Layer[], target: Target = classes): Network {
  const features = uniform(ROWS * layers[0].inputSize, 1);
  return new Network({ name: 'test', layers, features, target, batchSize: ROWS });
}

type Forward = (x: tf.Tensor2D, p: tf.Tensor[]) => tf.Tensor;
const crossEntropy = (logits: tf.Tensor): tf.Tensor =>
  tf.losses.softmaxCrossEntropy(tf.oneHot(tf.tensor1d([...labels], 'int32'), 3), logits);

/** Batch normalisation with the statistics of the batch. */
function normalise(x: tf.Tensor, scale: tf.Tensor, shift: tf.Tensor): tf.Tensor {
  const { mean, variance } = tf.moments(x, [0, 1, 2]);
  return x.sub(mean).div(variance.add(1e-3).sqrt()).mul(scale).add(shift);
}

const conv = (x: tf.Tensor, w: tf.Tensor, b: tf.Tensor, stride: number, padding: 'same' | 'valid'): tf.Tensor =>
  tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, stride, padding).add(b);

const convOptions = { kernel: 3, start: 'he' } as const;
const strided = new ConvLayer({ ...convOptions, input: [7, 6, 2], filters: 4, stride: 2, padding: 'same' });
const inside = new ConvLayer({ ...convOptions, input: [4, 3, 4], filters: 5, stride: 1, padding: 'valid' });
const stem = new ConvLayer({ ...convOptions, input: [4, 4, 3], filters: 4, stride: 1, padding: 'same' });
const inner = new ConvLayer({ ...convOptions, input: [4, 4, 4], filters: 4, stride: 1, padding: 'same', bias: false });

/** Each network, with the values in a row of its input, beside the same function in TensorFlow.js. */
const cases: [string, number, Network, Forward, (output: tf.Tensor) => tf.Tensor][] = [
  [
    'convolutions, same with stride and valid',
    84,
    network([strided, new ActivationLayer(strided.outputSize, 'relu'), inside, new DenseLayer(10, 3, 'he')]),
    (x, [w0, b0, w1, b1, w2, b2]) =>
      conv(tf.relu(conv(x.reshape([ROWS, 7, 6, 2]), w0, b0, 2, 'same')), w1, b1, 1, 'valid')
        .reshape([ROWS, 10])
        .matMul(w2)
        .add(b2),
    crossEntropy,
  ],
  [
    'residual block with batch normalisation and mean over windows',
    48,
    network([
      stem,
      new ResidualLayer([inner, new BatchNormLayer(64, 4), new ActivationLayer(64, 'tanh')]),
      new AveragePoolLayer([4, 4, 4], 2),
      new DenseLayer(16, 3, 'he'),
    ]),
    (x, [w0, b0, w1, scale, shift, w2, b2]) => {
      const first = conv(x.reshape([ROWS, 4, 4, 3]), w0, b0, 1, 'same');
      const branch = tf.tanh(normalise(conv(first, w1, tf.scalar(0), 1, 'same'), scale, shift));
      const pooled = tf.avgPool(first.add(branch) as tf.Tensor4D, 2, 2, 'valid');
      return pooled.reshape([ROWS, 16]).matMul(w2).add(b2);
    },
    crossEntropy,
  ],
  [
    'recurrent layer through time',
    15,
    network([new RecurrentLayer(5, 3, 6, 'glorot'), new DenseLayer(6, 3, 'glorot')]),
    (x, [wx, wh, b, w, c]) => {
      let h: tf.Tensor = tf.zeros([ROWS, 6]);
      for (const step of tf.unstack(x.reshape([ROWS, 5, 3]), 1)) h = tf.tanh(step.matMul(wx).add(h.matMul(wh)).add(b));
      return h.matMul(w).add(c);
    },
    crossEntropy,
  ],
  [
    'dense layers, sigmoid output and squared error',
    6,
    network([...denseLayers([6, 5, 6], 'tanh', 'glorot'), new ActivationLayer(6, 'sigmoid')], {
      kind: 'values',
      values: uniform(ROWS * 6, 2),
      loss: 'squared',
    }),
    (x, [w0, b0, w1, b1]) => tf.sigmoid(tf.tanh(x.matMul(w0).add(b0)).matMul(w1).add(b1)),
    (output) => tf.losses.meanSquaredError(tf.tensor2d(uniform(ROWS * 6, 2), [ROWS, 6]), output),
  ],
  [
    'linear regression with Cauchy loss',
    6,
    network([new DenseLayer(6, 1, 1)], { kind: 'values', values: uniform(ROWS, 3), loss: 'cauchy' }),
    (x, [w, b]) => x.matMul(w).add(b),
    (output) => tf.log1p(output.sub(tf.tensor2d(uniform(ROWS, 3), [ROWS, 1])).square()).mean(),
  ],
];

beforeAll(async () => {
  await tf.setBackend('cpu');
});

describe.each(cases)('%s', (_, inputs, problem, forward, loss) => {
  it('has the loss and the gradient that automatic differentiation gives', () => {
    const random = createRandom(7);
    const parameters = problem.initial(3).map((p) => p.map((value) => value + 0.1 * random.normal()));
    const gradients = zerosLike(problem);
    const batch = Int32Array.from({ length: ROWS }, (_, i) => i);
    const value = problem.lossAndGradient(parameters, batch, gradients);
    expect(problem.fullLoss(parameters)).toBe(value);
    tf.tidy(() => {
      const x = tf.tensor2d(uniform(ROWS * inputs, 1), [ROWS, inputs]);
      const tensors = parameters.map((p, i) => tf.tensor(p, [...problem.parameters[i].shape]));
      const result = tf.valueAndGrads((...p: tf.Tensor[]) => loss(forward(x, p)).asScalar())(tensors);
      expect(result.value.dataSync()[0]).toBeCloseTo(value, 5);
      result.grads.forEach((expected, i) => {
        const name = problem.parameters[i].name;
        expected.dataSync().forEach((e, j) => expect(gradients[i][j], `${name}[${j}]`).toBeCloseTo(e, 5));
        expect(Math.hypot(...gradients[i]), name).toBeGreaterThan(1e-4);
      });
    });
  });
});

describe('robustRegression', () => {
  it('has the noise of its targets as the loss at the true weights, whatever the seed of the start', () => {
    const problem = robustRegression({
      features: 5,
      samples: 400,
      batchSize: 16,
      condition: 100,
      outliers: 0,
      seed: 3,
    });
    const parameters = problem.initial(0);
    const gradients = zerosLike(problem);
    const all = Int32Array.from({ length: 400 }, (_, i) => i);
    for (let step = 0; step < 4000; step++) {
      problem.lossAndGradient(parameters, all, gradients);
      parameters.forEach((p, t) => p.forEach((_, i) => (p[i] -= 0.5 * gradients[t][i])));
    }
    // ln(1 + d²) ≈ d² with a standard deviation of 0.05.
    expect(problem.fullLoss(parameters)).toBeCloseTo(0.05 ** 2, 3);
  });
});

describe('layers that do not fit', () => {
  it.each([
    [
      () => network([new DenseLayer(4, 3, 'he'), new DenseLayer(4, 3, 'he')]),
      /layers\[1\]: expected an input of 3 values/,
    ],
    [() => network([new DenseLayer(4, 2, 'he')]), /target\.labels\[2\]: expected less than 2, got 2/],
    [() => new AveragePoolLayer([4, 6, 1], 4), /window: expected a divisor of 4 and 6, got 4/],
    [() => new ResidualLayer([new DenseLayer(4, 3, 'he')]), /expected an output of 4 values/],
    [
      () => new ConvLayer({ ...convOptions, input: [2, 2, 1], filters: 1, stride: 1, padding: 'valid' }),
      /kernel: expected at most/,
    ],
  ])('are refused: %#', (make, message) => {
    expect(make).toThrow(message);
  });
});
