import { describe, expect, it } from 'vitest';
import { finalLoss, train } from '../../lib/experiments/training';
import { createOptimizer } from '../../lib/index';
import { asProblem, checkDerivatives, createRandom, findFamily, type Regression } from '../../lib/problems/index';
import { loadBackend } from '../../lib/tfjs/backend';
import { objectiveFromLoss, objectiveFromModel } from '../../lib/tfjs/index';
import { normals } from './contract';

const { tf } = await loadBackend('cpu');

/** Differences in single precision agree to fewer digits. */
const SINGLE = { step: 0.03, rounding: 2 ** -20 };

function smallModel(options: { dropout?: boolean; regularized?: boolean } = {}) {
  const kernelRegularizer = options.regularized ? tf.regularizers.l2({ l2: 0.1 }) : undefined;
  const layers = [
    tf.layers.dense({ inputShape: [3], units: 4, activation: 'tanh', kernelRegularizer }),
    ...(options.dropout ? [tf.layers.dropout({ rate: 0.5 })] : []),
    tf.layers.dense({ units: 2 }),
  ];
  const model = tf.sequential({ layers });
  const [a, b, c, d] = normals(11, 12, 4, 8, 2);
  model.setWeights([tf.tensor2d(a, [3, 4]), tf.tensor1d(b), tf.tensor2d(c, [4, 2]), tf.tensor1d(d)]);
  return model;
}

function data(count: number) {
  const [x, noise] = normals(12, count * 3, count * 2);
  const inputs = tf.tensor2d(x, [count, 3]);
  return { x: inputs, y: tf.tensor2d(noise, [count, 2]) };
}

describe('an objective from a loss of TensorFlow.js', () => {
  it('has the values and gradients of the same objective without it', () => {
    const own = findFamily('softmax-regression-10').sample(createRandom(1)) as Regression;
    const { features, labels } = own.data.samples;
    const x = tf.tensor2d(features, [1000, 10]);
    const y = tf.oneHot(tf.tensor1d(Int32Array.from(labels), 'int32'), 2);
    const objective = objectiveFromLoss({
      name: 'softmax',
      parameters: own.parameters,
      sampleCount: 1000,
      batchSize: 50,
      loss([weights, bias], batch) {
        const [inputs, targets] = batch === null ? [x, y] : [tf.gather(x, batch), tf.gather(y, batch)];
        const cross = tf.losses.softmaxCrossEntropy(targets, tf.add(tf.matMul(inputs, weights as never), bias));
        const penalty = tf.add(tf.sum(tf.square(weights)), tf.sum(tf.square(bias)));
        return tf.add(cross, tf.mul(0.5e-3, penalty));
      },
    });
    const theta = own.start(createRandom(2)).map(Math.fround);
    const v = own.start(createRandom(3));
    for (const batch of [null, Int32Array.of(4, 4, 999)]) {
      expect(objective.value(theta, batch)).toBeCloseTo(own.value(theta, batch), 5);
      const [expected, gradient] = [theta.slice(), theta.slice()];
      const value = own.gradient(theta, expected, batch);
      expect(objective.gradient(theta, gradient, batch)).toBeCloseTo(value, 5);
      gradient.forEach((g, i) => expect(g).toBeCloseTo(expected[i], 5));
      own.hessianVectorProduct(theta, v, expected, batch);
      objective.hessianVectorProduct(theta, v, gradient, batch);
      const largest = Math.max(...expected.map(Math.abs));
      gradient.forEach((p, i) => expect(Math.abs(p - expected[i])).toBeLessThan(0.01 * largest));
    }
  });

  it('takes the mean of a loss of any shape; tensors that do not matter have a gradient of zero', () => {
    const objective = objectiveFromLoss({
      parameters: [
        { name: 'used', shape: [2] },
        { name: 'idle', shape: [3] },
      ],
      loss: ([used]) => tf.square(used),
    });
    const gradient = new Float64Array(5).fill(9);
    expect(objective.gradient(Float64Array.of(3, 1, 5, 5, 5), gradient, null)).toBe(5);
    expect([...gradient]).toEqual([3, 1, 0, 0, 0]);
    expect([objective.sampleCount, objective.batchSize]).toEqual([0, 0]);
  });
});

