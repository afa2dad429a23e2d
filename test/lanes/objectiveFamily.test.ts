import { describe, expect, it } from 'vitest';
import { DEFAULT_ARCHITECTURE } from '../../lib/index';
import { flatten } from '../../lib/meta/flat';
import { PesFamily, type PesOptions } from '../../lib/meta/pes';
import { initialWeights } from '../../lib/optimizer/initialWeights';
import { findFamily, paperCorpus } from '../../lib/problems/corpus';
import type { Family } from '../../lib/problems/family';
import type { LaneMembers } from '../../lib/problems/lanes/family';
import { NoiseTable } from '../../lib/problems/lanes/noise';
import { ObjectiveLanes } from '../../lib/problems/lanes/objectiveFamily';
import { defineObjective, type Objective } from '../../lib/problems/objective';
import { gradientNoise } from '../../lib/problems/transforms/noise';
import { createRandom } from '../../lib/random';

const [BLOCKS, WIDTH] = [2, 4];
const PLAIN = { interpolation: 0, saturation: 0 };

/** Four pairs with their own instances, in lanes. */
function lanesOf(family: Family, seed = 1): { members: LaneMembers; theta: Float64Array; n: number } {
  const lanes = new ObjectiveLanes(family);
  const n = lanes.lengths.reduce((a, b) => a + b);
  const members = lanes.create(BLOCKS, WIDTH);
  const theta = new Float64Array(BLOCKS * n * WIDTH);
  const random = createRandom(seed);
  for (let pair = 0; pair < 4; pair++) {
    const [block, lane] = [pair >> 1, 2 * (pair & 1)];
    const start = members.sample(block, [lane, lane + 1], random, PLAIN);
    start.forEach((value, i) => {
      theta[(block * n + i) * WIDTH + lane] = value;
      theta[(block * n + i) * WIDTH + lane + 1] = value + 0.1;
    });
  }
  return { members, theta, n };
}

const column = (array: Float64Array, n: number, at: number): Float64Array =>
  Float64Array.from({ length: n }, (_, i) => array[(Math.floor(at / WIDTH) * n + i) * WIDTH + (at % WIDTH)]);
const unused = createRandom(0);

