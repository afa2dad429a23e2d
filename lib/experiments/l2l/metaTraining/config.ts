import { L2L_UNITS } from '../weights';

/** What determines a meta-training, besides the optimizee. */
export interface L2lConfig {
  readonly seed: number;
  readonly units: number;
  /** Steps of a trajectory. */
  readonly horizon: number;
  /** Steps of a segment of truncated backpropagation; divides the horizon. One update of the meta-parameters each. */
  readonly truncation: number;
  /** Of Adam, the meta-optimizer. */
  readonly learningRate: number;
  /** Trajectories between two validations. */
  readonly validateEvery: number;
  /** Fresh starts of a validation, the same each time. */
  readonly validationStarts: number;
}

/**
 * Horizon and truncation of Andrychowicz et al. 2016, section 3. The paper searches for the learning rate; this one suits some
 * hundred trajectories, of which 1e-2 and 3e-3 were tried too.
 */
export const L2L_DEFAULTS: L2lConfig = {
  seed: 1,
  units: L2L_UNITS,
  horizon: 100,
  truncation: 20,
  learningRate: 1e-2,
  validateEvery: 20,
  validationStarts: 10,
};

/** Above, the seeds of trajectories would meet those of validations. */
const MAX_SEED = 2048;

/** @throws {RangeError} naming the field that is out of range */
export function checkL2lConfig(config: L2lConfig): void {
  const { seed, learningRate, horizon, truncation } = config;
  for (const name of ['units', 'horizon', 'truncation', 'validateEvery', 'validationStarts'] as const) {
    if (!Number.isSafeInteger(config[name]) || config[name] < 1) {
      throw new RangeError(`config.${name}: expected a positive integer, got ${config[name]}`);
    }
  }
  if (!Number.isSafeInteger(seed) || seed < 1 || seed >= MAX_SEED) {
    throw new RangeError(`config.seed: expected an integer from 1 to ${MAX_SEED - 1}, got ${seed}`);
  }
  if (!Number.isFinite(learningRate) || learningRate <= 0) {
    throw new RangeError(`config.learningRate: expected a number above 0, got ${learningRate}`);
  }
  if (horizon % truncation !== 0) {
    throw new RangeError(`config.truncation: expected a divisor of the horizon of ${horizon} steps, got ${truncation}`);
  }
}
