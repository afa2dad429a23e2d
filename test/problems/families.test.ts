import { describe, expect, it } from 'vitest';
import { Bowl } from '../../lib/problems/families/bowl';
import { gaussianClusters } from '../../lib/problems/families/clusters';
import { DependencyChain } from '../../lib/problems/families/dependencyChain';
import { landscapeFamilies, landscapeFamily } from '../../lib/problems/families/landscapes';
import { MatrixProductAlgorithm } from '../../lib/problems/families/matrixProduct';
import { MinMaxWell } from '../../lib/problems/families/minMaxWell';
import { normFamily, ResidualNorm } from '../../lib/problems/families/norm';
import { OutwardSnake, outwardSnakeFamily } from '../../lib/problems/families/outwardSnake';
import { Quadratic, quadraticFamily } from '../../lib/problems/families/quadratic';
import { Regression } from '../../lib/problems/families/regression';
import { randomReluLabels } from '../../lib/problems/families/reluLabels';
import { SigmoidNetwork } from '../../lib/problems/families/sigmoidNetwork';
import {
  ProjectionQuadratic,
  SumOfQuadratics,
  symmetricQuadraticFamily,
} from '../../lib/problems/families/symmetricQuadratics';
import { createRandom } from '../../lib/random';

describe('two-dimensional test functions', () => {
  const S = -2.903534;
  it.each([
    ['ackley', [0, 0], 0],
    ['beale', [3, 0.5], 0],
    ['booth', [1, 3], 0],
    ['branin', [-Math.PI, 12.275], 0.397887],
    ['branin', [Math.PI, 2.275], 0.397887],
    ['branin', [3 * Math.PI, 2.475], 0.397887],
    ['matyas', [0, 0], 0],
    // The published −1.8013 is that of m = 10; this one, of m = 5, comes from a search over a grid of 1e-6.
    ['michalewicz', [2.185312, 1.570796], 0.193377],
    ['rosenbrock', [1, 1], 0],
    // Published as −39.16617 per dimension; raised by 80.
    ['styblinski-tang', [S, S], 80 - 2 * 39.16617],
  ] as const)('%s has its known minimum at %j', (name, point, minimum) => {
    const f = landscapeFamily(name).sample(createRandom(0));
    const theta = Float64Array.from(point);
    const gradient = new Float64Array(2);
    expect(f.value(theta, null)).toBeCloseTo(minimum, 4);
    f.gradient(theta, gradient, null);
    for (const g of gradient) expect(Math.abs(g)).toBeLessThan(2e-4);
    const curvature = [0, 1].map((i) => {
      const product = new Float64Array(2);
      f.hessianVectorProduct(theta, Float64Array.of(1 - i, i), product, null);
      return product;
    });
    expect(curvature[0][0]).toBeGreaterThan(0);
    expect(curvature[0][0] * curvature[1][1] - curvature[0][1] ** 2).toBeGreaterThan(0);
  });

  it('log-sum-exp is convex, with its minimum on the axis of symmetry', () => {
    const f = landscapeFamily('log-sum-exp').sample(createRandom(0));
    // Slope 2·e^x = e^−x at y = 0.
    const theta = Float64Array.of(-Math.log(2) / 2, 0);
    const gradient = new Float64Array(2);
    const value = f.gradient(theta, gradient, null);
    expect(value).toBeCloseTo(Math.log(2 * Math.exp(-0.1) * Math.SQRT2 + 1), 10);
    for (const g of gradient) expect(g).toBeCloseTo(0, 10);
  });

  it.each([
    ['ackley', [-32.768, -32.768], [32.768, 32.768]],
    ['beale', [-4.5, -4.5], [4.5, 4.5]],
    ['booth', [-10, -10], [10, 10]],
    ['branin', [-5, 0], [10, 15]],
    ['matyas', [-10, -10], [10, 10]],
    ['michalewicz', [0, 0], [Math.PI, Math.PI]],
    ['rosenbrock', [-5, -5], [10, 10]],
    ['styblinski-tang', [-5, -5], [5, 5]],
  ] as const)('%s starts uniformly between %j and %j', (name, low, high) => {
    const random = createRandom(1);
    const f = landscapeFamily(name).sample(random);
    const starts = Array.from({ length: 2000 }, () => f.start(random));
    for (const i of [0, 1]) {
      const values = starts.map((start) => (start[i] - low[i]) / (high[i] - low[i]));
      expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
      expect(Math.min(...values)).toBeLessThan(0.01);
      expect(Math.max(...values)).toBeLessThanOrEqual(1);
      expect(Math.max(...values)).toBeGreaterThan(0.99);
      expect(values.reduce((a, b) => a + b, 0) / values.length).toBeCloseTo(0.5, 1);
    }
  });

  it('are nine, none of them negative anywhere in its box', () => {
    const random = createRandom(2);
    const families = landscapeFamilies();
    expect(families).toHaveLength(9);
    for (const family of families) {
      const f = family.sample(random);
      for (let i = 0; i < 2000; i++) expect(f.value(f.start(random), null), family.name).toBeGreaterThanOrEqual(0);
    }
    expect(() => landscapeFamily('sphere')).toThrow(/name: expected one of ackley, .*, got "sphere"/);
  });
});

