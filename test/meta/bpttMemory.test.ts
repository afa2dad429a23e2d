import { expect, it } from 'vitest';
import { BpttFamily } from '../../lib/meta/bptt';
import type { BpttOptions } from '../../lib/meta/bptt';
import { DEFAULT_ARCHITECTURE } from '../../lib/optimizer/architecture';
import { NoiseTable } from '../../lib/problems/lanes/noise';
import { ResidualFamily } from '../../lib/problems/lanes/residuals';
import { createRandom } from '../../lib/random';
import { BPTT_OPTIONS, perturbedWeights } from './setup';

// In a file, and so a process, of its own: garbage of other tests would be counted.
it('back-propagation through a long truncation holds about 2√steps states, not one per step', () => {
  const steps = 800;
  const options: BpttOptions = { ...BPTT_OPTIONS, truncation: steps, horizon: [1000, 1000] };
  const family = new ResidualFamily('residuals', [100], 1);
  const estimator = new BpttFamily(DEFAULT_ARCHITECTURE, family, 1, new NoiseTable(1, 1 << 15), 3);
  estimator.begin(createRandom(1), options);
  const stateBytes = estimator.exportState()['state'].byteLength;
  const before = process.memoryUsage().arrayBuffers;
  const { gradient } = estimator.run(perturbedWeights(DEFAULT_ARCHITECTURE, 1), createRandom(2), options);
  const held = process.memoryUsage().arrayBuffers - before;
  expect(gradient.some((g) => g !== 0)).toBe(true);
  expect(held).toBeGreaterThan(Math.sqrt(steps) * stateBytes);
  expect(held).toBeLessThan(4 * Math.sqrt(steps) * stateBytes);
});
