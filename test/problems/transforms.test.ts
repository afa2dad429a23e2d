import { describe, expect, it } from 'vitest';
import { checkDerivatives, randomBatch } from '../../lib/problems/checkDerivatives';
import { findFamily } from '../../lib/problems/corpus';
import { landscapeFamily } from '../../lib/problems/families/landscapes';
import { quadraticFamily } from '../../lib/problems/families/quadratic';
import { regressionFamily } from '../../lib/problems/families/regression';
import { symmetricQuadraticFamily } from '../../lib/problems/families/symmetricQuadratics';
import { dimensionOf, type Batch, type Objective } from '../../lib/problems/objective';
import { PerturbedGradient } from '../../lib/problems/perturbedGradient';
import { logObjective } from '../../lib/problems/transforms/log';
import { gradientNoise } from '../../lib/problems/transforms/noise';
import { normOf } from '../../lib/problems/transforms/norm';
import { rescale } from '../../lib/problems/transforms/rescale';
import { saturate } from '../../lib/problems/transforms/saturate';
import { sparseGradients } from '../../lib/problems/transforms/sparse';
import { sumOf } from '../../lib/problems/transforms/sum';
import { createRandom } from '../../lib/random';

const quadratic = (size: number, seed = 1): Objective => quadraticFamily(size).sample(createRandom(seed));
const landscape = (name: string): Objective => landscapeFamily(name).sample(createRandom(0));
const regression = (features: number, samples: number, batchSize: number): Objective =>
  regressionFamily({ link: 'softmax', features, samples, batchSize, classes: 3, separation: 1 }).sample(
    createRandom(2),
  );
const gradientOf = (objective: Objective, theta: Float64Array, batch: Batch = null): Float64Array => {
  const out = new Float64Array(theta.length);
  objective.gradient(theta, out, batch);
  return out;
};
const expectClose = (actual: Float64Array, expected: ArrayLike<number>, digits = 10): void =>
  actual.forEach((value, i) => expect(value).toBeCloseTo(expected[i], digits));

/** Compositions, each on top of objectives of quite different kinds. */
const COMPOSITIONS: Readonly<Record<string, () => Objective>> = {
  'log of a rescaled sum of a sparse quadratic and a noisy one': () =>
    logObjective(rescale(sumOf([sparseGradients(quadratic(7)), gradientNoise(quadratic(4, 2), 0.3)]), [0.01, 30])),
  'norm of a logarithm, a regression and a test function': () =>
    normOf([logObjective(quadratic(5)), regression(6, 60, 12), landscape('booth')], 3),
  'saturated norm of sums': () =>
    saturate(normOf([sumOf([quadratic(3), landscape('beale')]), sumOf([quadratic(6)], { weights: [0.2] })], 1.5), 4),
  'weighted sum of regressions of different sizes': () =>
    sumOf([regression(5, 60, 12), regression(4, 90, 20)], { weights: [2, 0.5] }),
  'sparse noisy log of a regression': () => sparseGradients(gradientNoise(logObjective(regression(5, 60, 12)), 1), 0.5),
  'rescaled log of a well': () => rescale(logObjective(findFamily('min-max-well-12').sample(createRandom(3))), 100),
  'log of an algorithm': () => logObjective(findFamily('matrix-product-2x2-rank-7').sample(createRandom(3))),
  'sum of a network and a norm': () =>
    sumOf([
      findFamily('sigmoid-network-7-8-5-batch-16').sample(createRandom(4)),
      findFamily('norm-25-p-2').sample(createRandom(4)),
    ]),
};

