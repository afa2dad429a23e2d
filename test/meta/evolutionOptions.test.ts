import { describe, expect, it } from 'vitest';
import { BpttFamily } from '../../lib/meta/bptt';
import type { BpttOptions } from '../../lib/meta/bptt';
import { EsFamily } from '../../lib/meta/es';
import { NresFamily } from '../../lib/meta/nres';
import { PesFamily } from '../../lib/meta/pes';
import type { PesOptions } from '../../lib/meta/pes';
import { NoiseTable } from '../../lib/problems/lanes/noise';
import { createRandom } from '../../lib/random';
import { BPTT_OPTIONS, bowls, perturbedWeights, smallArchitecture as architecture } from './setup';

const BLOCKS = 4;
const table = new NoiseTable(1, 1 << 14);
const flat = perturbedWeights(architecture, 1);
const common = {
  truncation: 8,
  augmentation: { rescale: 0.7, interpolation: 0, saturation: 0 },
  // High ones, so that many problems climb.
  initialRates: { paperRange: [1e-1, 10], constantProbability: 0, constantRange: [1, 1] },
  horizon: [1000, 1000],
} as const;
/** Perturbations too small to matter for the losses. */
const evolution: PesOptions = { ...common, sigma: 1e-6, differenceBound: 2, normMultiple: 3 };
const bptt: BpttOptions = { ...BPTT_OPTIONS, ...common };

describe.each([
  ['es', EsFamily],
  ['pes', PesFamily],
  ['nres', NresFamily],
])('evolution strategies, %s', (_, Family) => {
  const walk = (options: PesOptions, truncations: number) => {
    const estimator = new Family(architecture, bowls, BLOCKS, table, 5);
    estimator.begin(createRandom(1), options);
    const results = Array.from({ length: truncations }, (_, t) => estimator.run(flat, createRandom(2, t), options));
    return { estimator, results };
  };

  it('have the log objective and no early stop unless told otherwise', () => {
    const { results } = walk(evolution, 3);
    expect(walk({ ...evolution, objective: 'log', stopMultiplier: Infinity }, 3).results).toEqual(results);
    expect(walk({ ...evolution, objective: 'linear' }, 3).results).not.toEqual(results);
    expect(walk({ ...evolution, stopMultiplier: 1.5 }, 3).results).not.toEqual(results);
  });

  it.each([
    ['log', Infinity],
    ['linear', Infinity],
    ['log', 1.5],
    ['linear', 4],
  ] as const)('have the meta-loss of back-propagation on the same problems: %s, stop at %d', (objective, stop) => {
    const { results } = walk({ ...evolution, objective, stopMultiplier: stop }, 1);
    const exact = new BpttFamily(architecture, bowls, BLOCKS / 2, table, 5);
    const options: BpttOptions = { ...bptt, objective, stopMultiplier: stop };
    exact.begin(createRandom(1), options);
    const expected = exact.run(flat, createRandom(2), options);
    expect(Math.abs(results[0].loss / expected.loss - 1)).toBeLessThan(1e-4);
    expect(results[0].failures).toBe(expected.failures);
    if (stop < Infinity) expect(expected.failures).toBeGreaterThan(3);
  });

  it('end the trajectory of a pair one of whose sides stops', () => {
    const { results } = walk({ ...evolution, stopMultiplier: 1.5 }, 1);
    expect(results[0].failures).toBeGreaterThan(3);
    expect(results[0].restarts).toBeGreaterThanOrEqual(results[0].failures);
  });

  it('draw truncations and their number with heavy-tailed horizons', () => {
    const horizon = { truncations: 2, steps: 10, shortest: 5 };
    const options: PesOptions = { ...evolution, initialRates: BPTT_OPTIONS.initialRates, horizon };
    const { results } = walk(options, 60);
    const lengths = results.map(({ steps }) => steps / (16 * BLOCKS));
    expect(lengths.every((n) => Number.isInteger(n) && n >= 5)).toBe(true);
    expect(new Set(lengths).size).toBeGreaterThan(8);
    // round(Exp(m)) is 1/(2 sinh(1/2m)) on average.
    const mean = 1 + 1 / (2 * Math.sinh(1 / (2 * horizon.truncations)));
    const restarts = results.reduce((sum, { restarts }) => sum + restarts, 0);
    expect(Math.abs((8 * BLOCKS * results.length) / restarts / mean - 1)).toBeLessThan(0.1);
  });

  it('with heavy-tailed horizons continue from exported state with the same bits', () => {
    const options: PesOptions = { ...evolution, horizon: { truncations: 2, steps: 10, shortest: 5 } };
    const { estimator } = walk(options, 3);
    const other = new Family(architecture, bowls, BLOCKS, table, 5);
    other.importState(estimator.exportState(), options);
    for (const t of [3, 4, 5]) {
      expect(other.run(flat, createRandom(2, t), options)).toEqual(estimator.run(flat, createRandom(2, t), options));
    }
    expect(other.exportState()).toEqual(estimator.exportState());
  });
});
