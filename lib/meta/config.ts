import { DEFAULT_ARCHITECTURE, validateArchitecture } from '../optimizer/architecture';
import type { Architecture } from '../optimizer/architecture';
import type { PesOptions } from './pes';

/** Everything that determines the result of a meta-training run. It is stored in every checkpoint and in the weights. */
export interface MetaTrainingConfig {
  readonly architecture: Architecture;
  /** Of the initial meta-parameters, the problems and the perturbations. */
  readonly seed: number;
  /** Truncations of the whole corpus, one meta-update each; the schedules run over them. */
  readonly iterations: number;
  /** Peak of Adam's rate, and its end as a share of the peak: linear warm-up over 2 %, then a cosine. */
  readonly rate: number;
  readonly finalRate: number;
  /** Bound of the global norm of the meta-gradient. */
  readonly clipNorm: number;
  /** Decay of the moving average of the meta-parameters, which is what ships. */
  readonly averageDecay: number;
  /** Longest horizon at the beginning, and from two thirds of the run on. */
  readonly horizonGrowth: readonly [from: number, to: number];
  readonly pes: PesOptions;
}

/** The setting of the shipped weights. */
export const DEFAULT_META_TRAINING: MetaTrainingConfig = {
  architecture: { ...DEFAULT_ARCHITECTURE, absoluteLearningRate: true },
  seed: 1,
  iterations: 20_000,
  rate: 1e-3,
  finalRate: 0.03,
  clipNorm: 1,
  averageDecay: 0.99,
  horizonGrowth: [300, 4000],
  pes: {
    truncation: 40,
    sigma: 0.01,
    differenceBound: 2,
    normMultiple: 3,
    augmentation: { rescale: 0.7, interpolation: 0.6, saturation: 0.3 },
    initialRates: { paperRange: [1e-6, 1e-2], constantProbability: 0.5, constantRange: [1e-6, 1e-1] },
    horizon: [50, 300],
  },
};

function check(name: string, value: unknown, expected: string, holds: boolean): void {
  if (!holds) throw new RangeError(`${name}: expected ${expected}, got ${JSON.stringify(value)}`);
}

const isPositive = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value) && value > 0;
const isShare = (value: unknown): boolean => typeof value === 'number' && value >= 0 && value <= 1;
const isRange = (value: unknown): boolean =>
  Array.isArray(value) && value.length === 2 && value.every(isPositive) && value[0] <= value[1];

/**
 * Checks a configuration that came from a file or a caller.
 * @throws {RangeError | TypeError} naming the field, what was expected and what came
 */
export function validateMetaTrainingConfig(config: MetaTrainingConfig): MetaTrainingConfig {
  const { pes } = config;
  const architecture = validateArchitecture(config.architecture);
  check('seed', config.seed, 'a whole number', Number.isSafeInteger(config.seed));
  check(
    'iterations',
    config.iterations,
    'a whole number from 1',
    Number.isSafeInteger(config.iterations) && config.iterations > 0,
  );
  check('rate', config.rate, 'a number above 0', isPositive(config.rate));
  check('finalRate', config.finalRate, 'a number from 0 to 1', isShare(config.finalRate));
  check('clipNorm', config.clipNorm, 'a number above 0', isPositive(config.clipNorm));
  check('averageDecay', config.averageDecay, 'a number from 0 to 1', isShare(config.averageDecay));
  check('horizonGrowth', config.horizonGrowth, 'two numbers above 0 in ascending order', isRange(config.horizonGrowth));
  check(
    'pes.truncation',
    pes.truncation,
    'a whole number from 1',
    Number.isSafeInteger(pes.truncation) && pes.truncation > 0,
  );
  for (const key of ['sigma', 'differenceBound', 'normMultiple'] as const) {
    check(`pes.${key}`, pes[key], 'a number above 0', isPositive(pes[key]));
  }
  for (const key of ['rescale', 'interpolation', 'saturation'] as const) {
    check(`pes.augmentation.${key}`, pes.augmentation[key], 'a number from 0 to 1', isShare(pes.augmentation[key]));
  }
  const rates = pes.initialRates;
  check(
    'pes.initialRates.constantProbability',
    rates.constantProbability,
    'a number from 0 to 1',
    isShare(rates.constantProbability),
  );
  for (const key of ['paperRange', 'constantRange'] as const) {
    check(`pes.initialRates.${key}`, rates[key], 'two numbers above 0 in ascending order', isRange(rates[key]));
  }
  check('pes.horizon', pes.horizon, 'two numbers above 0 in ascending order', isRange(pes.horizon));
  return { ...config, architecture };
}