describe('quadratics, norms and bowls', () => {
  it('have the value of their definition', () => {
    const random = createRandom(3);
    const matrix = Float32Array.from({ length: 6 }, () => random.normal());
    const target = Float32Array.from({ length: 2 }, () => random.normal());
    const theta = Float64Array.of(0.3, -1, 2);
    const r = [0, 1].map((row) => theta.reduce((sum, x, c) => sum + matrix[row * 3 + c] * x, -target[row]));
    expect(new Quadratic(matrix, target).value(theta)).toBeCloseTo((r[0] ** 2 + r[1] ** 2) / 2, 12);
    for (const p of [1, 1.5, 3]) {
      const sum = r.reduce((total, x) => total + (Math.abs(x) + 1e-6) ** p, 0);
      expect(new ResidualNorm(matrix, target, p).value(theta)).toBeCloseTo(sum ** (1 / p), 12);
    }
    expect(() => new ResidualNorm(matrix, target, 0.5)).toThrow(/power: expected at least 1, got 0.5/);
  });

  it('have standard normal matrices, targets and starts', () => {
    const random = createRandom(4);
    const spread = (values: ArrayLike<number>): [mean: number, variance: number] => {
      const numbers = Array.from(values);
      const mean = numbers.reduce((a, b) => a + b, 0) / numbers.length;
      return [mean, numbers.reduce((a, b) => a + (b - mean) ** 2, 0) / numbers.length];
    };
    for (const family of [quadraticFamily(100), normFamily(100, 2)]) {
      const { matrix, target } = family.sample(random) as Quadratic;
      const starts = Array.from({ length: 50 }, () => [...family.sample(random).start(random)]).flat();
      for (const values of [matrix, starts]) {
        const [mean, variance] = spread(values);
        expect(Math.abs(mean)).toBeLessThan(0.06);
        expect(Math.abs(variance - 1)).toBeLessThan(0.08);
      }
      expect(Math.abs(spread(target)[1] - 1)).toBeLessThan(0.5);
    }
  });

  it('bowls have the condition asked for, at any angle', () => {
    for (const [condition, angle] of [
      [0.1, 0],
      [5, Math.PI / 4],
      [5, 1],
    ]) {
      const [xx, xy, yy] = new Bowl(condition, angle).hessian;
      expect(xx + yy).toBeCloseTo(condition + 1, 12);
      expect(xx * yy - xy * xy).toBeCloseTo(condition, 12);
    }
    expect(new Bowl(5).value(Float64Array.of(2, 3))).toBeCloseTo((5 * 4 + 9) / 2, 12);
    expect(() => new Bowl(0)).toThrow(/condition: expected a positive number, got 0/);
  });
});

