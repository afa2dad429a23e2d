import { describe, expect, it } from 'vitest';
import type { LayersModel, Tensor } from '@tensorflow/tfjs';
import { loadDigits } from '../../lib/datasets/digits';
import { features, slice } from '../../lib/datasets/images';
import type { OptimizerOptions } from '../../lib/index';
import { createRandom } from '../../lib/random';
import type { TensorFlow } from '../../lib/tfjs/backend';
import { learnedOptimizer, TfLearnedOptimizer } from '../../lib/tfjs/index';
import { values, withLookahead } from './contract';

const IMAGES = 512;

/** Weights of a model from a seed, normal with standard deviation 0.2. */
export function setNormalWeights(tf: TensorFlow, model: LayersModel): void {
  const random = createRandom(1);
  const weights = model.getWeights().map((w) =>
    tf.tensor(
      Float32Array.from({ length: w.size }, () => 0.2 * random.normal()),
      w.shape,
    ),
  );
  model.setWeights(weights);
  tf.dispose(weights);
}

/** What tf.layers models need of an optimizer: compile, fit, save, reload, frozen layers. */
export function layersContract(tf: TensorFlow): void {
  const images = slice(loadDigits(), 0, IMAGES);
  const x = tf.keep(tf.tensor2d(features(images), [IMAGES, 64]));
  const y = tf.keep(tf.oneHot(tf.tensor1d(Array.from(images.labels), 'int32'), 10).toFloat());

  function network(): LayersModel {
    const model = tf.sequential({
      layers: [
        tf.layers.dense({ inputShape: [64], units: 16, activation: 'relu' }),
        tf.layers.dense({ units: 10, activation: 'softmax' }),
      ],
    });
    setNormalWeights(tf, model);
    return model;
  }

  function compiled(options?: OptimizerOptions): LayersModel {
    const model = network();
    model.compile({ optimizer: learnedOptimizer(options), loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
    return model;
  }

  const fit = (model: LayersModel, epochs: number) =>
    model.fit(x, y, { epochs, batchSize: 64, shuffle: false, verbose: 0 });

  /** Saves in memory and loads again. */
  async function reload(model: LayersModel): Promise<LayersModel> {
    let artifacts: unknown;
    const handler = tf.io.withSaveHandler(async (a) => {
      // What a file would hold: JSON for everything but the weights.
      artifacts = { ...JSON.parse(JSON.stringify({ ...a, weightData: undefined })), weightData: a.weightData };
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
    });
    await model.save(handler, { includeOptimizer: true });
    return tf.loadLayersModel(tf.io.fromMemory(artifacts as never));
  }

  describe('model.compile and model.fit', () => {
    it('train the digits', async () => {
      const model = compiled();
      const { history } = await fit(model, 24);
      const loss = history['loss'] as number[];
      expect(loss[loss.length - 1]).toBeLessThan(0.1);
      expect((history['acc'] as number[]).at(-1)).toBeGreaterThan(0.97);
      expect((model.optimizer as TfLearnedOptimizer).iterations).toBe((24 * IMAGES) / 64);
      model.dispose();
    });

    it('leave frozen layers alone, and train them once they are thawed', async () => {
      const model = network();
      const optimizer = learnedOptimizer();
      const compile = (): void => model.compile({ optimizer, loss: 'categoricalCrossentropy' });
      model.layers[0].trainable = false;
      compile();
      const kernels = (): Float32Array[] => model.layers.map((layer) => values(layer.getWeights()[0]));
      const [frozen, free] = kernels();
      await fit(model, 1);
      expect(kernels()[0]).toEqual(frozen);
      expect(kernels()[1]).not.toEqual(free);
      model.layers[0].trainable = true;
      compile();
      await fit(model, 1);
      expect(kernels()[0]).not.toEqual(frozen);
      model.dispose();
    });

    it('do not leak', async () => {
      const before = tf.memory().numTensors;
      const model = compiled();
      await fit(model, 2);
      model.optimizer.dispose();
      model.dispose();
      expect(tf.memory().numTensors).toBe(before);
    });
  });

  describe('model.save with the optimizer, and reload', () => {
    const cases: [string, OptimizerOptions][] = [
      ['the default', {}],
      [
        'another preset and other options',
        { preset: 'rmsprop-like', initialLearningRate: 0.01, weightDecay: 1e-5, clipNorm: 5, stateBits: 16 },
      ],
      ['weights of the user, with lookahead', { weights: withLookahead }],
    ];
    it.each(cases)('go on bit for bit: %s', async (_, options) => {
      const [whole, first] = [compiled(options), compiled(options)];
      await fit(whole, 3);
      await fit(first, 2);
      const second = await reload(first);
      const { optimizer } = second as unknown as { optimizer: TfLearnedOptimizer };
      expect(optimizer).toBeInstanceOf(TfLearnedOptimizer);
      expect(optimizer.options).toMatchObject({
        ...options,
        weights: (whole.optimizer as TfLearnedOptimizer).options.weights,
      });
      expect(optimizer.iterations).toBe((2 * IMAGES) / 64);
      await fit(second, 1);
      const last = (model: LayersModel): Float32Array[] => model.getWeights().map((w: Tensor) => values(w));
      expect(last(second)).toEqual(last(whole));
      for (const model of [whole, first, second]) model.dispose();
    });

    it('say that a schedule given as a function cannot be saved', async () => {
      const model = compiled({ learningRateMultiplier: () => 1 });
      const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
      const second = await reload(model);
      expect((await warned).message).toMatch(/learningRateMultiplier is a function and cannot be saved/);
      expect((second.optimizer as TfLearnedOptimizer).options.learningRateMultiplier).toBe(1);
    });
  });

  describe('getWeights and setWeights', () => {
    it('carry the state to another optimizer, whose tensors stay the caller’s', async () => {
      const [a, b] = [compiled(), compiled()];
      await fit(a, 1);
      const weights = await a.optimizer.getWeights();
      expect(weights[0].name).toBe('iter');
      const copies = weights.map(({ name, tensor }) => ({ name, tensor: tensor.clone() }));
      b.setWeights(a.getWeights());
      await b.optimizer.setWeights(copies);
      tf.dispose(copies.map(({ tensor }) => tensor));
      await fit(a, 1);
      await fit(b, 1);
      expect(b.getWeights().map(values)).toEqual(a.getWeights().map(values));
    });

    it('bring an optimizer in use back to an earlier state', async () => {
      const model = compiled();
      await fit(model, 1);
      const state = (await model.optimizer.getWeights()).map(({ name, tensor }) => ({ name, tensor: tensor.clone() }));
      const parameters = model.getWeights().map((w) => w.clone());
      await fit(model, 1);
      const once = model.getWeights().map(values);
      await model.optimizer.setWeights(state);
      model.setWeights(parameters);
      await fit(model, 1);
      expect(model.getWeights().map(values)).toEqual(once);
    });

    it('refuse a state that does not fit and keep the one they have', async () => {
      const model = compiled();
      await fit(model, 1);
      const weights = (await model.optimizer.getWeights()).map(({ name, tensor }) => ({
        name,
        tensor: tensor.clone(),
      }));
      await expect(model.optimizer.setWeights([])).rejects.toThrow(/expected the iterations first/);
      await expect(model.optimizer.setWeights(weights.slice(0, 3))).rejects.toThrow(/expected shape/);
      const fewer = weights.slice(0, 2 + 5);
      await expect(model.optimizer.setWeights(fewer)).rejects.toThrow(/expected the state of variables \[64, 16\]/);
      const poisoned = weights.map(({ name, tensor }, i) => ({
        name,
        tensor: i === 3 ? tf.fill(tensor.shape, NaN) : tensor,
      }));
      await expect(model.optimizer.setWeights(poisoned)).rejects.toThrow(/hidden/);
      const after = await model.optimizer.getWeights();
      expect(after.map(({ tensor }) => values(tensor))).toEqual(weights.map(({ tensor }) => values(tensor)));
      const other = learnedOptimizer();
      await other.setWeights(weights);
      const stranger = tf.variable(tf.zeros([3]));
      expect(() => other.applyGradients({ [stranger.name]: tf.ones([3]) })).toThrow(
        /belongs to variables of shape \[64, 16\]/,
      );
    });
  });
}
