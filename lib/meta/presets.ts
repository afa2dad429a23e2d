import { DEFAULT_ARCHITECTURE } from '../optimizer/architecture';
import { corpusEntries } from './corpus';
import { DEFAULT_META_TRAINING, totalIterations } from './config';
import type { MetaTrainingConfig, PhaseConfig } from './config';
import { PAPER_HORIZON } from './horizons';
import { PAPER_META_OPTIMIZER, PAPER_META_RATE } from './metaOptimizers';
import { metaTrain } from './trainer';

/**
 * The setting of the released code: its whole ensemble, attention, truncated back-propagation with second derivatives over
 * heavy-tailed horizons, RMSProp at 1e-6. There a meta-update comes from one problem, here from 16 of every family.
 */
const PAPER_META_TRAINING: MetaTrainingConfig = {
  architecture: { ...DEFAULT_ARCHITECTURE, attention: true },
  seed: 1,
  corpus: 'paper',
  phases: [
    {
      name: 'back-propagation',
      iterations: 200_000,
      estimator: {
        kind: 'bptt',
        truncation: PAPER_HORIZON.steps + PAPER_HORIZON.shortest,
        objective: 'log',
        secondDerivatives: true,
        clipNorm: Infinity,
        stopMultiplier: Infinity,
        augmentation: { rescale: 0, interpolation: 0, saturation: 0 },
        initialRates: { paperRange: [1e-6, 1e-2], constantProbability: 0, constantRange: [1e-6, 1e-2] },
        horizon: PAPER_HORIZON,
      },
      metaOptimizer: PAPER_META_OPTIMIZER,
      rate: PAPER_META_RATE,
      finalRate: 1,
      clipNorm: 1e30,
      averageDecay: 0,
    },
  ],
};

/** Settings that ship, by name. */
export const META_TRAINING_PRESETS: Readonly<Record<string, MetaTrainingConfig>> = {
  default: DEFAULT_META_TRAINING,
  paper: PAPER_META_TRAINING,
};

/** Iterations of every phase times a factor, at least one each. */
export function scaleIterations(config: MetaTrainingConfig, factor: number): MetaTrainingConfig {
  const scale = (phase: PhaseConfig): PhaseConfig => ({
    ...phase,
    iterations: Math.max(1, Math.round(phase.iterations * factor)),
  });
  return { ...config, phases: config.phases.map(scale) };
}

/** Problem steps of all phases; with heavy-tailed horizons their expectation. */
export function expectedInnerSteps(config: MetaTrainingConfig): number {
  const problems = corpusEntries(config).reduce((sum, { blocks }) => sum + 16 * blocks, 0);
  return config.phases.reduce((sum, { iterations, estimator: { horizon, truncation } }) => {
    const steps = 'length' in horizon ? truncation : horizon.steps + horizon.shortest;
    return sum + iterations * steps * problems;
  }, 0);
}

/** Iterations of a trial, after one that warms up. */
const TRIAL = 3;

/** Seconds that the phases of a configuration would take on this machine, by a short trial of each. */
export async function estimateSeconds(
  config: MetaTrainingConfig,
  threads: number,
  signal?: AbortSignal,
): Promise<number> {
  let total = 0;
  for (const phase of config.phases) {
    const times: number[] = [];
    await metaTrain({
      config: { ...config, phases: [{ ...phase, iterations: 1 + TRIAL }] },
      threads,
      signal,
      onProgress: () => void times.push(performance.now()),
    });
    total += (phase.iterations * (times[TRIAL] - times[0])) / TRIAL / 1000;
  }
  return total;
}

/** Seconds of a whole run: of training all iterations, and of each validation of a snapshot. */
export interface RunSeconds {
  readonly training: number;
  readonly validation: number;
  readonly snapshotEvery: number;
}

/** As many iterations as leave time for the validations among them; at least one of each phase. */
export function scaleToSeconds(config: MetaTrainingConfig, budget: number, seconds: RunSeconds): MetaTrainingConfig {
  const iterations = totalIterations(config);
  const needed = (factor: number): number =>
    factor * seconds.training + Math.ceil((factor * iterations) / seconds.snapshotEvery) * seconds.validation;
  // The number of snapshots is a step function, so bisection finds the largest factor that fits.
  let [fits, tooLong] = [0, budget / seconds.training];
  if (needed(tooLong) <= budget) return scaleIterations(config, tooLong);
  for (let halving = 0; halving < 50; halving++) {
    const factor = (fits + tooLong) / 2;
    if (needed(factor) <= budget) fits = factor;
    else tooLong = factor;
  }
  return scaleIterations(config, fits);
}
