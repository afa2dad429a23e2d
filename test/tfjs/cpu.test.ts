import { describe, expect, it } from 'vitest';
import { loadBackend } from '../../lib/tfjs/backend';
import { learnedOptimizer } from '../../lib/tfjs/index';
import { contract, normals, values } from './contract';
import { layersContract, setNormalWeights } from './layers';

const { tf } = await loadBackend('cpu');

describe('the learned optimizer on the cpu backend', () => {
  contract(tf);
  layersContract(tf);

  it('updates a variable in place once it has its own storage', () => {
    const v = tf.variable(tf.tensor1d(normals(1, 20)[0]));
    const optimizer = learnedOptimizer();
    const step = (): void => optimizer.applyGradients({ [v.name]: tf.ones([20]) });
    step();
    const { dataId } = v;
    const storage = v.dataSync();
    const before = storage.slice();
    step();
    expect(v.dataId).toBe(dataId);
    expect(v.dataSync()).toBe(storage);
    expect(storage).not.toEqual(before);
  });

  it('takes no notice of zeroCopy, since nothing is copied', () => {
    const [a, g] = normals(5, 20, 20);
    const trained = [true, false].map((zeroCopy) => {
      const v = tf.variable(tf.tensor1d(a.slice()));
      learnedOptimizer({ zeroCopy }).applyGradients({ [v.name]: tf.tensor1d(g) });
      return values(v);
    });
    expect(trained[0]).toEqual(trained[1]);
    expect(trained[0]).not.toEqual(a);
  });

  it('trains a convolutional network', async () => {
    const model = tf.sequential({
      layers: [
        tf.layers.conv2d({ inputShape: [8, 8, 1], filters: 2, kernelSize: 3, activation: 'relu' }),
        tf.layers.flatten(),
        tf.layers.dense({ units: 1 }),
      ],
    });
    model.compile({ optimizer: learnedOptimizer(), loss: 'meanSquaredError' });
    setNormalWeights(tf, model);
    const x = tf.tensor4d(normals(2, 16 * 64)[0], [16, 8, 8, 1]);
    const y = tf.sum(tf.reshape(x, [16, 64]), 1, true).mul(0.1);
    const { history } = await model.fit(x, y, { epochs: 200, batchSize: 16, shuffle: false, verbose: 0 });
    const loss = history['loss'] as number[];
    expect(loss.at(-1)).toBeLessThan(loss[0] / 20);
  });

  it('goes on when the variables move to another backend', async () => {
    await import('@tensorflow/tfjs-backend-wasm');
    const [a] = normals(3, 30);
    const [moving, still] = [tf.variable(tf.tensor1d(a.slice())), tf.variable(tf.tensor1d(a.slice()))];
    const [first, second] = [learnedOptimizer(), learnedOptimizer()];
    const gradients = normals(4, 30, 30, 30, 30);
    for (const [i, g] of gradients.entries()) {
      await tf.setBackend(i % 2 === 0 ? 'cpu' : 'wasm');
      // Moves the data to the current backend.
      tf.dispose(tf.add(moving, 0));
      first.applyGradients({ [moving.name]: tf.tensor1d(g) });
      await tf.setBackend('cpu');
      second.applyGradients({ [still.name]: tf.tensor1d(g) });
      expect(values(moving)).toEqual(values(still));
    }
  });
});
