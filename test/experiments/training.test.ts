import { describe, expect, it } from 'vitest';
import { adam, type MakeOptimizer } from '../../lib/experiments/baselines';
import { finalLoss, meanOfLast, train } from '../../lib/experiments/training';
import type { Problem } from '../../lib/problems/problem';

/** (θ − 3)², with the batches seen kept. */
function parabola(): Problem & { batches: number[][] } {
  const batches: number[][] = [];
  const loss = ([p]: readonly Float32Array[]): number => (p[0] - 3) ** 2;
  return {
    name: 'parabola',
    parameters: [{ name: 'x', shape: [1] }],
    sampleCount: 100,
    batchSize: 4,
    batches,
    initial: (seed) => [new Float32Array([seed])],
    lossAndGradient(p, batch, [gradient]) {
      batches.push([...batch]);
      gradient[0] = 2 * (p[0][0] - 3);
      return loss(p);
    },
    fullLoss: loss,
  };
}

const options = { seed: 1, steps: 25, evaluateEvery: 10 };

describe('train', () => {
  it('evaluates at the start, at the interval and at the end', async () => {
    const { losses } = await train(parabola(), adam({ learningRate: 0.1 }), options);
    expect(losses.map((p) => p.step)).toEqual([0, 10, 20, 25]);
    expect(losses[0].loss).toBe(4);
    expect(finalLoss(losses)).toBeLessThan(1);
  });

  it('shows different optimizers the same batches for the same seed', async () => {
    const [a, b, c] = [parabola(), parabola(), parabola()];
    await train(a, adam({ learningRate: 0.1 }), options);
    await train(b, adam({ learningRate: 10 }), options);
    await train(c, adam({ learningRate: 0.1 }), { ...options, seed: 2 });
    expect(b.batches).toEqual(a.batches);
    expect(c.batches).not.toEqual(a.batches);
    expect(new Set(a.batches.flat()).size).toBeGreaterThan(30);
  });

  it('measures the loss at the evaluation parameters and disposes the optimizer, also after an abort', async () => {
    let disposed = 0;
    const make: MakeOptimizer = () => ({
      step: () => {},
      evaluationParameters: () => [new Float32Array([3])],
      dispose: () => void disposed++,
    });
    expect(finalLoss((await train(parabola(), make, options)).losses)).toBe(0);
    const signal = AbortSignal.abort(new Error('stop'));
    await expect(train(parabola(), make, { ...options, signal })).rejects.toThrow('stop');
    expect(disposed).toBe(2);
  });
});

describe('meanOfLast', () => {
  it('is the mean of the last five evaluations', () => {
    const losses = [100, 1, 2, 3, 4, 5].map((loss, step) => ({ step, loss }));
    expect(meanOfLast(losses)).toBe(3);
    expect(meanOfLast(losses.slice(0, 2))).toBe(50.5);
  });
});