describe('matrix-multiplication algorithms', () => {
  it("have their minimum at Strassen's algorithm for 2×2 with 7 products", () => {
    // Columns: coefficients of the seven products (Strassen 1969), rows: entries 11, 12, 21, 22.
    const a = [
      [1, 0, 1, 0, 1, -1, 0],
      [0, 0, 0, 0, 1, 0, 1],
      [0, 1, 0, 0, 0, 1, 0],
      [1, 1, 0, 1, 0, 0, -1],
    ].flat();
    const b = [
      [1, 1, 0, -1, 0, 1, 0],
      [0, 0, 1, 0, 0, 1, 0],
      [0, 0, 0, 1, 0, 0, 1],
      [1, 0, -1, 0, 1, 0, 1],
    ].flat();
    const algorithm = new MatrixProductAlgorithm(2, 7);
    const theta = Float64Array.from([...a, ...b]);
    const gradient = new Float64Array(theta.length);
    expect(algorithm.gradient(theta, gradient)).toBeLessThan(1e-8);
    for (const g of gradient) expect(Math.abs(g)).toBeLessThan(1e-7);
    theta[0] += 0.1;
    expect(algorithm.value(theta)).toBeGreaterThan(1e-3);
  });

  it('stay finite where all columns are the same', () => {
    const six = new MatrixProductAlgorithm(2, 6);
    const ones = new Float64Array(2 * 4 * 6).fill(1);
    const gradient = new Float64Array(ones.length);
    const value = six.gradient(ones, gradient);
    expect(value).toBeGreaterThan(0);
    expect(value).toBeLessThanOrEqual(8);
    expect(gradient.every(Number.isFinite)).toBe(true);
  });

  it('start with columns of norm 1, and refuse impossible sizes', () => {
    const algorithm = new MatrixProductAlgorithm(3, 19);
    const start = algorithm.start(createRandom(6));
    for (const from of [0, 9 * 19]) {
      for (let c = 0; c < 19; c++) {
        let squares = 0;
        for (let i = 0; i < 9; i++) squares += start[from + i * 19 + c] ** 2;
        expect(squares).toBeCloseTo(1, 12);
      }
    }
    expect(() => new MatrixProductAlgorithm(1, 1)).toThrow(/size: expected an integer of at least 2, got 1/);
    expect(() => new MatrixProductAlgorithm(2, 9)).toThrow(/multiplications: expected an integer from 4 to 8, got 9/);
  });
});

describe('problems of slow convergence', () => {
  it('have the value of their definition', () => {
    const theta = Float64Array.of(2, -0.5, 3);
    const chain = 0.25 / (4 + 1e-6) + 9 / (0.25 + 1e-6) + 4;
    expect(new DependencyChain(2).value(theta)).toBeCloseTo(chain, 10);
    expect(new MinMaxWell(3).value(theta)).toBeCloseTo(9 + 4 - 2, 10);
    expect(new MinMaxWell(2).value(Float64Array.of(1, -1))).toBeCloseTo(0, 10);
  });

  it('quadratics over ± pairs have their minimum, nearly zero, at the origin', () => {
    for (const kind of ['sum', 'projection'] as const) {
      const objective = symmetricQuadraticFamily(kind, 12, 100, 10).sample(createRandom(7));
      const origin = new Float64Array(12);
      expect(objective.value(origin, null)).toBeCloseTo(0, 9);
      expect(objective.value(origin.fill(0.1), null)).toBeGreaterThan(0.05);
    }
    expect(() => symmetricQuadraticFamily('sum', 3, 11, 2)).toThrow(/samples: expected an even number, got 11/);
  });

  it('an outward snake falls along its path to infinity', () => {
    const objective = outwardSnakeFamily(2, 200, 10).sample(createRandom(8));
    const on = (x: number): number => objective.value(Float64Array.of(x, Math.PI * Math.cos(x)), null);
    expect(on(30)).toBeLessThan(on(10));
    expect(on(10)).toBeLessThan(on(1));
    expect(on(1e6)).toBeLessThan(1e-5);
  });
});

