import { DEFAULT_ARCHITECTURE, validateArchitecture } from '../optimizer/architecture';
import type { Architecture } from '../optimizer/architecture';
import { isAbsolute } from 'node:path';
import type { BpttOptions } from './bptt';
import { CORPUS_NAMES } from './corpus';
import type { CorpusChoice } from './corpus';
import { createMetaOptimizer } from './metaOptimizers';
import type { MetaOptimizerConfig } from './metaOptimizers';
import type { PesOptions } from './pes';
import { checkSchedule } from '../optimizer/schedule';
import type { Annealing, Schedule, Warmup } from '../optimizer/schedule';

/** Which estimator of the meta-gradient, with its options. */
export type EstimatorConfig =
  ({ readonly kind: 'pes' | 'nres' | 'es' } & PesOptions) | ({ readonly kind: 'bptt' } & BpttOptions);

/** A stretch of a run with one estimator and one schedule. It starts from the average of the phase before. */
export interface PhaseConfig {
  readonly name: string;
  /** Truncations of the whole corpus, one meta-update each; the schedules run over them. */
  readonly iterations: number;
  readonly estimator: EstimatorConfig;
  readonly metaOptimizer: MetaOptimizerConfig;
  /** Peak of the meta-optimizer's rate, and its end as a share of the peak: warm-up over 2 %, then a cosine. */
  readonly rate: number;
  readonly finalRate: number;
  /** Bound of the global norm of the meta-gradient. */
  readonly clipNorm: number;
  /** Decay of the moving average of the meta-parameters, which is what ships. */
  readonly averageDecay: number;
  /**
   * Longest log-uniform horizon at the beginning, and from two thirds of the phase on. Without it the estimator's horizon
   * stays as it is.
   */
  readonly horizonGrowth?: readonly [from: number, to: number];
}

/** Everything that determines the result of a meta-training run. It is stored in every checkpoint and in the weights. */
export interface MetaTrainingConfig extends CorpusChoice {
  /** Of the weights, for people. */
  readonly name?: string;
  readonly description?: string;
  readonly architecture: Architecture;
  /**
   * Bound of η in the weights that are written; default: the architecture's. Problems of the corpus bear higher rates than
   * networks do.
   */
  readonly weightsMaxLogLearningRate?: number;
  /** Scale of the gradients in the weights that are written; default: the architecture's. */
  readonly weightsGradientScale?: number;
  /** Bounds of the initial learning rate in the weights that are written; default: none. */
  readonly weightsInitialRateRange?: readonly [lowest: number, highest: number];
  /** Warm-up in the weights that are written; default: none. Problems of the corpus need none, deep networks do. */
  readonly weightsWarmup?: Warmup;
  /** Annealing in the weights that are written; default: none. */
  readonly weightsAnnealing?: Annealing;
  /** Of the initial meta-parameters, the problems and the perturbations. */
  readonly seed: number;
  readonly phases: readonly PhaseConfig[];
}

const AUGMENTATION = { rescale: 0.7, interpolation: 0.6, saturation: 0.3 } as const;
const INITIAL_RATES = {
  paperRange: [1e-6, 1e-2],
  constantProbability: 0.5,
  constantRange: [1e-6, 0.1],
} as const;

/** The setting of the shipped weights `hrnn-3`: a short warm start by back-propagation, then evolution strategies. */
export const DEFAULT_META_TRAINING: MetaTrainingConfig = {
  name: 'hrnn-3',
  description: 'Meta-trained by this package on synthetic problems, without a neural network among them.',
  // The absolute rate as an input, and a bound on it: started at a high rate, the optimizer sees it and cannot act on it.
  architecture: { ...DEFAULT_ARCHITECTURE, parameterHidden: 6, absoluteLearningRate: true, maxLogLearningRate: -3.5 },
  weightsMaxLogLearningRate: -4.5,
  // Gradients near a minimum vanish in the dynamic scaling unless they are scaled up.
  weightsGradientScale: 2 ** 20,
  weightsInitialRateRange: [1e-4, 1e-3],
  weightsWarmup: { steps: 150, from: 0.02 },
  weightsAnnealing: { after: 2000, power: 1 },
  seed: 2,
  corpus: 'default',
  phases: [
    {
      name: 'warm-start',
      iterations: 800,
      estimator: {
        kind: 'bptt',
        truncation: 40,
        objective: 'log',
        secondDerivatives: false,
        clipNorm: 1,
        stopMultiplier: Infinity,
        augmentation: AUGMENTATION,
        initialRates: INITIAL_RATES,
        horizon: [100, 300],
      },
      metaOptimizer: { kind: 'adam' },
      rate: 3e-3,
      finalRate: 0.05,
      clipNorm: 1,
      averageDecay: 0.98,
      horizonGrowth: [300, 3000],
    },
    {
      name: 'evolution',
      iterations: 2200,
      estimator: {
        kind: 'pes',
        truncation: 40,
        sigma: 0.01,
        differenceBound: 2,
        normMultiple: 3,
        augmentation: AUGMENTATION,
        initialRates: INITIAL_RATES,
        horizon: [100, 500],
      },
      metaOptimizer: { kind: 'adam' },
      rate: 6e-4,
      finalRate: 0.02,
      clipNorm: 1,
      averageDecay: 0.99,
      horizonGrowth: [500, 1500],
    },
  ],
};

