import { describe, expect, it } from 'vitest';
import { NresFamily } from '../../lib/meta/nres';
import { PesFamily } from '../../lib/meta/pes';
import type { PesOptions } from '../../lib/meta/pes';
import { NoiseTable } from '../../lib/problems/lanes/noise';
import { createRandom } from '../../lib/random';
import { bowls, perturbedWeights, smallArchitecture as architecture } from './setup';

const options: PesOptions = {
  truncation: 8,
  augmentation: { rescale: 0, interpolation: 0, saturation: 0 },
  initialRates: { paperRange: [1e-3, 1e-1], constantProbability: 0, constantRange: [1e-2, 1e-2] },
  horizon: [1000, 1000],
  sigma: 1e-3,
  differenceBound: Infinity,
  normMultiple: Infinity,
};
const table = new NoiseTable(1, 1 << 18);
const flat = perturbedWeights(architecture, 1);

/** Mean estimate of truncation number `truncations` of the same trajectories, over many perturbations. */
function meanEstimate(Family: typeof PesFamily, truncations: number, repeats: number) {
  const mean = new Float64Array(flat.length);
  let squares = 0;
  for (let i = 0; i < repeats; i++) {
    const estimator = new Family(architecture, bowls, 32, table, 5);
    estimator.begin(createRandom(1), options);
    for (let t = 1; t < truncations; t++) estimator.run(flat, createRandom(2 + t, i), options);
    const { gradient } = estimator.run(flat, createRandom(2 + truncations, i), options);
    gradient.forEach((g, j) => (mean[j] += g / repeats));
    squares += gradient.reduce((sum, g) => sum + g * g, 0) / repeats;
  }
  const norm = Math.hypot(...mean);
  return { mean, norm, variance: squares - norm * norm };
}

describe('noise-reuse evolution strategies', () => {
  it('equal persistent ones in the first truncation of a trajectory, and not later', () => {
    const make = [NresFamily, PesFamily].map((Family) => new Family(architecture, bowls, 2, table, 5));
    for (const estimator of make) estimator.begin(createRandom(1), options);
    const [first, second] = [0, 1].map((t) => make.map((e) => e.run(flat, createRandom(2, t), options)));
    expect(first[0]).toEqual(first[1]);
    expect(second[0].gradient).not.toEqual(second[1].gradient);
  });

  it('draw no noise after the first truncation', () => {
    const estimator = new NresFamily(architecture, bowls, 2, table, 5);
    estimator.begin(createRandom(1), options);
    estimator.run(flat, createRandom(2), options);
    const state = estimator.exportState();
    const later = [3, 4].map((seed) => {
      estimator.importState(state, options);
      return estimator.run(flat, createRandom(seed), options).gradient;
    });
    expect(later[0]).toEqual(later[1]);
  });

  it('estimate in later truncations what persistent ones do, with less variance', () => {
    const [nres, pes] = [NresFamily, PesFamily].map((Family) => meanEstimate(Family, 4, 40));
    const cosine = nres.mean.reduce((sum, g, i) => sum + g * pes.mean[i], 0) / (nres.norm * pes.norm);
    expect(cosine).toBeGreaterThan(0.9);
    expect(Math.abs(nres.norm / pes.norm - 1)).toBeLessThan(0.25);
    expect(nres.variance).toBeLessThan(pes.variance);
  });
});
