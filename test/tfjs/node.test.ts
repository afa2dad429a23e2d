import { describe, expect, it } from 'vitest';
import { loadBackend } from '../../lib/tfjs/backend';
import { learnedOptimizer } from '../../lib/tfjs/index';
import { contract, normals, values } from './contract';
import { layersContract } from './layers';
import { hasTfjsNode, requiresTfjsNode, TFJS_NODE_HINT } from './tfjsNode';

if (!hasTfjsNode) {
  describe('the learned optimizer on tfjs-node', () => {
    if (requiresTfjsNode) {
      it('is tested on the real tfjs-node', () => {
        throw new Error(TFJS_NODE_HINT);
      });
    } else {
      it.skip(`(skipped: ${TFJS_NODE_HINT})`, () => {});
    }
  });
} else {
  const { tf } = await loadBackend('node');

  describe('the learned optimizer on tfjs-node', () => {
    contract(tf);
    layersContract(tf);

    it('runs on TensorFlow', () => {
      expect(tf.getBackend()).toBe('tensorflow');
    });

    it('updates the memory of TensorFlow in place', () => {
      const v = tf.variable(tf.tensor1d(normals(1, 1000)[0]));
      const optimizer = learnedOptimizer();
      const step = (): void => optimizer.applyGradients({ [v.name]: tf.ones([1000]) });
      step();
      const { dataId } = v;
      const before = values(v);
      step();
      expect(v.dataId).toBe(dataId);
      expect(values(v)).not.toEqual(before);
      // A kernel sees what dataSync shows.
      expect(tf.tidy(() => values(tf.add(v, 0)))).toEqual(values(v));
    });

    it('makes new tensors where TensorFlow does not show writes into the array', () => {
      const [a] = normals(2, 100);
      const [v, w] = [tf.variable(tf.tensor1d(a.slice())), tf.variable(tf.tensor1d(a.slice()))];
      const backend = tf.backend() as unknown as { binding: { createTensor: (...args: unknown[]) => number } };
      const { binding } = backend;
      const [copying, aliasing] = [learnedOptimizer(), learnedOptimizer()];
      try {
        backend.binding = Object.create(binding, {
          createTensor: {
            value: (shape: unknown, dtype: unknown, array: Float32Array) =>
              binding.createTensor(shape, dtype, array.slice()),
          },
        }) as typeof binding;
        for (let i = 0; i < 5; i++) copying.applyGradients({ [v.name]: tf.ones([100]) });
      } finally {
        backend.binding = binding;
      }
      for (let i = 0; i < 5; i++) aliasing.applyGradients({ [w.name]: tf.ones([100]) });
      expect(values(v)).toEqual(values(w));
    });

    it('trains a convolutional network', async () => {
      const model = tf.sequential({
        layers: [
          tf.layers.conv2d({ inputShape: [8, 8, 1], filters: 4, kernelSize: 3, activation: 'relu' }),
          tf.layers.flatten(),
          tf.layers.dense({ units: 1 }),
        ],
      });
      model.compile({ optimizer: learnedOptimizer(), loss: 'meanSquaredError' });
      const x = tf.tensor4d(normals(3, 64 * 64)[0], [64, 8, 8, 1]);
      const y = tf.sum(tf.reshape(x, [64, 64]), 1, true).mul(0.1);
      const { history } = await model.fit(x, y, { epochs: 60, batchSize: 32, verbose: 0 });
      const loss = history['loss'] as number[];
      expect(loss.at(-1)).toBeLessThan(loss[0] / 20);
    });
  });
}
