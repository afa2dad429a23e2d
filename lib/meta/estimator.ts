import type { AugmentationOptions } from '../problems/lanes/augmented';
import type { LaneFamily, RunningArray } from '../problems/lanes/family';
import type { Random } from '../random';
import type { Horizon } from './horizons';
import type { InitialRateOptions } from './initialRates';

/** What estimators of the meta-gradient have in common: how trajectories are drawn and cut into truncations. */
export interface TrajectoryOptions {
  /** Steps per truncation; heavy-tailed horizons have their own. */
  readonly truncation: number;
  readonly augmentation: AugmentationOptions;
  readonly initialRates: InitialRateOptions;
  /** Lengths of trajectories; the longest times the family's factor. */
  readonly horizon: Horizon;
  /** ε of the logarithmic meta-objective ln(f/f₀ + ε), see metaObjective.ts. Default: the paper's, 1e-6. */
  readonly lossFloor?: number;
}

/** What one truncation of all problems of a family says. */
export interface TruncationResult {
  /** Estimate of the meta-gradient, mean over the problems (or antithetic pairs); [metaParameters] */
  readonly gradient: Float64Array;
  /** Mean meta-loss of the truncation over the problems. */
  readonly loss: number;
  /** Trajectories that ended with this truncation, and those of them because a loss left all bounds. */
  readonly restarts: number;
  readonly failures: number;
  /** Problem steps done. */
  readonly steps: number;
}

/** Arrays by name: everything an estimator carries from truncation to truncation. */
export type EstimatorState = Readonly<Record<string, RunningArray>>;

/**
 * Estimates meta-gradients on one family of problems, one truncation at a time; trajectories go on from call to call. All
 * randomness comes from the `random` of a call, so that a result depends on nothing but the state, the arguments and it.
 */
export interface Estimator<Options extends TrajectoryOptions = TrajectoryOptions> {
  readonly family: LaneFamily;
  /** Problems advanced side by side; both sides of an antithetic pair count. */
  readonly problems: number;
  /** Begins all trajectories, staggered: each has some share of its horizon behind it, without having walked it. */
  begin(random: Random, options: Options): void;
  /**
   * One truncation of every problem with the meta-parameters given.
   * @param flat [metaParameters], in the order of `metaParameterShapes`
   */
  run(flat: Float64Array, random: Random, options: Options): TruncationResult;
  /** Copies of all arrays that the next `run` depends on. */
  exportState(): EstimatorState;
  /**
   * Puts an exported state back; the next `run` then gives the same bits as it would have given there.
   * @param options those that the problems were drawn with: each is drawn again from its own seed
   * @throws RangeError naming the array that is missing or has another type or length; nothing has changed then
   */
  importState(state: EstimatorState, options: Options): void;
}

/** @throws RangeError naming the array that is missing or has another type or length than its counterpart in `running` */
export function checkEstimatorState(state: EstimatorState, running: EstimatorState): void {
  for (const [name, { length, constructor }] of Object.entries(running)) {
    if (state[name]?.length === length && state[name].constructor === constructor) continue;
    const got = name in state ? `${state[name].constructor.name} of length ${state[name].length}` : 'none';
    throw new RangeError(`state.${name}: expected ${constructor.name} of length ${length}, got ${got}`);
  }
}
