import { describe, expect, it } from 'vitest';
import { validateMetaTrainingConfig } from '../../lib/meta/config';
import type { MetaTrainingConfig } from '../../lib/meta/config';
import { flatten, maskOf } from '../../lib/meta/flat';
import { PesFamily } from '../../lib/meta/pes';
import { metaTrain } from '../../lib/meta/trainer';
import { metaParameterShapes } from '../../lib/optimizer/architecture';
import { initialWeights } from '../../lib/optimizer/initialWeights';
import { NoiseTable } from '../../lib/problems/lanes/noise';
import { createRandom } from '../../lib/random';
import { bowls, perturbedWeights, smallArchitecture } from './setup';
import { RUN } from './runSetup';

const HEAD = ['parameter.learningRate.readout', 'parameter.learningRate.bias'];

describe('frozen meta-parameters', () => {
  it('stay as they begin in every phase and with every meta-optimizer, and the others move', async () => {
    // Weight decay moves meta-parameters that have no gradient.
    const phases = RUN.config.phases.map((phase) => ({
      ...phase,
      metaOptimizer: { kind: 'adam', weightDecay: 0.5 } as const,
    }));
    const config: MetaTrainingConfig = { ...RUN.config, phases, frozen: [...HEAD, 'global.initialHidden'] };
    const before = flatten(initialWeights(config.architecture, config.seed));
    const after = await metaTrain({ config, threads: 2 });
    const held = maskOf(config.architecture, config.frozen)!;
    const [hidden, global] = [config.architecture.parameterHidden, config.architecture.globalHidden];
    expect(held.reduce((sum, one) => sum + one, 0)).toBe(hidden + 1 + global);
    let moved = 0;
    for (let i = 0; i < before.length; i++) {
      if (held[i] === 1) expect(after[i]).toBe(before[i]);
      else if (after[i] !== before[i]) moved++;
    }
    expect(moved / (before.length - hidden - 1 - global)).toBeGreaterThan(0.95);
  });

  it('are not perturbed: their part of an estimate by evolution strategies is exactly zero', () => {
    const names = metaParameterShapes(smallArchitecture).map(([name]) => name);
    const options = {
      truncation: 5,
      sigma: 0.01,
      differenceBound: 2,
      normMultiple: 3,
      augmentation: { rescale: 0, interpolation: 0, saturation: 0 },
      initialRates: { paperRange: [1e-2, 1e-1], constantProbability: 0, constantRange: [1, 1] },
      horizon: [100, 100],
    } as const;
    const gradientWith = (frozen: readonly string[] | undefined): Float64Array => {
      const table = new NoiseTable(1, 1 << 12);
      const family = new PesFamily(smallArchitecture, bowls, 1, table, 5, maskOf(smallArchitecture, frozen));
      family.begin(createRandom(1), options);
      const flat = perturbedWeights(smallArchitecture, 1);
      family.run(flat, createRandom(2), options);
      return family.run(flat, createRandom(3), options).gradient;
    };
    expect(gradientWith(names).every((value) => value === 0)).toBe(true);
    const mask = maskOf(smallArchitecture, HEAD)!;
    const zeros = Array.from(gradientWith(HEAD), (value) => Number(value === 0));
    expect(zeros).toEqual([...mask]);
    expect([...gradientWith(undefined)]).not.toContain(0);
  });

  it.each([
    [[], /frozen: expected a list of names of meta-parameters, got \[\]/],
    [[1], /frozen\[0\]: expected a text, got 1/],
    [['parameter.rate'], /frozen: expected names among parameter.initialHidden, .*, got parameter.rate/],
  ])('refuses %j', (frozen, message) => {
    expect(() => validateMetaTrainingConfig({ ...RUN.config, frozen: frozen as string[] })).toThrow(message);
  });
});
