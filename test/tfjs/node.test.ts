import { describe, expect, it, vi } from 'vitest';
import { createOptimizer } from '../../lib/index';
import { loadBackend } from '../../lib/tfjs/backend';
import { learnedOptimizer } from '../../lib/tfjs/index';
import { contract, normals, values } from './contract';
import { layersContract, setNormalWeights } from './layers';
import { describeMissingTfjsNode, hasTfjsNode } from './tfjsNode';

if (!hasTfjsNode) {
  describeMissingTfjsNode('the learned optimizer on tfjs-node');
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

    describe('with large gradients', () => {
      const shape: [number, number] = [250, 300];
      const [start, ...gradients] = normals(4, 75_000, 75_000, 75_000, 75_000);
      const backend = tf.backend() as unknown as Record<
        'executeSingleOutput' | 'readSync',
        (...args: unknown[]) => unknown
      >;

      /** Steps with gradients that a kernel made; returns the variable's values, and how often memory was copied out. */
      function train(): { readonly trained: Float32Array; readonly reads: number; readonly leftover: number } {
        const v = tf.variable(tf.tensor(start.slice(), shape));
        const optimizer = learnedOptimizer();
        const tensors = gradients.map((g) => tf.mul(tf.tensor(g, shape), 1));
        const reading = vi.spyOn(backend, 'readSync');
        optimizer.applyGradients({ [v.name]: tensors[0] });
        const before = tf.memory().numTensors;
        reading.mockClear();
        for (const tensor of tensors.slice(1)) optimizer.applyGradients({ [v.name]: tensor });
        const [reads, leftover] = [reading.mock.calls.length, tf.memory().numTensors - before];
        reading.mockRestore();
        return { trained: values(v), reads, leftover };
      }

      const raw = start.slice();
      const direct = createOptimizer([raw]);
      for (const g of gradients) direct.step([g]);

      it('has TensorFlow copy them into an array that stays, with the bits of the raw API', () => {
        expect(train()).toEqual({ trained: raw, reads: 0, leftover: 0 });
      });

      it.each([
        ['does not write into the array', (): unknown => tf.zeros(shape)],
        [
          'does not know the kernel',
          (): never => {
            throw new Error('Op type not registered');
          },
        ],
      ])('reads them one by one where TensorFlow %s', (_, behaviour) => {
        const original = backend.executeSingleOutput.bind(backend);
        const stub = vi
          .spyOn(backend, 'executeSingleOutput')
          .mockImplementation((name, ...rest) => (name === 'InplaceUpdate' ? behaviour() : original(name, ...rest)));
        try {
          expect(train()).toEqual({ trained: raw, reads: gradients.length - 1, leftover: 0 });
        } finally {
          stub.mockRestore();
        }
      });
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
      setNormalWeights(tf, model);
      const x = tf.tensor4d(normals(3, 64 * 64)[0], [64, 8, 8, 1]);
      const y = tf.sum(tf.reshape(x, [64, 64]), 1, true).mul(0.1);
      const { history } = await model.fit(x, y, { epochs: 60, batchSize: 32, shuffle: false, verbose: 0 });
      const loss = history['loss'] as number[];
      expect(loss.at(-1)).toBeLessThan(loss[0] / 20);
    });
  });
}