describe('an objective from a model of TensorFlow.js', () => {
  it('has the loss of the model, on batches and on all samples in passes of any size', () => {
    const model = smallModel();
    const { x, y } = data(50);
    const options = { x, y, loss: tf.losses.meanSquaredError, batchSize: 7 };
    const objective = objectiveFromModel(model, options);
    expect(objective.parameters.map(({ shape }) => shape)).toEqual([[3, 4], [4], [4, 2], [2]]);
    expect([objective.sampleCount, objective.batchSize]).toEqual([50, 7]);
    const theta = objective.start(createRandom(0));
    const loss = (inputs: typeof x, targets: typeof y): number =>
      tf.losses.meanSquaredError(targets, model.predict(inputs) as never).dataSync()[0];
    expect(objective.value(theta, null)).toBeCloseTo(loss(x, y), 5);
    const batch = Int32Array.of(3, 49, 3);
    expect(objective.value(theta, batch)).toBeCloseTo(loss(tf.gather(x, batch), tf.gather(y, batch)), 5);
    const inPasses = objectiveFromModel(model, { ...options, evaluationBatch: 16 });
    const [whole, parts] = [theta.slice(), theta.slice()];
    expect(inPasses.gradient(theta, parts, null)).toBeCloseTo(objective.gradient(theta, whole, null), 5);
    parts.forEach((g, i) => expect(g).toBeCloseTo(whole[i], 5));
    expect(inPasses.value(theta, null)).toBeCloseTo(loss(x, y), 5);
  });

  it('has derivatives that agree with differences in single precision', () => {
    const { x, y } = data(40);
    for (const regularized of [false, true]) {
      const objective = objectiveFromModel(smallModel({ regularized }), { x, y, loss: tf.losses.meanSquaredError });
      const check = checkDerivatives(objective, { ...SINGLE, batch: null });
      expect(check.gradientError).toBeLessThan(1e-3);
      expect(check.productError).toBeLessThan(1e-3);
      expect(check.valueError).toBeLessThan(1e-5);
    }
  });

  it('counts the penalties of regularizers', () => {
    const { x, y } = data(10);
    const value = (regularized: boolean): [number, Float64Array] => {
      const objective = objectiveFromModel(smallModel({ regularized }), { x, y, loss: tf.losses.meanSquaredError });
      const theta = objective.start(createRandom(0));
      return [objective.value(theta, null), theta];
    };
    const [[plain], [penalized, theta]] = [value(false), value(true)];
    const squares = theta.slice(0, 12).reduce((sum, w) => sum + w * w, 0);
    expect(penalized - plain).toBeCloseTo(0.1 * squares, 4);
  });

  it('starts from the weights that the model had, whatever was evaluated since, and leaves the last θ in it', () => {
    const model = smallModel();
    const before = model.getWeights().flatMap((w) => [...w.dataSync()]);
    const { x, y } = data(10);
    const objective = objectiveFromModel(model, { x, y, loss: tf.losses.meanSquaredError });
    const theta = new Float64Array(before.length).fill(0.25);
    objective.value(theta, null);
    expect(model.getWeights().flatMap((w) => [...w.dataSync()])).toEqual([...theta]);
    expect([...objective.start(createRandom(0))]).toEqual(before);
    expect([...objective.start(createRandom(0)).fill(7)]).not.toEqual([...objective.start(createRandom(0))]);
  });

  it('drops units in training, and does not when told so', () => {
    const { x, y } = data(10);
    const values = (training: boolean): Set<number> => {
      const model = smallModel({ dropout: true });
      const objective = objectiveFromModel(model, { x, y, loss: tf.losses.meanSquaredError, training });
      const theta = objective.start(createRandom(0));
      return new Set(Array.from({ length: 8 }, () => objective.value(theta, null)));
    };
    expect(values(true).size).toBeGreaterThan(1);
    expect(values(false).size).toBe(1);
  });

  it('is trained by the learned optimizer as any problem is', async () => {
    const { x } = data(64);
    const y = tf.tidy(() => tf.sin(tf.slice(x, [0, 0], [-1, 2])));
    const problem = asProblem(objectiveFromModel(smallModel(), { x, y, loss: tf.losses.meanSquaredError }));
    const optimizer = (parameters: readonly Float32Array[]) => createOptimizer([...parameters]);
    const { losses } = await train(problem, optimizer, { seed: 0, steps: 200, evaluateEvery: 200 });
    expect(finalLoss(losses)).toBeLessThan(losses[0].loss / 5);
  });

  it('refuses data that do not fit', () => {
    const { x } = data(10);
    const { y } = data(9);
    const loss = tf.losses.meanSquaredError;
    expect(() => objectiveFromModel(smallModel(), { x, y, loss })).toThrow(
      /y: expected 10 samples, as many as x, got 9/,
    );
    expect(() => objectiveFromModel(smallModel(), { x, y: x, loss, evaluationBatch: 0 })).toThrow(
      /evaluationBatch: expected a positive integer, got 0/,
    );
    expect(() => objectiveFromModel(smallModel(), { x, y: x, loss, batchSize: 0 })).toThrow(/batchSize: expected/);
  });
});

describe('objectives of TensorFlow.js', () => {
  it('leave no tensor behind, also when the loss throws', () => {
    const { x, y } = data(30);
    const model = smallModel({ regularized: true });
    const fromModel = objectiveFromModel(model, { x, y, loss: tf.losses.meanSquaredError, evaluationBatch: 8 });
    let fails = false;
    const fromLoss = objectiveFromLoss({
      parameters: [{ name: 'x', shape: [4] }],
      loss([parameter]) {
        const squares = tf.square(parameter);
        if (fails) throw new Error('on purpose');
        return squares;
      },
    });
    const batch = Int32Array.of(1, 2, 3);
    const use = (): void => {
      for (const objective of [fromModel, fromLoss]) {
        const theta = objective.start(createRandom(1));
        const out = theta.slice();
        for (const b of objective === fromModel ? [null, batch] : [null]) {
          objective.value(theta, b);
          objective.gradient(theta, out, b);
          objective.hessianVectorProduct(theta, theta, out, b);
        }
      }
      fails = true;
      expect(() => fromLoss.value(new Float64Array(4), null)).toThrow('on purpose');
      fails = false;
    };
    use();
    const [tensors, buffers] = [tf.memory().numTensors, tf.memory().numDataBuffers];
    for (let i = 0; i < 5; i++) use();
    expect(tf.memory().numTensors).toBe(tensors);
    expect(tf.memory().numDataBuffers).toBe(buffers);
  });
});
