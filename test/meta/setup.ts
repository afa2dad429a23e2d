import type { BpttOptions } from '../../lib/meta/bptt';
import { flatten } from '../../lib/meta/flat';
import { DEFAULT_ARCHITECTURE } from '../../lib/optimizer/architecture';
import type { Architecture } from '../../lib/optimizer/architecture';
import { initialWeights } from '../../lib/optimizer/initialWeights';
import type { LaneFamily } from '../../lib/problems/lanes/family';
import { ResidualFamily } from '../../lib/problems/lanes/residuals';
import { createRandom } from '../../lib/random';

/** Options of truncated back-propagation with everything switched on that the default meta-training uses. */
export const BPTT_OPTIONS: BpttOptions = {
  truncation: 10,
  augmentation: { rescale: 0.7, interpolation: 0.6, saturation: 0.3 },
  initialRates: { paperRange: [1e-6, 1e-2], constantProbability: 0.5, constantRange: [1e-6, 1e-1] },
  horizon: [20, 60],
  objective: 'log',
  secondDerivatives: false,
  clipNorm: 1,
  stopMultiplier: Infinity,
};

/** Meta-parameters in general position: nothing is zero or equal by construction. */
export function perturbedWeights(architecture: Architecture, seed: number): Float64Array {
  const random = createRandom(seed, 5);
  return flatten(initialWeights(architecture, seed)).map((w) => w + 0.1 * random.normal());
}

/** Few meta-parameters: the variance of the estimates grows with their number. */
export const smallArchitecture: Architecture = {
  ...DEFAULT_ARCHITECTURE,
  levels: 1,
  tensorHidden: 0,
  globalHidden: 0,
  parameterHidden: 2,
  timescales: 1,
  gradientProducts: false,
  relativeLogMagnitude: false,
};

/** Quadratics without noise. */
export const bowls: LaneFamily = Object.assign(new ResidualFamily('residuals', [3, 2], 1), {
  noiseProbability: 0,
  sparseProbability: 0,
});
