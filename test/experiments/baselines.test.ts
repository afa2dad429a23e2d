import { describe, expect, it } from 'vitest';
import { adam, momentum, rmsProp, type MakeOptimizer } from '../../lib/experiments/baselines';

/** Values of one parameter after each step with the given gradients. */
function run(make: MakeOptimizer, gradients: number[], start: number = 1): number[] {
  const parameters = [new Float32Array([0]), new Float32Array([start])];
  const optimizer = make(parameters);
  return gradients.map((g) => {
    optimizer.step([new Float32Array([0]), new Float32Array([g])]);
    expect(parameters[0][0]).toBe(0);
    return parameters[1][0];
  });
}

describe('baselines', () => {
  it('Adam moves by the learning rate at first, whatever the size of the gradient', () => {
    expect(run(adam({ learningRate: 0.1 }), [1e-4])[0]).toBeCloseTo(0.9, 4);
    expect(run(adam({ learningRate: 0.1 }), [-1e4])[0]).toBeCloseTo(1.1, 6);
  });

  it('Adam follows algorithm 1 of its paper', () => {
    // m̂ = (0.9·0.1·2 + 0.1·(−1)) / (1 − 0.81), v̂ = (0.999·0.001·4 + 0.001·1) / (1 − 0.998001)
    const mean = (0.9 * 0.2 - 0.1) / 0.19;
    const square = (0.999 * 0.004 + 0.001) / 0.001999;
    const [first, second] = run(adam({ learningRate: 0.01 }), [2, -1]);
    expect(first).toBeCloseTo(0.99, 6);
    expect(second).toBeCloseTo(0.99 - (0.01 * mean) / Math.sqrt(square), 6);
  });

  it('RMSProp divides by the root of the decayed mean square', () => {
    const [first, second] = run(rmsProp({ learningRate: 0.01 }), [2, 1]);
    expect(first).toBeCloseTo(1 - 0.01 / Math.sqrt(0.1), 6);
    expect(second).toBeCloseTo(first - 0.01 / Math.sqrt(0.9 * 0.4 + 0.1), 6);
  });

  it('momentum keeps 0.9 of the last step', () => {
    const [first, second, third] = run(momentum({ learningRate: 0.1 }), [1, 1, 0]);
    expect(first).toBeCloseTo(0.9, 6);
    expect(second).toBeCloseTo(0.9 - 0.19, 6);
    expect(third).toBeCloseTo(0.71 - 0.171, 6);
  });

  it('all do nothing without a gradient', () => {
    for (const make of [adam({ learningRate: 1 }), rmsProp({ learningRate: 1 }), momentum({ learningRate: 1 })]) {
      expect(run(make, [0, 0])).toEqual([1, 1]);
    }
  });
});
