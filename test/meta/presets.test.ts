import { describe, expect, it } from 'vitest';
import { withoutLaterDefaults } from '../../lib/optimizer/architecture';
import { loadWeights } from '../../lib/index';
import { totalIterations, validateMetaTrainingConfig } from '../../lib/meta/config';
import { expectedInnerSteps, META_TRAINING_PRESETS, scaleIterations, scaleToSeconds } from '../../lib/meta/presets';

describe('settings of meta-training', () => {
  it('default is what the default weights say they were made with, field by field', () => {
    const provenance = JSON.parse(loadWeights('hrnn-3').metadata.provenance) as { iteration: number; config: unknown };
    expect(provenance.config).toEqual(
      JSON.parse(JSON.stringify(META_TRAINING_PRESETS['default'], withoutLaterDefaults)),
    );
    // The best snapshot by validation, one every 500 iterations.
    expect(provenance.iteration % 500).toBe(0);
    expect(provenance.iteration).toBeLessThanOrEqual(totalIterations(META_TRAINING_PRESETS['default']));
  });

  it.each(Object.entries(META_TRAINING_PRESETS))('%s is valid, also after a round trip through JSON', (_, config) => {
    expect(validateMetaTrainingConfig(JSON.parse(JSON.stringify(config)) as typeof config)).toEqual(config);
  });

  it('can be cut to a number of problem steps', () => {
    const config = META_TRAINING_PRESETS['default'];
    // 3,000 iterations of 40 steps on 272 problems.
    expect(expectedInnerSteps(config)).toBe(3000 * 40 * 272);
    expect(expectedInnerSteps(scaleIterations(config, 0.5))).toBe(1500 * 40 * 272);
    expect(scaleIterations(config, 1e-9).phases.map(({ iterations }) => iterations)).toEqual([1, 1]);
  });

  it('can be cut to a time, with room for the validation of every snapshot', () => {
    const config = META_TRAINING_PRESETS['default'];
    const iterations = (budget: number, validation: number): number =>
      totalIterations(scaleToSeconds(config, budget, { training: 300, validation, snapshotEvery: 500 }));
    expect(iterations(150, 0)).toBe(1500);
    // 100 s of training, and two snapshots in 1,000 iterations.
    expect(iterations(200, 50)).toBe(1000);
    // The next snapshot would not fit, so the time that is left goes unused.
    expect(iterations(240, 50)).toBe(1000);
    expect(iterations(600, 50)).toBe(3000);
    expect(iterations(10, 50)).toBe(2);
  });
});
