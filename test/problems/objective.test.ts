import { describe, expect, it } from 'vitest';
import { createOptimizer } from '../../lib/index';
import { adam, type MakeOptimizer } from '../../lib/experiments/baselines';
import { finalLoss, train } from '../../lib/experiments/training';
import {
  asProblem,
  centralHessianVectorProduct,
  checkDerivatives,
  createRandom,
  defineObjective,
  findFamily,
  gradientNoise,
  quadraticFamily,
  tensorsOf,
  type Objective,
  type ObjectiveDefinition,
} from '../../lib/problems/index';

/** Σ (1 − cos θ), in two tensors; its Hessian is diag(cos θ). */
const waves: ObjectiveDefinition = {
  name: 'waves',
  parameters: [
    { name: 'a', shape: [2, 3] },
    { name: 'b', shape: [4] },
  ],
  value: (theta) => theta.reduce((sum, t) => sum + 1 - Math.cos(t), 0),
  gradient(theta, out) {
    theta.forEach((t, i) => (out[i] = Math.sin(t)));
    return waves.value(theta, null);
  },
};

describe('an objective of the user', () => {
  it('needs only a value and a gradient: the product is their central difference', () => {
    const objective = defineObjective(waves);
    const random = createRandom(1);
    const theta = objective.start(random);
    const v = theta.map(() => random.normal());
    const product = new Float64Array(10);
    objective.hessianVectorProduct(theta, v, product, null);
    product.forEach((p, i) => expect(p).toBeCloseTo(Math.cos(theta[i]) * v[i], 8));
    expect(checkDerivatives(objective).productError).toBeLessThan(1e-6);
    objective.hessianVectorProduct(theta, new Float64Array(10), product, null);
    expect(product).toEqual(new Float64Array(10));
  });

  it('keeps an analytic product, start and data', () => {
    const objective = defineObjective({
      ...waves,
      sampleCount: 100,
      batchSize: 10,
      start: () => new Float64Array(10).fill(0.5),
      hessianVectorProduct: (theta, v, out) => theta.forEach((t, i) => (out[i] = Math.cos(t) * v[i])),
    });
    const product = new Float64Array(10);
    objective.hessianVectorProduct(new Float64Array(10), new Float64Array(10).fill(3), product, null);
    expect(product).toEqual(new Float64Array(10).fill(3));
    expect(objective.start(createRandom(0))).toEqual(new Float64Array(10).fill(0.5));
    expect([objective.sampleCount, objective.batchSize]).toEqual([100, 10]);
    expect(
      tensorsOf(
        objective,
        Float64Array.from({ length: 10 }, (_, i) => i),
      ).map((t) => [...t]),
    ).toEqual([
      [0, 1, 2, 3, 4, 5],
      [6, 7, 8, 9],
    ]);
  });

  it('is refused where shapes or sizes are impossible', () => {
    const define = (change: Partial<ObjectiveDefinition>) => () => defineObjective({ ...waves, ...change });
    expect(define({ parameters: [] })).toThrow(/parameters: expected at least one tensor, got none/);
    expect(define({ parameters: [{ name: 'a', shape: [2, 0] }] })).toThrow(
      /parameters\[0\]\.shape: expected positive integers, got \[2, 0\]/,
    );
    expect(define({ sampleCount: -1 })).toThrow(/sampleCount: expected an integer of at least 0, got -1/);
    expect(define({ sampleCount: 5, batchSize: 6 })).toThrow(/batchSize: expected an integer from 1 to 5, got 6/);
    expect(define({ sampleCount: 5, batchSize: 0 })).toThrow(/batchSize: expected an integer from 1 to 5, got 0/);
  });

  it('is caught by the check where its derivatives are wrong', () => {
    const wrong = (change: Partial<ObjectiveDefinition>) => checkDerivatives(defineObjective({ ...waves, ...change }));
    const tilted = wrong({
      gradient(theta, out) {
        const value = waves.gradient(theta, out, null);
        out[3] *= 1.01;
        return value;
      },
    });
    expect(tilted.gradientError).toBeGreaterThan(1e-4);
    expect(tilted.productError).toBeLessThan(1e-6);
    expect(wrong({ hessianVectorProduct: (_, v, out) => out.set(v) }).productError).toBeGreaterThan(0.01);
    expect(wrong({ value: (theta) => 2 * waves.value(theta, null) }).valueError).toBeCloseTo(0.5, 10);
    expect(wrong({ hessianVectorProduct: (_, __, out) => void out.fill(NaN) }).productError).toBe(Infinity);
  });
});

