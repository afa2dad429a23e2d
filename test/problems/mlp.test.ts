import { describe, expect, it } from 'vitest';
import type { Activation } from '../../lib/problems/dense';
import { Mlp, type MlpOptions } from '../../lib/problems/mlp';
import { sizeOf, zerosLike } from '../../lib/problems/problem';
import { createRandom } from '../../lib/random';

const COUNT = 300;

function problem(options: Partial<MlpOptions> = {}): Mlp {
  const random = createRandom(1);
  return new Mlp({
    name: 'test',
    samples: {
      features: Float32Array.from({ length: COUNT * 7 }, () => random.normal()),
      featureCount: 7,
      labels: Uint8Array.from({ length: COUNT }, () => random.integer(3)),
    },
    classes: 3,
    hidden: [6, 5],
    activation: 'tanh',
    start: 'glorot',
    batchSize: 13,
    ...options,
  });
}

const allSamples = Int32Array.from({ length: COUNT }, (_, i) => i);

describe('Mlp', () => {
  it.each<[Activation, number[]]>([
    ['tanh', [6, 5]],
    ['sigmoid', [4]],
    ['relu', [9, 3]],
    ['relu', []],
  ])('has the gradient that finite differences give: %s, hidden layers %j', (activation, hidden) => {
    const mlp = problem({ activation, hidden, start: 'he' });
    const parameters = mlp.initial(3);
    // Biases away from zero, so that no unit sits on the kink of relu.
    parameters.forEach((p) => p.length < 10 && p.forEach((_, i) => (p[i] = 0.05 * (i + 1))));
    const gradients = zerosLike(mlp);
    const scratch = zerosLike(mlp);
    const batch = Int32Array.from([3, 17, 3, 42, 99, 120, 7]);
    mlp.lossAndGradient(parameters, batch, gradients);
    const step = 2 ** -12;
    for (let t = 0; t < parameters.length; t++) {
      for (let i = 0; i < parameters[t].length; i++) {
        const value = parameters[t][i];
        parameters[t][i] = value + step;
        const [above, plus] = [parameters[t][i], mlp.lossAndGradient(parameters, batch, scratch)];
        parameters[t][i] = value - step;
        const [below, minus] = [parameters[t][i], mlp.lossAndGradient(parameters, batch, scratch)];
        parameters[t][i] = value;
        expect(gradients[t][i], `tensor ${t}, value ${i}`).toBeCloseTo((plus - minus) / (above - below), 6);
      }
    }
    expect(Math.max(...gradients.flatMap((g) => [...g].map(Math.abs)))).toBeGreaterThan(0.01);
  });

  it('has the same loss over all samples in one batch and in chunks', () => {
    const mlp = problem();
    const parameters = mlp.initial(0);
    const whole = mlp.lossAndGradient(parameters, allSamples, zerosLike(mlp));
    expect(mlp.fullLoss(parameters)).toBeCloseTo(whole, 12);
  });

  it('has a loss of ln(classes) where all logits are equal', () => {
    const mlp = problem({ hidden: [] });
    expect(mlp.fullLoss(zerosLike(mlp))).toBeCloseTo(Math.log(3), 12);
  });

  it('stays finite for enormous logits', () => {
    const mlp = problem({ hidden: [] });
    const parameters = mlp.initial(0).map((p) => p.map((v) => v * 1e20));
    const gradients = zerosLike(mlp);
    expect(mlp.lossAndGradient(parameters, allSamples, gradients)).toBeGreaterThan(1e18);
    expect(gradients.every((g) => g.every(Number.isFinite))).toBe(true);
  });

  it('shows NaN parameters in its loss', () => {
    const mlp = problem({ activation: 'relu' });
    const parameters = mlp.initial(0);
    parameters[0][0] = NaN;
    expect(mlp.fullLoss(parameters)).toBeNaN();
  });

  it('starts as asked: the same for the same seed, with the right spread', () => {
    const wide = { hidden: [400], start: 'he' } as const;
    const [weights, bias] = problem(wide).initial(5);
    expect(weights).toEqual(problem(wide).initial(5)[0]);
    expect(weights).not.toEqual(problem(wide).initial(6)[0]);
    expect(bias.every((v) => v === 0)).toBe(true);
    const variance = weights.reduce((sum, v) => sum + v * v, 0) / weights.length;
    expect(variance).toBeGreaterThan((2 / 7) * 0.9);
    expect(variance).toBeLessThan((2 / 7) * 1.1);
    const glorot = problem({ hidden: [400], start: 'glorot' }).initial(5)[0];
    const limit = Math.sqrt(6 / 407);
    const largest = glorot.reduce((max, v) => Math.max(max, Math.abs(v)), 0);
    expect(largest).toBeLessThanOrEqual(limit + 1e-7);
    expect(largest).toBeGreaterThan(limit * 0.99);
  });

  it('learns: plain gradient descent lowers the loss and raises the accuracy', () => {
    const mlp = problem();
    const parameters = mlp.initial(0);
    const gradients = zerosLike(mlp);
    const before = { loss: mlp.fullLoss(parameters), accuracy: mlp.accuracy(parameters) };
    for (let step = 0; step < 300; step++) {
      mlp.lossAndGradient(parameters, allSamples, gradients);
      parameters.forEach((p, t) => p.forEach((_, i) => (p[i] -= 0.5 * gradients[t][i])));
    }
    expect(mlp.fullLoss(parameters)).toBeLessThan(before.loss - 0.1);
    expect(mlp.accuracy(parameters)).toBeGreaterThan(before.accuracy);
  });

  it('names its parameters and refuses samples that do not fit', () => {
    expect(problem().parameters.map((p) => [p.name, sizeOf(p)])).toEqual([
      ['dense0/weights', 42],
      ['dense0/bias', 6],
      ['dense1/weights', 30],
      ['dense1/bias', 5],
      ['dense2/weights', 15],
      ['dense2/bias', 3],
    ]);
    expect(() => problem({ classes: 2 })).toThrow(/samples\.labels\[\d+\]: expected less than 2, got 2/);
    expect(() => problem({ hidden: [4, 0] })).toThrow(/hidden\[1\]: expected a positive integer, got 0/);
    const samples = { features: new Float32Array(5), featureCount: 2, labels: new Uint8Array(2) };
    expect(() => problem({ samples })).toThrow(/samples\.features: expected 2 × 2 values, got 5/);
  });
});
