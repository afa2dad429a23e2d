import { describe, expect, it } from 'vitest';
import { decodeCheckpoint, encodeCheckpoint } from '../../lib/meta/checkpoint';
import type { Checkpoint } from '../../lib/meta/checkpoint';
import { validateMetaTrainingConfig } from '../../lib/meta/config';
import { corpusEntries } from '../../lib/meta/corpus';
import { flatten } from '../../lib/meta/flat';
import { Shard } from '../../lib/meta/shard';
import { metaTrain } from '../../lib/meta/trainer';
import { initialWeights } from '../../lib/optimizer/initialWeights';
import { RUN } from './runSetup';

const [, evolution] = RUN.config.phases;
const { architecture, seed } = RUN.config;
const twice = { ...RUN.config, phases: [{ ...evolution, iterations: 4 }], copies: 2 };
const families = corpusEntries({ corpus: 'default' }).length;

describe('copies of the families', () => {
  it('are the family itself first, then others with problems and perturbations of their own', () => {
    const options = { architecture, seed, phase: 0, kind: 'pes', corpus: 'default', families: [] } as const;
    const flat = flatten(initialWeights(architecture, seed));
    const [once, copied] = [new Shard(options), new Shard({ ...options, copies: 2 })];
    const gradientOf = (shard: Shard, index: number): Float64Array =>
      shard.runFamily(index, flat, 0, evolution.estimator).gradient;
    for (const index of [1, 6]) {
      const gradient = gradientOf(once, index);
      expect(gradientOf(copied, index)).toEqual(gradient);
      expect(gradientOf(copied, families + index)).not.toEqual(gradient);
    }
  });

  it('give the same result with any number of threads and after a resumption, with one meta-loss per family', async () => {
    let middle: Checkpoint | undefined;
    const names = new Set<string>();
    const whole = await metaTrain({
      config: twice,
      threads: 3,
      onProgress: async ({ iteration, losses, checkpoint }) => {
        Object.keys(losses).forEach((name) => names.add(name));
        if (iteration === 2) middle = decodeCheckpoint(encodeCheckpoint(await checkpoint()));
      },
    });
    expect(names.size).toBe(families);
    expect(middle!.families).toHaveLength(2 * families);
    expect(await metaTrain({ config: twice, resume: middle, threads: 1 })).toEqual(whole);
    expect(await metaTrain({ config: { ...twice, copies: 1 }, threads: 1 })).not.toEqual(whole);
  }, 120_000);

  it('are counted from 1', () => {
    expect(() => validateMetaTrainingConfig({ ...twice, copies: 0 })).toThrow(
      'copies: expected a whole number from 1, got 0',
    );
  });
});