describe('transformations', () => {
  it.each(Object.entries(COMPOSITIONS))('compose: %s has the derivatives of finite differences', (_, make) => {
    const objective = make();
    for (const batch of [undefined, null]) {
      for (let seed = 0; seed < 3; seed++) {
        const check = checkDerivatives(objective, { seed, batch, step: 2e-5 });
        expect(check.gradientError).toBeLessThan(1e-6);
        expect(check.productError).toBeLessThan(1e-6);
        expect(check.valueError).toBeLessThan(1e-12);
      }
    }
  });

  it('log gives ln(f + 1e-6) − ln 1e-6', () => {
    const f = quadratic(5);
    const theta = f.start(createRandom(1));
    const expected = Math.log(f.value(theta, null) + 1e-6) - Math.log(1e-6);
    expect(logObjective(f).value(theta, null)).toBeCloseTo(expected, 10);
    expect(logObjective(landscape('booth')).value(Float64Array.of(1, 3), null)).toBe(0);
  });

  it('saturation keeps small values and stays below the ceiling', () => {
    const f = saturate(landscape('booth'), 2);
    expect(f.value(Float64Array.of(1.001, 3), null)).toBeCloseTo(5e-6, 9);
    expect(f.value(Float64Array.of(1e6, 3), null)).toBeCloseTo(2, 6);
    expect(() => saturate(f, 0)).toThrow(/ceiling: expected a positive number, got 0/);
  });

  it('rescaling multiplies the parameters, and nothing else', () => {
    const f = quadratic(5);
    const scaled = rescale(f, 350);
    const theta = f.start(createRandom(1));
    const large = scaled.start(createRandom(1));
    expectClose(
      large,
      theta.map((t) => 350 * t),
    );
    expect(scaled.value(large, null)).toBeCloseTo(f.value(theta, null), 10);
    expectClose(
      gradientOf(scaled, large),
      gradientOf(f, theta).map((g) => g / 350),
    );
    expect(() => rescale(f, [1, 2])).toThrow(/scale: expected 1 numbers, one per tensor, got 2/);
    expect(() => rescale(f, -1)).toThrow(/scale: expected positive numbers, got -1/);
  });

  it('a sum has the tensors, values and gradients of its parts', () => {
    const parts = [quadratic(3), landscape('ackley'), quadratic(4, 2)];
    const sum = sumOf(parts, { weights: [1, 2, 3] });
    expect(sum.parameters.map(({ name, shape }) => [name, shape])).toEqual([
      ['0/x', [3]],
      ['1/x', [2]],
      ['2/x', [4]],
    ]);
    const theta = sum.start(createRandom(1));
    const own = [theta.slice(0, 3), theta.slice(3, 5), theta.slice(5)];
    const value = own.reduce((total, t, p) => total + (p + 1) * parts[p].value(t, null), 0);
    expect(sum.value(theta, null)).toBeCloseTo(value, 10);
    expectClose(
      gradientOf(sum, theta),
      own.flatMap((t, p) => [...gradientOf(parts[p], t)].map((g) => (p + 1) * g)),
    );
    expect(() => sumOf(parts, { weights: [1] })).toThrow(/weights: expected 3, one per part, got 1/);
    expect(() => sumOf([])).toThrow(/parts: expected at least one objective, got none/);
  });

  it('a sum of problems with data draws uniformly from the samples of each', () => {
    const parts = [regression(3, 60, 12), regression(4, 90, 20), quadratic(2)];
    const sum = sumOf(parts);
    expect(sum.sampleCount).toBe(180);
    expect(sum.batchSize).toBe(20);
    const theta = sum.start(createRandom(1));
    const all = Int32Array.from({ length: 180 }, (_, i) => i);
    expect(sum.value(theta, all)).toBeCloseTo(sum.value(theta, null), 10);
    expectClose(gradientOf(sum, theta, all), gradientOf(sum, theta));
    const prime = (samples: number): Objective =>
      symmetricQuadraticFamily('sum', 1, samples, 1).sample(createRandom(1));
    const many = [2 * 46337, 2 * 46327];
    expect(() => sumOf(many.map(prime))).toThrow(/parts: expected sample counts with a small common multiple/);
  });

  it('a norm lies between the largest part and the sum, and is the sum for p = 1', () => {
    const parts = [quadratic(3), landscape('matyas')];
    const theta = sumOf(parts).start(createRandom(1));
    const values = [parts[0].value(theta.slice(0, 3), null), parts[1].value(theta.slice(3), null)];
    const norm = (p: number): number => normOf(parts, p).value(theta, null);
    expect(norm(1)).toBeCloseTo(values[0] + values[1] + 2e-6, 9);
    expect(norm(4)).toBeGreaterThan(Math.max(...values));
    expect(norm(4)).toBeLessThan(norm(2));
    expect(norm(60)).toBeCloseTo(Math.max(...values), 0);
    expect(() => normOf(parts, 0.9)).toThrow(/power: expected at least 1, got 0.9/);
  });
});

