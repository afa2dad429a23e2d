import { describe, expect, it } from 'vitest';
import { BpttFamily } from '../../lib/meta/bptt';
import type { BpttOptions } from '../../lib/meta/bptt';
import { DEFAULT_ARCHITECTURE } from '../../lib/optimizer/architecture';
import type { Architecture } from '../../lib/optimizer/architecture';
import { mapFamily } from '../../lib/problems/family';
import { quadraticFamily } from '../../lib/problems/families/quadratic';
import { regressionFamily } from '../../lib/problems/families/regression';
import type { LaneFamily } from '../../lib/problems/lanes/family';
import { Function2dFamily } from '../../lib/problems/lanes/functions2d';
import { NoiseTable } from '../../lib/problems/lanes/noise';
import { ObjectiveLanes } from '../../lib/problems/lanes/objectiveFamily';
import { RegressionFamily } from '../../lib/problems/lanes/regression';
import { ResidualFamily } from '../../lib/problems/lanes/residuals';
import { sparseGradients } from '../../lib/problems/transforms/sparse';
import { createRandom } from '../../lib/random';
import { BPTT_OPTIONS, perturbedWeights } from './setup';

const table = new NoiseTable(1, 1 << 14);
const families: readonly LaneFamily[] = [
  new ResidualFamily('residuals', [3, 2], 1),
  new RegressionFamily('softmax', 'softmax', { inputs: 3, outputs: 3, samples: 20, batchSize: 4 }, 1),
  new RegressionFamily('linear', 'linear', { inputs: 3, outputs: 2, samples: 20, batchSize: 4 }, 1),
  new Function2dFamily('sum-2d', 'sum', 1),
  new ObjectiveLanes(
    mapFamily('sparse', quadraticFamily(4), (objective) => sparseGradients(objective, 0.5)),
    {
      noiseProbability: 0.5,
      sparseProbability: 0.5,
    },
  ),
  new ObjectiveLanes(
    regressionFamily({ link: 'softmax', features: 4, separation: 1.5, samples: 20, batchSize: 4, classes: 2 }),
  ),
];

/** An architecture drawn at random: every level, number of timescales and optional input comes up. */
function drawArchitecture(seed: number): Architecture {
  const random = createRandom(seed, 11);
  const flag = (): boolean => random.uniform() < 0.5;
  const levels = (1 + (seed % 3)) as 1 | 2 | 3;
  return {
    ...DEFAULT_ARCHITECTURE,
    levels,
    parameterHidden: 1 + random.integer(8),
    tensorHidden: levels > 1 ? 1 + random.integer(6) : 0,
    globalHidden: levels > 2 ? 1 + random.integer(6) : 0,
    timescales: 1 + random.integer(5),
    gradientProducts: flag(),
    relativeLogMagnitude: flag(),
    relativeLearningRate: flag(),
    extremeRateIndicator: flag(),
    absoluteLearningRate: flag(),
    gradientShortcut: flag(),
    attention: flag(),
    scaleDecayPerTimescale: flag(),
    activations: flag() ? 'transcendental' : 'algebraic',
    learningRateMean: flag() ? 'problem' : 'tensor',
    gradientScale: flag() ? 1 : 64,
    inputScaling: flag(),
  };
}

/** Gradient of the second truncation beside central differences of its loss, both along random directions. */
function alongDirections(architecture: Architecture, family: LaneFamily, options: BpttOptions, truncations: number) {
  const flat = perturbedWeights(architecture, 3);
  const estimator = new BpttFamily(architecture, family, 3, table, 7, 'float64');
  estimator.begin(createRandom(1), options);
  for (let i = 0; i < truncations; i++) estimator.run(flat, createRandom(2, i), options);
  const before = estimator.exportState();
  const run = (weights: Float64Array) => {
    estimator.importState(before, options);
    return estimator.run(weights, createRandom(3), options);
  };
  const { gradient } = run(flat);
  const random = createRandom(4);
  return Array.from({ length: 4 }, () => {
    const direction = flat.map(() => random.normal() / Math.sqrt(flat.length));
    const h = 2e-5;
    const lossAt = (side: number): number => run(flat.map((w, i) => w + side * h * direction[i])).loss;
    // Four points: an error of h⁴.
    const difference = (8 * (lossAt(1) - lossAt(-1)) - (lossAt(2) - lossAt(-2))) / (12 * h);
    return { analytic: gradient.reduce((sum, g, i) => sum + g * direction[i], 0), difference };
  });
}

function expectEqual(pairs: readonly { analytic: number; difference: number }[]): void {
  const scale = Math.max(...pairs.map(({ difference }) => Math.abs(difference)));
  for (const { analytic, difference } of pairs) {
    expect(Math.abs(analytic - difference)).toBeLessThan(1e-6 * scale + 1e-11);
  }
}

// Noise that shrinks with the loss is held constant by the estimator, so it is left out here.
const OPTIONS: BpttOptions = {
  ...BPTT_OPTIONS,
  truncation: 6,
  augmentation: { rescale: 0.7, interpolation: 0, saturation: 0.3 },
  initialRates: { paperRange: [1e-4, 1e-1], constantProbability: 0.5, constantRange: [1e-3, 1e-1] },
  clipNorm: Infinity,
};

describe('gradients of truncated back-propagation equal finite differences', () => {
  it.each(Array.from({ length: 18 }, (_, seed) => [seed]))('with second derivatives, architecture %i', (seed) => {
    const architecture = drawArchitecture(seed);
    const objective = seed % 5 === 0 ? 'linear' : 'log';
    const options: BpttOptions = { ...OPTIONS, secondDerivatives: true, objective, checkpointInterval: 1 + (seed % 6) };
    expectEqual(alongDirections(architecture, families[seed % families.length], options, seed % 2));
  });

  it.each([0, 1, 2, 3, 4, 5].map((seed) => [seed]))(
    'over one step, whose task gradients depend on no meta-parameter, architecture %i',
    (seed) => {
      const options: BpttOptions = { ...OPTIONS, truncation: 1, horizon: [3, 3] };
      for (const truncations of [0, 1]) {
        expectEqual(alongDirections(drawArchitecture(seed), families[seed % families.length], options, truncations));
      }
    },
  );

  it('without second derivatives they do not, over several steps', () => {
    const pairs = alongDirections(DEFAULT_ARCHITECTURE, families[0], OPTIONS, 0);
    expect(pairs.some(({ analytic, difference }) => Math.abs(analytic / difference - 1) > 1e-3)).toBe(true);
  });
});