/** The architecture of the weights that are written. */
export function weightsArchitecture(config: MetaTrainingConfig): Architecture {
  const { architecture, weightsMaxLogLearningRate, weightsGradientScale } = config;
  return {
    ...architecture,
    maxLogLearningRate: weightsMaxLogLearningRate ?? architecture.maxLogLearningRate,
    gradientScale: weightsGradientScale ?? architecture.gradientScale,
  };
}

/** The schedule of the weights that are written. */
export function weightsSchedule(config: MetaTrainingConfig): Schedule {
  const { weightsInitialRateRange, weightsWarmup, weightsAnnealing } = config;
  return { initialLearningRateRange: weightsInitialRateRange, warmup: weightsWarmup, annealing: weightsAnnealing };
}

/** Iterations of all phases. */
export function totalIterations({ phases }: MetaTrainingConfig): number {
  return phases.reduce((sum, { iterations }) => sum + iterations, 0);
}

function check(name: string, value: unknown, expected: string, holds: boolean): void {
  if (!holds) throw new RangeError(`${name}: expected ${expected}, got ${JSON.stringify(value)}`);
}

const isPositive = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value) && value > 0;
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) > 0;
const isShare = (value: unknown): boolean => typeof value === 'number' && value >= 0 && value <= 1;
const isRange = (value: unknown): boolean =>
  Array.isArray(value) && value.length === 2 && value.every(isPositive) && value[0] <= value[1];

const RANGE = 'two numbers above 0 in ascending order';
const SHARE = 'a number from 0 to 1';
const POSITIVE = 'a number above 0';
const COUNT = 'a whole number from 1';

function checkEstimator(name: string, estimator: EstimatorConfig): void {
  check(
    `${name}.kind`,
    estimator.kind,
    "'pes', 'nres', 'es' or 'bptt'",
    ['pes', 'nres', 'es', 'bptt'].includes(estimator.kind),
  );
  check(`${name}.truncation`, estimator.truncation, COUNT, isCount(estimator.truncation));
  const { augmentation, initialRates, horizon, lossFloor } = estimator;
  check(`${name}.lossFloor`, lossFloor, POSITIVE, lossFloor === undefined || isPositive(lossFloor));
  for (const key of ['rescale', 'interpolation', 'saturation'] as const) {
    check(`${name}.augmentation.${key}`, augmentation?.[key], SHARE, isShare(augmentation?.[key]));
  }
  const probability = initialRates?.constantProbability;
  check(`${name}.initialRates.constantProbability`, probability, SHARE, isShare(probability));
  for (const key of ['paperRange', 'constantRange'] as const) {
    check(`${name}.initialRates.${key}`, initialRates?.[key], RANGE, isRange(initialRates?.[key]));
  }
  if (estimator.kind === 'bptt') {
    check(
      `${name}.objective`,
      estimator.objective,
      "'log' or 'linear'",
      ['log', 'linear'].includes(estimator.objective),
    );
    return;
  }
  check(`${name}.horizon`, horizon, RANGE, isRange(horizon));
  for (const key of ['sigma', 'differenceBound', 'normMultiple'] as const) {
    check(`${name}.${key}`, estimator[key], POSITIVE, isPositive(estimator[key]));
  }
}

function checkPhase(name: string, phase: PhaseConfig): void {
  check(`${name}.iterations`, phase.iterations, COUNT, isCount(phase.iterations));
  for (const key of ['rate', 'clipNorm'] as const)
    check(`${name}.${key}`, phase[key], POSITIVE, isPositive(phase[key]));
  for (const key of ['finalRate', 'averageDecay'] as const) {
    check(`${name}.${key}`, phase[key], SHARE, isShare(phase[key]));
  }
  const growth = phase.horizonGrowth;
  check(`${name}.horizonGrowth`, growth, RANGE, growth === undefined || isRange(growth));
  check(
    `${name}.estimator`,
    phase.estimator,
    'an object',
    typeof phase.estimator === 'object' && phase.estimator !== null,
  );
  checkEstimator(`${name}.estimator`, phase.estimator);
  createMetaOptimizer(phase.metaOptimizer, 0);
}

/**
 * Checks a configuration that came from a file or a caller. Infinity, which JSON has no sign for, may be written as null.
 * @throws {RangeError | TypeError} naming the field, what was expected and what came
 */
export function validateMetaTrainingConfig(config: MetaTrainingConfig): MetaTrainingConfig {
  const architecture = validateArchitecture(config.architecture);
  validateArchitecture(weightsArchitecture({ ...config, architecture }));
  checkSchedule(weightsSchedule(config));
  check('seed', config.seed, 'a whole number', Number.isSafeInteger(config.seed));
  check('corpus', config.corpus, CORPUS_NAMES.join(' or '), CORPUS_NAMES.includes(config.corpus));
  const { problems } = config;
  check('problems', problems, 'the absolute path of a module', problems === undefined || isAbsolute(problems));
  check(
    'problems',
    problems,
    'a module, for the corpus "none" has no problems',
    !(config.corpus === 'none' && !problems),
  );
  check('phases', config.phases, 'a list of phases', Array.isArray(config.phases) && config.phases.length > 0);
  config.phases.forEach((phase, i) => checkPhase(`phases[${i}]`, phase));
  const phases = config.phases.map((phase) => {
    const { estimator } = phase;
    if (estimator.kind !== 'bptt') return phase;
    const { clipNorm, stopMultiplier } = estimator;
    return {
      ...phase,
      estimator: { ...estimator, clipNorm: clipNorm ?? Infinity, stopMultiplier: stopMultiplier ?? Infinity },
    };
  });
  return { ...config, architecture, phases };
}
