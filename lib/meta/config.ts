import { isAbsolute } from 'node:path';
import { DEFAULT_ARCHITECTURE, MIN_LOG_LEARNING_RATE, validateArchitecture } from '../optimizer/architecture';
import type { Architecture } from '../optimizer/architecture';
import type { BpttOptions } from './bptt';
import type { AugmentationOptions } from '../problems/lanes/augmented';
import { CORPUS_NAMES } from './corpus';
import type { CorpusChoice } from './corpus';
import type { TrajectoryOptions } from './estimator';
import { maskOf } from './flat';
import {
  anyText,
  atLeastOne,
  count,
  countOrZero,
  decay,
  flag,
  kindOf,
  listOf,
  notNegative,
  numberBetween,
  objectOf,
  oneOf,
  optional,
  positive,
  positiveOrInfinite,
  range,
  refuse,
  share,
  shareAboveZero,
  valueOf,
  wholeNumber,
} from './fieldChecks';
import type { FieldChecks } from './fieldChecks';
import { isHeavyTailed } from './horizons';
import type { HeavyTailedHorizon } from './horizons';
import type { InitialRateOptions } from './initialRates';
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
  /**
   * Meta-parameters, by name, that stay as they begin: neither perturbed nor updated. With those of the learning-rate head,
   * which begins at 0, η stays at its initial value. Default: none.
   */
  readonly frozen?: readonly string[];
  /** Of the initial meta-parameters, the problems and the perturbations. */
  readonly seed: number;
  /**
   * The parts of an iteration are computed with the meta-parameters of so many meta-updates before it, so that a family need
   * not wait for the slower ones. Default: 0, every iteration sees all updates before it.
   */
  readonly staleness?: number;
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
  weightsAnnealing: { after: 2000, power: 1.5 },
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

const augmentation = objectOf<AugmentationOptions>({ rescale: share, interpolation: share, saturation: share });
const initialRates = objectOf<InitialRateOptions>({
  paperRange: range,
  constantProbability: share,
  constantRange: range,
});
const heavyTailed = objectOf<HeavyTailedHorizon>({ truncations: positive, steps: positive, shortest: count });
const trajectory: FieldChecks<TrajectoryOptions> = {
  truncation: count,
  augmentation,
  initialRates,
  horizon: (path, value) => (Array.isArray(value) ? range : heavyTailed)(path, value),
  lossFloor: optional(positive),
};
const objective = oneOf('log', 'linear');

const evolution = objectOf<Extract<EstimatorConfig, PesOptions>>({
  kind: anyText,
  ...trajectory,
  sigma: positive,
  differenceBound: positive,
  normMultiple: positive,
  objective: optional(objective),
  stopMultiplier: optional(positiveOrInfinite),
});
const estimator = kindOf({
  pes: evolution,
  nres: evolution,
  es: evolution,
  bptt: objectOf<Extract<EstimatorConfig, BpttOptions>>({
    kind: anyText,
    ...trajectory,
    objective,
    secondDerivatives: flag,
    clipNorm: positiveOrInfinite,
    stopMultiplier: positiveOrInfinite,
    checkpointInterval: optional(count),
  }),
});

const metaOptimizer = kindOf({
  adam: objectOf<Extract<MetaOptimizerConfig, { kind: 'adam' }>>({
    kind: anyText,
    beta1: optional(decay),
    beta2: optional(decay),
    epsilon: optional(notNegative),
    weightDecay: optional(notNegative),
  }),
  rmsprop: objectOf<Extract<MetaOptimizerConfig, { kind: 'rmsprop' }>>({
    kind: anyText,
    decay: optional(decay),
    epsilon: optional(notNegative),
    bound: optional(positive),
  }),
});

const phase = objectOf<PhaseConfig>({
  name: anyText,
  iterations: count,
  estimator,
  metaOptimizer,
  rate: positive,
  finalRate: share,
  clipNorm: positive,
  averageDecay: share,
  horizonGrowth: optional(range),
});

const configuration = objectOf<MetaTrainingConfig>({
  name: optional(anyText),
  description: optional(anyText),
  architecture: (_, value) => void validateArchitecture(value),
  weightsMaxLogLearningRate: optional(numberBetween(MIN_LOG_LEARNING_RATE, 33)),
  weightsGradientScale: optional(numberBetween(1e-9, 1e9)),
  weightsInitialRateRange: optional(range),
  weightsWarmup: optional(objectOf<Warmup>({ steps: countOrZero, from: shareAboveZero })),
  weightsAnnealing: optional(objectOf<Annealing>({ after: atLeastOne, power: positive })),
  frozen: optional(listOf('a list of names of meta-parameters', anyText)),
  seed: wholeNumber,
  staleness: optional(countOrZero),
  corpus: oneOf(...CORPUS_NAMES),
  problems: optional(
    valueOf('the absolute path of a module', (value) => typeof value === 'string' && isAbsolute(value)),
  ),
  copies: optional(count),
  phases: listOf('a list of phases', (path, value) => {
    phase(path, value);
    const { horizonGrowth, estimator } = value as PhaseConfig;
    if (horizonGrowth && isHeavyTailed(estimator.horizon)) {
      refuse(`${path}.horizonGrowth`, 'none with a heavy-tailed horizon', horizonGrowth);
    }
  }),
});

/** Infinity where a file has null. */
function withInfinities(estimator: EstimatorConfig): EstimatorConfig {
  const fields = Object.entries(estimator).map(([name, value]) => [
    name,
    value === null ? Infinity : (value as unknown),
  ]);
  return Object.fromEntries(fields) as unknown as EstimatorConfig;
}

/**
 * Checks an estimator's options by themselves.
 * @returns the options with Infinity for null
 * @throws {RangeError} as `validateMetaTrainingConfig` does
 */
export function checkEstimator(path: string, value: unknown): EstimatorConfig {
  estimator(path, value);
  return withInfinities(value as EstimatorConfig);
}

/**
 * Checks a configuration that came from a file or a caller: every field, and that there are no others. Infinity, which JSON
 * has no sign for, may be written as null.
 * @returns the configuration with what an older architecture lacks, and with Infinity for null
 * @throws {RangeError | TypeError} with the path of the field, such as `phases[1].estimator.sigma`, what was expected and
 * what came; for an unknown field also the known ones
 */
export function validateMetaTrainingConfig(config: MetaTrainingConfig): MetaTrainingConfig {
  configuration('', config);
  const { corpus, problems } = config;
  if (corpus === 'none' && problems === undefined) {
    refuse('problems', 'a module, for the corpus "none" has no problems', problems);
  }
  const architecture = validateArchitecture(config.architecture);
  validateArchitecture(weightsArchitecture({ ...config, architecture }));
  maskOf(architecture, config.frozen);
  checkSchedule(weightsSchedule(config));
  const phases = config.phases.map((phase) => ({ ...phase, estimator: withInfinities(phase.estimator) }));
  return { ...config, architecture, phases };
}