describe('gradients as an optimizer sees them', () => {
  /** Many of them at one point. */
  function seen(objective: Objective, draws: number): { exact: Float64Array; gradients: Float64Array[] } {
    const random = createRandom(5);
    const theta = objective.start(createRandom(4));
    const source = new PerturbedGradient(objective);
    const gradients = Array.from({ length: draws }, () => {
      const out = new Float64Array(theta.length);
      source.evaluate(theta, out, null, random);
      return out;
    });
    return { exact: gradientOf(objective, theta), gradients };
  }

  it('noise has mean 0 and the standard deviation asked for', () => {
    const { exact, gradients } = seen(gradientNoise(quadratic(10), 2), 2000);
    const errors = gradients.flatMap((gradient) => [...gradient].map((g, i) => g - exact[i]));
    const mean = errors.reduce((a, b) => a + b, 0) / errors.length;
    const deviation = Math.sqrt(errors.reduce((a, b) => a + b * b, 0) / errors.length);
    expect(Math.abs(mean)).toBeLessThan(0.06);
    expect(Math.abs(deviation - 2)).toBeLessThan(0.05);
  });

  it('sparse gradients are zero with the probability asked for, and exact elsewhere', () => {
    const { exact, gradients } = seen(sparseGradients(quadratic(50), 0.99), 1000);
    let kept = 0;
    for (const gradient of gradients) {
      gradient.forEach((g, i) => {
        if (g === 0) return;
        kept++;
        expect(g).toBe(exact[i]);
      });
    }
    expect(Math.abs(kept / 50_000 - 0.01)).toBeLessThan(0.002);
    expect(() => sparseGradients(quadratic(2), 1.5)).toThrow(/probability: expected a number from 0 to 1, got 1.5/);
    expect(() => gradientNoise(quadratic(2), -1)).toThrow(/deviation: expected a number of at least 0, got -1/);
  });

  it('noise goes through scale and logarithm as the gradient does', () => {
    const noisy = gradientNoise(quadratic(3), 1);
    const deviation = (objective: Objective): number => {
      const { exact, gradients } = seen(objective, 3000);
      const squares = gradients.reduce((sum, gradient) => sum + (gradient[0] - exact[0]) ** 2, 0);
      return Math.sqrt(squares / 3000);
    };
    expect(deviation(rescale(noisy, 10))).toBeCloseTo(0.1, 2);
    const f = noisy.value(noisy.start(createRandom(4)), null);
    expect(deviation(logObjective(noisy)) * f).toBeCloseTo(1, 1);
    expect(deviation(sumOf([noisy, landscape('booth')], { weights: [3, 1] }))).toBeCloseTo(3, 0);
  });

  it('perturb only the parts of a sum that are perturbed', () => {
    const { exact, gradients } = seen(sumOf([gradientNoise(quadratic(3), 1), quadratic(4, 2)]), 5);
    for (const gradient of gradients) {
      expect(gradient.slice(3)).toEqual(exact.slice(3));
      expect(gradient.slice(0, 3)).not.toEqual(exact.slice(0, 3));
    }
  });

  it.each(Object.entries(COMPOSITIONS))('have as Jacobian product that of the kept entries: %s', (_, make) => {
    const objective = make();
    const random = createRandom(8);
    const theta = objective.start(random);
    const batch = randomBatch(objective, random);
    const v = Float64Array.from({ length: dimensionOf(objective) }, () => random.normal());
    const source = new PerturbedGradient(objective);
    const out = new Float64Array(theta.length);
    source.evaluate(theta, out, batch, createRandom(9));
    const kept = objective.perturb === undefined ? v : v.map((value, i) => value * source.keep[i]);
    const product = new Float64Array(theta.length);
    source.product(theta, v, product, batch, createRandom(9));
    const expected = new Float64Array(theta.length);
    objective.hessianVectorProduct(theta, kept, expected, batch);
    expect(product).toEqual(expected);
  });
});
