import { describe, expect, it } from 'vitest';
import { differenceProduct } from '../../lib/problems/lanes/differences';
import { coordinatesOf } from '../../lib/problems/lanes/family';
import type { LaneFamily } from '../../lib/problems/lanes/family';
import { Function2dFamily } from '../../lib/problems/lanes/functions2d';
import { RegressionFamily } from '../../lib/problems/lanes/regression';
import { ResidualFamily } from '../../lib/problems/lanes/residuals';
import { createRandom } from '../../lib/random';

const BLOCKS = 40;
const families: readonly LaneFamily[] = [
  new Function2dFamily('single-2d', 'single', 1),
  new Function2dFamily('sum-2d', 'sum', 1),
  new ResidualFamily('residuals', [4, 2], 1),
  new RegressionFamily('softmax', 'softmax', { inputs: 3, outputs: 3, samples: 12, batchSize: 4 }, 1),
];

/** Members in double precision, one per block, half of them saturated; points near their starts, and vectors. */
function setup(family: LaneFamily) {
  const random = createRandom(3);
  const members = family.create(BLOCKS, 1, 'float64');
  const n = coordinatesOf(family);
  const theta = new Float64Array(BLOCKS * n);
  for (let b = 0; b < BLOCKS; b++) {
    theta.set(members.sample(b, [0], random, { interpolation: 0.5, saturation: 0.5 }), b * n);
  }
  const draw = (): Float64Array => theta.map(() => random.normal());
  return { members, n, theta, draw };
}

const named = families.map((family) => [family.name, family] as const);
const offering = named.filter(([, family]) => family.create(1, 1).hessianVectorProduct);

describe.each(offering)('products with Hessians, members of %s', (_, family) => {
  it('equal differences of gradients', () => {
    const { members, n, theta, draw } = setup(family);
    const [vector, product, expected] = [draw(), theta.slice(), theta.slice()];
    const before = members.running().map((array) => array.slice());
    differenceProduct(members, BLOCKS, 1, theta, vector, expected, () => createRandom(5));
    members.running().forEach((array, i) => array.set(before[i]));
    members.hessianVectorProduct!(theta, vector, product, createRandom(5));
    for (let b = 0; b < BLOCKS; b++) {
      const part = (array: Float64Array): Float64Array => array.subarray(b * n, (b + 1) * n);
      const size = Math.hypot(...part(expected));
      part(product).forEach((p, i) => expect(Math.abs(p - part(expected)[i])).toBeLessThan(1e-5 * size + 1e-7));
    }
  });
});

describe.each(named)('members of %s in lanes', (_, family) => {
  it('have symmetric Hessians: u·Hv = v·Hu', () => {
    const { members, n, theta, draw } = setup(family);
    const before = members.running().map((array) => array.slice());
    const product = (vector: Float64Array): Float64Array => {
      const out = theta.slice();
      members.running().forEach((array, i) => array.set(before[i]));
      if (members.hessianVectorProduct) members.hessianVectorProduct(theta, vector, out, createRandom(5));
      else differenceProduct(members, BLOCKS, 1, theta, vector, out, () => createRandom(5));
      return out;
    };
    const [u, v] = [draw(), draw()];
    const [hu, hv] = [product(u), product(v)];
    for (let b = 0; b < BLOCKS; b++) {
      let [uhv, vhu, scale] = [0, 0, 0];
      for (let i = b * n; i < (b + 1) * n; i++) {
        uhv += u[i] * hv[i];
        vhu += v[i] * hu[i];
        scale += Math.abs(u[i] * hv[i]) + Math.abs(v[i] * hu[i]);
      }
      expect(Math.abs(uhv - vhu)).toBeLessThan(1e-6 * scale + 1e-9);
    }
  });

  it('give values and gradients on all data that equal finite differences of the values', () => {
    const { members, n, theta } = setup(family);
    const values = new Float64Array(BLOCKS);
    const gradient = theta.slice();
    if (members.evaluateAll) members.evaluateAll(theta, values, gradient);
    else members.evaluate(theta, values, gradient, createRandom(1));
    const valueAt = (point: Float64Array): Float64Array => {
      const out = new Float64Array(BLOCKS);
      members.evaluate(point, out, null, createRandom(1));
      return out;
    };
    expect(valueAt(theta)).toEqual(values);
    for (let i = 0; i < n; i++) {
      const steps = Array.from({ length: BLOCKS }, (__, b) => 1e-6 * (1 + Math.abs(theta[b * n + i])));
      const moved = (side: number): Float64Array =>
        valueAt(theta.map((t, k) => (k % n === i ? t + side * steps[Math.floor(k / n)] : t)));
      const [up, down] = [moved(1), moved(-1)];
      for (let b = 0; b < BLOCKS; b++) {
        const size = Math.hypot(...gradient.subarray(b * n, (b + 1) * n)) + Math.abs(values[b]);
        const difference = (up[b] - down[b]) / (2 * steps[b]);
        expect(Math.abs(gradient[b * n + i] - difference)).toBeLessThan(1e-5 * size);
      }
    }
  });
});
