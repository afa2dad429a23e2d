import { describe, expect, it } from 'vitest';
import { BpttFamily } from '../../lib/meta/bptt';
import type { BpttOptions } from '../../lib/meta/bptt';
import { EsFamily } from '../../lib/meta/es';
import { PesFamily } from '../../lib/meta/pes';
import type { PesOptions } from '../../lib/meta/pes';
import { metaParameterShapes } from '../../lib/optimizer/architecture';
import type { Architecture } from '../../lib/optimizer/architecture';
import { NoiseTable } from '../../lib/problems/lanes/noise';
import { createRandom } from '../../lib/random';
import { BPTT_OPTIONS, bowls, perturbedWeights, smallArchitecture as architecture } from './setup';

/** Lookahead far against the direction of the step, so that gradients at φ differ from those at θ. */
function lookingBack(flat: Float64Array, architecture: Architecture): Float64Array {
  let at = 0;
  return metaParameterShapes(architecture).reduce((changed, [name, shape]) => {
    const end = at + shape.reduce((a, b) => a * b, 1);
    const factor = name.startsWith('parameter.attention.') ? -1 : 1;
    for (; at < end; at++) changed[at] *= factor;
    return changed;
  }, flat.slice());
}

const table = new NoiseTable(1, 1 << 18);

const common = {
  truncation: 8,
  augmentation: { rescale: 0, interpolation: 0, saturation: 0 },
  initialRates: { paperRange: [1e-3, 1e-1], constantProbability: 0, constantRange: [1e-2, 1e-2] },
  horizon: [1000, 1000],
} as const;
const es: PesOptions = { ...common, sigma: 1e-3, differenceBound: Infinity, normMultiple: Infinity };
const bptt: BpttOptions = { ...BPTT_OPTIONS, ...common, secondDerivatives: true, clipNorm: Infinity };

const BLOCKS = 32;

describe('plain evolution strategies', () => {
  it('equal persistent ones in the first truncation of a trajectory, and not later', () => {
    const make = [EsFamily, PesFamily].map((Family) => new Family(architecture, bowls, 2, table, 5));
    const flat = perturbedWeights(architecture, 1);
    for (const estimator of make) estimator.begin(createRandom(1), es);
    const [first, second] = [0, 1].map((t) => make.map((estimator) => estimator.run(flat, createRandom(2, t), es)));
    expect(first[0]).toEqual(first[1]);
    expect(second[0].gradient).not.toEqual(second[1].gradient);
  });

  it.each([
    ['', architecture],
    [', with lookahead', { ...architecture, attention: true }],
  ])('estimate the gradient of truncated back-propagation, second derivatives, carried state%s', (_, architecture) => {
    const flat = lookingBack(perturbedWeights(architecture, 1), architecture);
    const estimator = new EsFamily(architecture, bowls, BLOCKS, table, 5);
    const exact = new BpttFamily(architecture, bowls, BLOCKS / 2, table, 5);
    expect(exact.problems).toBe(estimator.pairs);
    estimator.begin(createRandom(1), es);
    exact.begin(createRandom(1), bptt);
    estimator.run(flat, createRandom(2), { ...es, sigma: 1e-6 });
    exact.run(flat, createRandom(2), bptt);
    const expected = exact.run(flat, createRandom(3), bptt);
    const state = estimator.exportState();
    const REPEATS = 40;
    const mean = new Float64Array(flat.length);
    for (let i = 0; i < REPEATS; i++) {
      estimator.importState(state, es);
      const { gradient, loss } = estimator.run(flat, createRandom(4, i), es);
      expect(Math.abs(loss - expected.loss)).toBeLessThan(1e-3);
      gradient.forEach((g, j) => (mean[j] += g / REPEATS));
    }
    const norm = Math.hypot(...expected.gradient);
    const cosine = mean.reduce((sum, g, i) => sum + g * expected.gradient[i], 0) / (norm * Math.hypot(...mean));
    expect(cosine).toBeGreaterThan(0.95);
    expect(Math.abs(Math.hypot(...mean) / norm - 1)).toBeLessThan(0.15);
  });
});
