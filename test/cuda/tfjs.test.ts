import * as tf from '@tensorflow/tfjs';
import { expect, it } from 'vitest';
import { learnedOptimizer } from '../../lib/tfjs/index';
import { relativeDistance } from '../optimizer/runs';
import { describeEmulated } from './emulation';

describeEmulated("learnedOptimizer({ device: 'cuda' })", () => {
  it('trains variables of TensorFlow.js as on the CPU, and does not save the device', async () => {
    await tf.setBackend('cpu');
    const results = (['cpu', 'cuda'] as const).map((device) => {
      const x = tf.variable(tf.tensor1d([3, -2, 1]));
      const optimizer = learnedOptimizer({ device, warmupSteps: 0 });
      for (let i = 0; i < 10; i++) optimizer.minimize(() => x.square().sum() as tf.Scalar);
      expect(optimizer.getConfig()).not.toHaveProperty('device');
      return x.dataSync().slice();
    });
    expect(relativeDistance(results[1], results[0], [3, -2, 1])).toBeLessThan(1e-4);
  });
});