describe('a family of objectives in lanes', () => {
  it.each(['quadratic-25', 'sum-landscapes', 'outward-snake-12-of-200-batch-10', 'log-bowl-5', 'norm-25-p-2'])(
    '%s: values, gradients and products are those of the instances',
    (name) => {
      const family = findFamily(name);
      const { members, theta, n } = lanesOf(family);
      const value = new Float64Array(BLOCKS * WIDTH);
      const full = theta.slice();
      members.evaluate(theta, value, null, unused);
      const again = value.slice();
      members.evaluateAll!(theta, again, full);
      expect(again).toEqual(value);
      // The same random numbers give the same instances again.
      const random = createRandom(1);
      for (let pair = 0; pair < 4; pair++) {
        let objective: Objective | undefined;
        const recording: Family = { ...family, sample: (r) => (objective = family.sample(r)) };
        new ObjectiveLanes(recording).create(1, 2).sample(0, [0, 1], random, PLAIN);
        for (const at of [2 * pair, 2 * pair + 1]) {
          const own = column(theta, n, at);
          const expected = new Float64Array(n);
          expect(value[at]).toBe(objective!.value(own, null));
          objective!.gradient(own, expected, null);
          expect(column(full, n, at)).toEqual(expected);
          if (objective!.sampleCount > 0) continue;
          const [gradient, product] = [theta.slice(), theta.slice()];
          members.evaluate(theta, null, gradient, unused);
          expect(column(gradient, n, at)).toEqual(expected);
          members.hessianVectorProduct!(theta, full, product, unused);
          objective!.hessianVectorProduct(own, column(full, n, at), expected, null);
          expect(column(product, n, at)).toEqual(expected);
        }
      }
    },
  );

  it('lanes of a pair share minibatches and noise, other lanes have their own', () => {
    const { members, theta, n } = lanesOf(findFamily('logistic-regression-10-noise-0.5'), 3);
    // The same point in all lanes.
    for (let k = 0; k < theta.length; k++) theta[k] = 0;
    const gradient = theta.slice();
    for (let step = 0; step < 12; step++) {
      members.evaluate(theta, null, gradient, unused);
      for (let at = 0; at < 8; at += 2) {
        expect(column(gradient, n, at)).toEqual(column(gradient, n, at + 1));
        expect(column(gradient, n, at)).not.toEqual(column(gradient, n, (at + 2) % 8));
      }
    }
  });

  it('minibatches change from step to step, and are on average the gradient of all samples', () => {
    const { members, theta, n } = lanesOf(findFamily('projection-quadratic-12-of-100-batch-10'), 4);
    const [gradient, full, mean] = [theta.slice(), theta.slice(), new Float64Array(theta.length)];
    members.evaluateAll!(theta, new Float64Array(8), full);
    const steps = 2000;
    let before = gradient.slice();
    for (let step = 0; step < steps; step++) {
      members.evaluate(theta, null, gradient, unused);
      expect(column(gradient, n, 0)).not.toEqual(column(before, n, 0));
      before = gradient.slice();
      gradient.forEach((g, k) => (mean[k] += g / steps));
    }
    const scale = Math.max(...full.map(Math.abs));
    mean.forEach((g, k) => expect(Math.abs(g - full[k])).toBeLessThan(0.03 * scale));
  });

  it('some members go through their data in epochs', () => {
    // The gradient counts how often each sample is seen.
    const samples = 20;
    const counting = defineObjective({
      name: 'counting',
      parameters: [{ name: 'x', shape: [samples] }],
      sampleCount: samples,
      batchSize: 4,
      value: () => 1,
      gradient(_theta, out, batch) {
        out.fill(0);
        for (const sample of batch ?? []) out[sample]++;
        return 1;
      },
    });
    const family: Family = { name: 'counting', parameters: counting.parameters, sample: () => counting };
    const { members, theta, n } = lanesOf(family, 5);
    const [gradient, seen] = [theta.slice(), new Float64Array(theta.length)];
    for (let step = 0; step < 5; step++) {
      members.evaluate(theta, null, gradient, unused);
      gradient.forEach((g, k) => (seen[k] += g));
    }
    const once = [0, 2, 4, 6].map((at) => column(seen, n, at).every((count) => count === 1));
    expect(once).toContain(true);
    expect(once).toContain(false);
  });

  it('continues from its running state as if it had not been interrupted', () => {
    const family = findFamily('softmax-regression-10-noise-0.5');
    const [whole, resumed] = [lanesOf(family, 6), lanesOf(family, 6)];
    const [a, b] = [whole.theta.slice(), whole.theta.slice()];
    for (let step = 0; step < 15; step++) whole.members.evaluate(whole.theta, null, a, unused);
    const running = whole.members.running().map((array) => array.slice());
    resumed.members.running().forEach((array, i) => array.set(running[i]));
    for (let step = 0; step < 5; step++) {
      whole.members.evaluate(whole.theta, null, a, unused);
      resumed.members.evaluate(whole.theta, null, b, unused);
      expect(b).toEqual(a);
    }
  });

  it('products are those of the gradient that the same step gave, without the dropped entries', () => {
    const family = findFamily('sparse-quadratic-20');
    const { members, theta, n } = lanesOf(family, 7);
    const lanes = members.running();
    const before = lanes.map((array) => array.slice());
    const gradientAt = (point: Float64Array): Float64Array => {
      lanes.forEach((array, i) => array.set(before[i]));
      const out = theta.slice();
      members.evaluate(point, null, out, unused);
      return out;
    };
    const random = createRandom(8);
    const [u, v, product] = [theta.map(() => random.normal()), theta.map(() => random.normal()), theta.slice()];
    const h = 1e-5;
    const [above, below] = [h, -h].map((t) => gradientAt(theta.map((value, k) => value + t * u[k])));
    lanes.forEach((array, i) => array.set(before[i]));
    members.hessianVectorProduct!(theta, v, product, unused);
    for (let at = 0; at < 8; at++) {
      // vᵀJu, once by differences and once by the product.
      const [vs, us] = [column(v, n, at), column(u, n, at)];
      const change = column(above, n, at).map((g, i) => (g - column(below, n, at)[i]) / (2 * h));
      const direct = change.reduce((sum, c, i) => sum + c * vs[i], 0);
      const other = column(product, n, at).reduce((sum, p, i) => sum + p * us[i], 0);
      expect(Math.abs(direct - other)).toBeLessThan(1e-6 * (1 + Math.abs(other)));
    }
  });

  it('saturates as often as it is told', () => {
    const lanes = new ObjectiveLanes(findFamily('quadratic-25')).create(1, 1);
    const far = new Float64Array(25).fill(1e6);
    const value = new Float64Array(1);
    lanes.sample(0, [0], createRandom(1), { interpolation: 0, saturation: 1 });
    lanes.evaluate(far, value, null, unused);
    expect(value[0]).toBeLessThan(1e6);
    lanes.sample(0, [0], createRandom(1), PLAIN);
    lanes.evaluate(far, value, null, unused);
    expect(value[0]).toBeGreaterThan(1e12);
  });

  it('refuses an instance whose tensors are not those of the family', () => {
    const family: Family = { ...findFamily('quadratic-25'), sample: (r) => findFamily('norm-22-p-3').sample(r) };
    expect(() => lanesOf(family)).toThrow(
      /family "quadratic-25": expected instances with tensors of 25 values, got 22/,
    );
  });
});

