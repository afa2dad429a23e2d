import fc from 'fast-check';
import { DEFAULT_ARCHITECTURE } from '../../lib/optimizer/architecture';
import type { Architecture } from '../../lib/optimizer/architecture';
import { DEFAULT_PRESET, loadWeights } from '../../lib/optimizer/presets';

const architectures: fc.Arbitrary<Architecture> = fc
  .record({
    levels: fc.constantFrom<1 | 2 | 3>(1, 2, 3),
    parameterHidden: fc.integer({ min: 1, max: 32 }),
    cells: fc.tuple(fc.integer({ min: 1, max: 24 }), fc.integer({ min: 1, max: 24 })),
    timescales: fc.integer({ min: 1, max: 5 }),
    gradientProducts: fc.boolean(),
    relativeLogMagnitude: fc.boolean(),
    relativeLearningRate: fc.boolean(),
    extremeRateIndicator: fc.boolean(),
    absoluteLearningRate: fc.boolean(),
    gradientShortcut: fc.boolean(),
    attention: fc.boolean(),
    scaleDecayPerTimescale: fc.boolean(),
    activations: fc.constantFrom<'transcendental' | 'algebraic'>('transcendental', 'algebraic'),
    learningRateMean: fc.constantFrom<'problem' | 'tensor'>('problem', 'tensor'),
    maxLogLearningRate: fc.constantFrom(33, -2),
    gradientScale: fc.constantFrom(1, 1024),
    inputScaling: fc.boolean(),
  })
  .map(({ cells: [tensor, global], ...rest }) => ({
    ...rest,
    tensorHidden: rest.levels > 1 ? tensor : 0,
    globalHidden: rest.levels > 2 ? global : 0,
  }));

export const anyArchitecture: fc.Arbitrary<Architecture> = fc.oneof(
  { weight: 1, arbitrary: fc.constant(DEFAULT_ARCHITECTURE) },
  { weight: 4, arbitrary: architectures },
);

/** What random architectures hardly ever are: the one that ships, for which the kernels have a compiled-in shape. */
export const presetArchitecture = loadWeights(DEFAULT_PRESET).architecture;

/** The same without dynamic scaling of its inputs, with both kinds of activations; its gradients are not scaled up either. */
export const unscaledArchitectures: fc.Arbitrary<Architecture> = fc
  .constantFrom<'transcendental' | 'algebraic'>('transcendental', 'algebraic')
  .map((activations) => ({ ...presetArchitecture, activations, inputScaling: false, gradientScale: 1 }));
