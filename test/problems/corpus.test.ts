import { describe, expect, it } from 'vitest';
import { checkDerivatives, randomBatch } from '../../lib/problems/checkDerivatives';
import { findFamily, paperCorpus } from '../../lib/problems/corpus';
import type { Family } from '../../lib/problems/family';
import { dimensionOf, type Objective } from '../../lib/problems/objective';
import { sizeOf } from '../../lib/problems/problem';
import { createRandom } from '../../lib/random';

const corpus = paperCorpus({ networks: true });
const isLarge = (family: Family): boolean => Math.max(...family.parameters.map(sizeOf)) > 500;
const families = corpus.flatMap((group) => group.families.map((family) => ({ group: group.name, family })));

const isPerturbed = ({ name }: Family): boolean => /^sparse|-noise-/.test(name);

const instances = new Map<string, Objective>();
/** Instances are shared by the tests: some take a tenth of a second to draw. */
function instance(family: Family, seed: number): Objective {
  const key = `${family.name} ${seed}`;
  const objective = instances.get(key) ?? family.sample(createRandom(seed));
  if (!isLarge(family)) instances.set(key, objective);
  return objective;
}
const startOf = (objective: Objective, seed: number): Float64Array => objective.start(createRandom(seed, 5));

const WITH_DATA = ['regression', 'outward-snake', 'sum-of-quadratics', 'projection-quadratic', 'sigmoid-network'];

/** Where the third derivatives are huge, differences are short and agree to fewer digits. */
const STEPS: Readonly<Record<string, number>> = { 'dependency-chain': 1e-5, 'min-max-well': 1e-5 };

describe('the corpus', () => {
  it('has the members of the table, with networks only when asked for', () => {
    const count = (groups: ReturnType<typeof paperCorpus>): Record<string, number> =>
      Object.fromEntries(groups.map((group) => [group.name, group.families.length]));
    const withoutNetworks = {
      quadratic: 7,
      bowl: 8,
      regression: 16,
      landscape: 18,
      'matrix-product': 10,
      log: 6,
      sparse: 6,
      rescale: 9,
      norm: 6,
      sum: 8,
      'dependency-chain': 5,
      'outward-snake': 10,
      'min-max-well': 5,
      'sum-of-quadratics': 10,
      'projection-quadratic': 10,
    };
    expect(count(paperCorpus())).toEqual(withoutNetworks);
    expect(count(corpus)).toEqual({ ...withoutNetworks, 'sigmoid-network': 12 });
  });

  it('names every family once, and finds it by its name', () => {
    const names = families.map(({ family }) => family.name);
    expect(new Set(names).size).toBe(names.length);
    expect(findFamily('sparse-bowl-0.1').name).toBe('sparse-bowl-0.1');
    expect(() => findFamily('cubic')).toThrow(/name: expected that of a family of the paper's corpus, got "cubic"/);
  });

  it.each(families)('$family.name: gradient and Hessian–vector product are those of finite differences', (entry) => {
    const { family, group } = entry;
    const large = isLarge(family);
    for (const seed of large ? [1] : [1, 2, ...(dimensionOf(family) < 100 ? [3, 4] : [])]) {
      const objective = instance(family, seed);
      const options = { seed, directions: large ? 1 : 3, step: STEPS[group] };
      const { gradientError, productError, valueError } = checkDerivatives(objective, options);
      expect(gradientError, `gradient, seed ${seed}`).toBeLessThan(1e-6);
      expect(productError, `product, seed ${seed}`).toBeLessThan(1e-6);
      expect(valueError, `value, seed ${seed}`).toBeLessThan(1e-12);
    }
  });

  it.each(families.filter(({ group, family }) => WITH_DATA.includes(group) && !isPerturbed(family)))(
    '$family.name: derivatives on all samples are those of finite differences',
    ({ family }) => {
      const objective = instance(family, 1);
      expect(objective.sampleCount).toBeGreaterThan(0);
      const check = checkDerivatives(objective, { seed: 7, directions: 1, batch: null });
      expect(Math.max(check.gradientError, check.productError)).toBeLessThan(1e-6);
    },
  );

  it.each(families.filter(({ family }) => !isLarge(family)))(
    '$family.name: the same seed gives the same instance, another seed another one or another start; never negative',
    ({ family }) => {
      const probe = (
        seed: number,
        objective = instance(family, seed),
      ): { start: Float64Array; value: number; gradient: Float64Array } => {
        expect(objective.name).toBe(family.name);
        expect(objective.parameters).toEqual(family.parameters);
        const start = startOf(objective, seed);
        expect(start.length).toBe(dimensionOf(family));
        const gradient = new Float64Array(start.length);
        objective.gradient(start, gradient, randomBatch(objective, createRandom(seed, 6)));
        const value = objective.value(start, null);
        expect(Number.isFinite(value)).toBe(true);
        expect(value).toBeGreaterThanOrEqual(0);
        return { start, value, gradient };
      };
      const first = probe(1);
      expect(probe(1, family.sample(createRandom(1)))).toEqual(first);
      const second = probe(2);
      expect(second.start).not.toEqual(first.start);
      expect(second.value).not.toBe(first.value);
    },
  );

  it.each(families.filter(({ family }) => !isLarge(family) && !isPerturbed(family)))(
    '$family.name: small steps against the gradient lower the objective, which stays nonnegative',
    ({ family }) => {
      const objective = instance(family, 2);
      const theta = startOf(objective, 11);
      const gradient = new Float64Array(theta.length);
      const before = objective.value(theta, null);
      for (let step = 0; step < 10; step++) {
        objective.gradient(theta, gradient, null);
        const squares = gradient.reduce((sum, g) => sum + g * g, 0);
        if (squares === 0) break;
        // A thousandth of the way that would end at zero if the objective were linear.
        const rate = (1e-3 * objective.value(theta, null)) / squares;
        const scale = Math.sqrt(theta.reduce((sum, t) => sum + t * t, 0) / squares);
        for (let i = 0; i < theta.length; i++) theta[i] -= Math.min(rate, 1e-4 * scale) * gradient[i];
      }
      const after = objective.value(theta, null);
      expect(after).toBeGreaterThanOrEqual(0);
      expect(after).toBeLessThan(before);
    },
  );

  it('means the minibatches to be drawn from the samples: their mean gradient is that of all samples', () => {
    for (const { family } of families) {
      if (isLarge(family) || isPerturbed(family)) continue;
      const objective = instance(family, 1);
      if (objective.sampleCount === 0 || objective.sampleCount > 1000) continue;
      const theta = startOf(objective, 3);
      const full = new Float64Array(theta.length);
      const value = objective.gradient(theta, full, null);
      const mean = new Float64Array(theta.length);
      const one = new Float64Array(theta.length);
      const parts = 4;
      let sum = 0;
      for (let part = 0; part < parts; part++) {
        const size = objective.sampleCount / parts;
        sum += objective.gradient(
          theta,
          one,
          Int32Array.from({ length: size }, (_, i) => part * size + i),
        );
        one.forEach((g, i) => (mean[i] += g / parts));
      }
      expect(Math.abs(sum / parts - value), family.name).toBeLessThan(1e-9 * (1 + Math.abs(value)));
      const scale = Math.max(...full.map(Math.abs));
      mean.forEach((g, i) => expect(Math.abs(g - full[i]), family.name).toBeLessThan(1e-9 * scale + 1e-12));
    }
  });
});