describe('PES', () => {
  const options: PesOptions = {
    truncation: 5,
    sigma: 0.01,
    differenceBound: 2,
    normMultiple: 3,
    augmentation: { rescale: 0.5, interpolation: 0.5, saturation: 0.3 },
    initialRates: { paperRange: [1e-6, 1e-2], constantProbability: 0.5, constantRange: [1e-6, 1e-1] },
    horizon: [5, 50],
  };
  const flat = flatten(initialWeights(DEFAULT_ARCHITECTURE, 1));
  const table = new NoiseTable(1, 1 << 17);

  /** The first family of each group, those with networks included; and the user's own. */
  const firsts = paperCorpus({ networks: true }).map((group) => group.families[0]);
  const own: Family = {
    name: 'own',
    parameters: [{ name: 'x', shape: [6] }],
    sample(random) {
      const centre = Array.from({ length: 6 }, () => random.normal());
      const objective = defineObjective({
        name: 'own',
        parameters: own.parameters,
        value: (theta) => theta.reduce((sum, x, i) => sum + (x - centre[i]) ** 4, 0),
        gradient(theta, out) {
          theta.forEach((x, i) => (out[i] = 4 * (x - centre[i]) ** 3));
          return objective.value(theta, null);
        },
      });
      return gradientNoise(objective, 0.1);
    },
  };

  it.each([...firsts, own].map((family) => [family.name, family] as const))('meta-trains on %s', (_, family) => {
    const pes = new PesFamily(DEFAULT_ARCHITECTURE, new ObjectiveLanes(family), 1, table, 1);
    const random = createRandom(2);
    pes.begin(random, options);
    const results = [0, 1].map(() => pes.run(flat, random, options));
    for (const result of results) {
      expect(Number.isFinite(result.loss)).toBe(true);
      expect(result.gradient.every(Number.isFinite)).toBe(true);
      expect(result.gradient.some((g) => g !== 0)).toBe(true);
    }
  });
});