describe('data sets', () => {
  it('Gaussian clusters are balanced, differ by their centres, and are linearly separable the better the farther', () => {
    const accuracy = (separation: number): number => {
      const options = { features: 10, samples: 1000, classes: 2, separation };
      const samples = gaussianClusters(options, createRandom(9));
      const ones = samples.labels.reduce((sum, label) => sum + label, 0);
      expect(Math.abs(ones - 500)).toBeLessThan(30);
      const regression = new Regression('logistic', { samples, classes: 2 }, 100);
      const theta = new Float64Array(11);
      const gradient = new Float64Array(11);
      for (let step = 0; step < 300; step++) {
        regression.gradient(theta, gradient, null);
        for (let i = 0; i < 11; i++) theta[i] -= 0.05 * gradient[i];
      }
      let correct = 0;
      for (let s = 0; s < 1000; s++) {
        let z = theta[10];
        for (let k = 0; k < 10; k++) z += theta[k] * samples.features[s * 10 + k];
        if (z > 0 === (samples.labels[s] === 1)) correct++;
      }
      return correct / 1000;
    };
    expect(accuracy(10)).toBeGreaterThan(accuracy(1));
    expect(accuracy(10)).toBeGreaterThan(0.75);
    const options = { features: 1, samples: 10, classes: 2, separation: 1 };
    expect(() => gaussianClusters(options, createRandom(0))).toThrow(/features: expected at least 2 for 4 clusters/);
  });

  it('labels of a random ReLU network have both classes', () => {
    for (let seed = 0; seed < 10; seed++) {
      const { labels, features } = randomReluLabels(5, 400, createRandom(seed));
      const ones = labels.reduce((sum, label) => sum + label, 0);
      expect(ones).toBeGreaterThanOrEqual(20);
      expect(ones).toBeLessThanOrEqual(380);
      expect(features).toHaveLength(2000);
    }
  });

  it('regressions refuse labels and links that do not fit', () => {
    const samples = { features: new Float32Array(4), featureCount: 2, labels: Uint8Array.of(0, 2) };
    expect(() => new Regression('softmax', { samples, classes: 2 }, 1)).toThrow(
      /samples\.labels\[1\]: expected less than 2, got 2/,
    );
    expect(() => new Regression('logistic', { samples, classes: 3 }, 1)).toThrow(/classes: expected 2/);
  });
});

describe('impossible problems', () => {
  const samples = { features: new Float32Array(6), featureCount: 2, labels: Uint8Array.of(0, 1, 0) };
  it.each<[RegExp, () => unknown]>([
    [/matrix: expected a multiple of 2 values, got 5/, () => new Quadratic(new Float32Array(5), new Float32Array(2))],
    [
      /matrix: expected a multiple of 2 values, got 3/,
      () => new ResidualNorm(new Float32Array(3), new Float32Array(2), 2),
    ],
    [/size: expected a positive integer, got 2.5/, () => quadraticFamily(2.5)],
    [/size: expected a positive integer, got 0/, () => normFamily(0, 2)],
    [/links: expected a positive integer, got -1/, () => new DependencyChain(-1)],
    [/size: expected a positive integer, got NaN/, () => new MinMaxWell(NaN)],
    [/samples: expected a multiple of 3 values, got 4/, () => new OutwardSnake(3, new Float32Array(4), 1)],
    [/batchSize: expected an integer from 1 to 2, got 3/, () => new SumOfQuadratics(2, new Float32Array(4), 3)],
    [/batchSize: expected an integer from 1 to 2, got 0/, () => new ProjectionQuadratic(2, new Float32Array(4), 0)],
    [/batchSize: expected an integer from 1 to 3, got 4/, () => new Regression('softmax', { samples, classes: 2 }, 4)],
    [/hidden\[1\]: expected a positive integer, got 0/, () => new SigmoidNetwork(samples, [2, 0], 1)],
    [
      /samples\.features: expected 3 × 3 values, got 6/,
      () => new SigmoidNetwork({ ...samples, featureCount: 3 }, [2], 1),
    ],
    [
      /samples: expected a positive integer, got -5/,
      () => gaussianClusters({ features: 3, samples: -5, classes: 2, separation: 1 }, createRandom(0)),
    ],
  ])('are refused: %s', (message, make) => {
    expect(make).toThrow(RangeError);
    expect(make).toThrow(message);
  });
});