describe('central differences of a gradient', () => {
  it('have an error of the two thirds power of its rounding error', () => {
    const objective = quadraticFamily(30).sample(createRandom(2));
    const random = createRandom(3);
    const theta = objective.start(random);
    const v = theta.map(() => 1e6 * random.normal());
    const error = (product: Objective['hessianVectorProduct']): number => {
      const [exact, out] = [new Float64Array(30), new Float64Array(30)];
      objective.hessianVectorProduct(theta, v, exact, null);
      product(theta, v, out, null);
      const scale = Math.max(...exact.map(Math.abs));
      return Math.max(...out.map((p, i) => Math.abs(p - exact[i]))) / scale;
    };
    const gradient: Objective['gradient'] = (point, out) => objective.gradient(point, out, null);
    const rounded: Objective['gradient'] = (point, out) => {
      const value = objective.gradient(point.map(Math.fround), out, null);
      out.forEach((g, i) => (out[i] = Math.fround(g)));
      return value;
    };
    expect(error(centralHessianVectorProduct(gradient, 30))).toBeLessThan(1e-9);
    expect(error(centralHessianVectorProduct(rounded, 30, 2 ** -23))).toBeLessThan(1e-3);
    expect(error(centralHessianVectorProduct(rounded, 30))).toBeGreaterThan(1e-3);
  });
});

describe('an objective as a problem for training', () => {
  it('has the start, losses and gradients of the objective', () => {
    const objective = findFamily('softmax-regression-10').sample(createRandom(4));
    const problem = asProblem(objective);
    const parameters = problem.initial(5);
    const theta = objective.start(createRandom(5)).map(Math.fround);
    expect(parameters.flatMap((p) => [...p])).toEqual([...theta]);
    expect(problem.initial(5)).toEqual(parameters);
    expect(problem.initial(6)).not.toEqual(parameters);
    expect(problem.fullLoss(parameters)).toBe(objective.value(theta, null));
    const gradients = parameters.map((p) => new Float32Array(p.length));
    const batch = Int32Array.of(1, 5, 5, 900);
    const expected = new Float64Array(theta.length);
    expect(problem.lossAndGradient(parameters, batch, gradients)).toBe(objective.gradient(theta, expected, batch));
    expect(gradients.flatMap((g) => [...g])).toEqual([...expected.map(Math.fround)]);
  });

  it('repeats the noise of its gradients after a start from the same seed', () => {
    const problem = asProblem(gradientNoise(quadraticFamily(6).sample(createRandom(7)), 1));
    const run = (seed: number): Float32Array[] => {
      const parameters = problem.initial(seed);
      return [0, 1].map(() => {
        const gradients = [new Float32Array(6)];
        problem.lossAndGradient(parameters, new Int32Array(0), gradients);
        return gradients[0];
      });
    };
    const [first, second] = run(1);
    expect(first).not.toEqual(second);
    expect(run(1)).toEqual([first, second]);
    expect(run(2)).not.toEqual([first, second]);
  });

  const learned: MakeOptimizer = (parameters) => createOptimizer([...parameters]);
  it.each([
    ['quadratic-20-noise-0.5', 20],
    ['softmax-regression-10-noise-0.5', 2],
    ['sum-landscapes', 1.5],
    ['matrix-product-2x2-rank-7', 1.5],
    ['log-quadratic-20', 1.2],
    ['dependency-chain-12', 2],
    ['sigmoid-network-9-32-batch-128', 1.2],
  ])('%s is trained by the learned optimizer and by Adam, at least by a factor of %d', async (name, factor) => {
    for (const optimizer of [learned, adam({ learningRate: 0.03 })]) {
      const problem = asProblem(findFamily(name).sample(createRandom(8)));
      const { losses } = await train(problem, optimizer, { seed: 1, steps: 300, evaluateEvery: 300 });
      expect(finalLoss(losses)).toBeLessThan(losses[0].loss / factor);
    }
  });
});
