import { describe, expect, it } from 'vitest';
import { createOptimizer } from '../../lib/index';
import { loadBackend } from '../../lib/tfjs/backend';
import { learnedOptimizer } from '../../lib/tfjs/index';
import { contract, values } from './contract';
import { layersContract } from './layers';

const { tf } = await loadBackend('wasm');

describe('the learned optimizer on the wasm backend', () => {
  contract(tf);
  layersContract(tf);

  it('loses no update when the heap grows in the middle of a step', () => {
    // The heap is 16 MB at the start; variables, gradients and outputs of this step need 24 MB each.
    const lengths = Array.from({ length: 6 }, () => 1_000_000);
    const raw = lengths.map((n, i) => new Float32Array(n).fill(i + 1));
    const variables = raw.map((array) => tf.tidy(() => tf.variable(tf.tensor1d(array.slice()))));
    const optimizer = learnedOptimizer();
    const direct = createOptimizer(raw);
    const gradients = lengths.map((n, i) => new Float32Array(n).fill(i % 2 ? 1 : -1));
    for (let step = 0; step < 2; step++) {
      const tensors = Object.fromEntries(variables.map((v, i) => [v.name, tf.tensor1d(gradients[i])]));
      optimizer.applyGradients(tensors);
      tf.dispose(tensors);
      direct.step(gradients);
    }
    variables.forEach((v, i) => expect(Buffer.compare(bytes(values(v)), bytes(raw[i]))).toBe(0));
    tf.dispose(variables);
    optimizer.dispose();
    direct.dispose();
  });

  it('is seen by kernels that cache what they derived from a weight', () => {
    // The matrix product packs its second operand once per tensor.
    const w = tf.variable(tf.ones([4, 4]) as never);
    const x = tf.eye(4);
    const product = (): Float32Array => tf.tidy(() => values(tf.matMul(x, w as never)));
    product();
    const optimizer = learnedOptimizer();
    for (let i = 0; i < 3; i++) {
      optimizer.applyGradients({ [w.name]: tf.ones([4, 4]) });
      expect(product()).toEqual(values(w));
    }
  });

  it('says that this backend cannot train convolutions', async () => {
    const model = tf.sequential({
      layers: [
        tf.layers.conv2d({ inputShape: [8, 8, 1], filters: 2, kernelSize: 3 }),
        tf.layers.flatten(),
        tf.layers.dense({ units: 1 }),
      ],
    });
    model.compile({ optimizer: learnedOptimizer(), loss: 'meanSquaredError' });
    await expect(model.fit(tf.ones([4, 8, 8, 1]), tf.ones([4, 1]), { verbose: 0 })).rejects.toThrow(
      /wasm backend of TensorFlow.js cannot train convolutions.*use tfjs-node or tf.setBackend\('cpu'\)/,
    );
  });
});

function bytes(array: Float32Array): Buffer {
  return Buffer.from(array.buffer, array.byteOffset, array.byteLength);
}
