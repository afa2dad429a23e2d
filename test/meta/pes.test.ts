import { describe, expect, it } from 'vitest';
import { BpttFamily } from '../../lib/meta/bptt';
import type { BpttOptions } from '../../lib/meta/bptt';
import { EsFamily } from '../../lib/meta/es';
import type { MetaObjective } from '../../lib/meta/metaObjective';
import { NresFamily } from '../../lib/meta/nres';
import { PesFamily } from '../../lib/meta/pes';
import type { PesOptions } from '../../lib/meta/pes';
import { normalSystem, Quadratic, vector } from '../../lib/problems/families/quadratic';
import { NoiseTable } from '../../lib/problems/lanes/noise';
import { ObjectiveLanes } from '../../lib/problems/lanes/objectiveFamily';
import { createRandom } from '../../lib/random';
import { BPTT_OPTIONS, perturbedWeights, smallArchitecture as architecture } from './setup';

const TRUNCATIONS = 4;
const STEPS = 8;

/** One quadratic with one start and one initial rate: perturbations are all that differs between pairs. */
const { matrix, target } = normalSystem(3, createRandom(7));
const family = new ObjectiveLanes({
  name: 'one-bowl',
  parameters: vector(3),
  sample: () => Object.assign(new Quadratic(matrix, target), { start: () => Float64Array.of(1, -0.5, 2) }),
});
const common = {
  truncation: STEPS,
  augmentation: { rescale: 0, interpolation: 0, saturation: 0 },
  initialRates: { paperRange: [3e-2, 3e-2], constantProbability: 0, constantRange: [1, 1] },
  // No trajectory ends within the test, wherever it is staggered to.
  horizon: [1e6, 1e6],
} as const;
const evolution: PesOptions = { ...common, sigma: 1e-3, differenceBound: Infinity, normMultiple: Infinity };
const bptt: BpttOptions = { ...BPTT_OPTIONS, ...common, secondDerivatives: true, clipNorm: Infinity };
const flat = perturbedWeights(architecture, 1);

const distance = (a: Float64Array, b: Float64Array): number => Math.hypot(...a.map((x, i) => x - b[i]));

/** Mean over truncations of the given length of back-propagation's gradients, one trajectory of all steps. */
function backPropagated(truncation: number, objective: MetaObjective = 'log'): Float64Array {
  const estimator = new BpttFamily(architecture, family, 1, new NoiseTable(1, 1 << 10), 5, 'float64');
  const options: BpttOptions = { ...bptt, truncation, objective };
  estimator.begin(createRandom(1), options);
  const count = (STEPS * TRUNCATIONS) / truncation;
  const mean = new Float64Array(flat.length);
  for (let t = 0; t < count; t++) {
    const { gradient, restarts } = estimator.run(flat, createRandom(2, t), options);
    expect(restarts).toBe(0);
    gradient.forEach((g, i) => (mean[i] += g / count));
  }
  return mean;
}

/** Mean over the truncations, and over many pairs, of an evolution strategy's estimates, with its standard error. */
function evolved(Family: typeof PesFamily, repeats: number, objective?: MetaObjective) {
  const options: PesOptions = { ...evolution, objective };
  const estimates = Array.from({ length: repeats }, (_, repeat) => {
    // A table of its own: stretches of one table are not independent.
    const estimator = new Family(architecture, family, 32, new NoiseTable(repeat, 1 << 17), 5);
    estimator.begin(createRandom(1), options);
    const estimate = new Float64Array(flat.length);
    for (let t = 0; t < TRUNCATIONS; t++) {
      const { gradient, restarts } = estimator.run(flat, createRandom(3 + repeat, t), options);
      expect(restarts).toBe(0);
      gradient.forEach((g, i) => (estimate[i] += g / TRUNCATIONS));
    }
    return estimate;
  });
  const mean = flat.map((_, i) => estimates.reduce((sum, estimate) => sum + estimate[i] / repeats, 0));
  const variance = estimates.reduce((sum, estimate) => sum + distance(estimate, mean) ** 2, 0) / (repeats - 1);
  return { mean, error: Math.sqrt(variance / repeats) };
}

describe('over several truncations of a trajectory', () => {
  it.each([
    ['persistent', 'log', PesFamily],
    ['persistent', 'linear', PesFamily],
    ['noise-reuse', 'log', NresFamily],
  ] as const)('%s evolution strategies estimate the gradient of the whole trajectory, %s', (_, objective, Family) => {
    const exact = backPropagated(STEPS * TRUNCATIONS, objective);
    const norm = Math.hypot(...exact);
    const { mean, error } = evolved(Family, 40, objective);
    // The bounds below say something only where the standard error is small.
    expect(error / norm).toBeLessThan(0.08);
    // The square of the distance is that of the error on average, give or take a share of about √(2/43).
    expect(distance(mean, exact)).toBeLessThan(1.5 * error);
    const size = mean.reduce((sum, g, i) => sum + g * exact[i], 0) / norm ** 2;
    // Along the gradient itself the standard error is about √(2/43) of the whole.
    expect(Math.abs(size - 1)).toBeLessThan(3 * Math.sqrt(2 / flat.length) * (error / norm));
  });

  it('plain ones estimate the gradient of truncated back-propagation, which is another', () => {
    const exact = backPropagated(STEPS * TRUNCATIONS);
    const truncated = backPropagated(STEPS);
    const { mean, error } = evolved(EsFamily, 10);
    expect(distance(mean, truncated)).toBeLessThan(1.5 * error);
    expect(distance(mean, exact)).toBeGreaterThan(10 * error);
    expect(distance(mean, exact)).toBeGreaterThan(0.5 * Math.hypot(...exact));
  });
});
