import type { FloatArray, Precision } from '../../bindings/types';
import type { Architecture } from '../optimizer/architecture';
import { AugmentedMembers } from '../problems/lanes/augmented';
import type { LaneFamily } from '../problems/lanes/family';
import type { NoiseTable } from '../problems/lanes/noise';
import { createRandom } from '../random';
import type { Random } from '../random';
import { checkEstimatorState } from './estimator';
import type { Estimator, EstimatorState, TrajectoryOptions, TruncationResult } from './estimator';
import { drawTruncation, drawTruncations } from './horizons';
import { drawInitialRates } from './initialRates';
import { LaneStates } from './laneStates';
import { PAPER_LOSS_FLOOR, isGivenUp } from './metaObjective';
import type { MetaObjective } from './metaObjective';
import { LaneUnroll } from './unroll';

export interface BpttOptions extends TrajectoryOptions {
  readonly objective: MetaObjective;
  /**
   * Whether the task gradients' dependence on the parameters is differentiated too (the released code's default). The
   * products with Hessians come from the family where it offers them, else they are central differences of the gradient
   * on the same minibatch; gradient noise and zeroed entries are held constant.
   */
  readonly secondDerivatives: boolean;
  /** Bound of the norm of every problem's gradient, before the mean over the problems. Infinity: none. */
  readonly clipNorm: number;
  /** A trajectory ends where f > stopMultiplier·f₀. Infinity: where f is not finite. */
  readonly stopMultiplier: number;
  /** Steps between the states that are kept; default: all where they fit into 64 MiB, else √truncation. */
  readonly checkpointInterval?: number;
}

const MEMORY_BYTES = 64 * 2 ** 20;
/** Random streams per trajectory generation: more than lanes. */
const STREAMS_PER_GENERATION = 4096;

/**
 * Truncated back-propagation through the optimizer (Werbos 1990; Wichrowska et al. 2017, section 4.2) on one family of
 * problems, one problem per lane: the gradient of a truncation's meta-loss with the state that it begins from held
 * constant, or, where a trajectory begins, through the learned initial states. Biased towards what pays within a
 * truncation; of low variance.
 *
 * A problem whose gradient is not finite counts as gradient zero, and its trajectory ends.
 */
export class BpttFamily implements Estimator<BpttOptions> {
  readonly problems: number;
  private readonly states: LaneStates;
  private readonly members: AugmentedMembers;
  private readonly unroll: LaneUnroll;
  private readonly state: FloatArray;
  private readonly weights: FloatArray;
  private readonly theta: FloatArray;
  /** f₀ per lane. */
  private readonly start: FloatArray;
  /** Truncations left. */
  private readonly remaining: Int32Array;
  /** Whether the trajectory begins with the next truncation. */
  private readonly fresh: Uint8Array;
  /** Trajectories begun. */
  private readonly generation: Int32Array;
  /** η at the start, [lanes][coordinates]. */
  private readonly logRates: Float64Array;

  /**
   * @param blocks of 16 problems in single, 1 in double precision
   * @param seed of the problems
   */
  constructor(
    architecture: Architecture,
    readonly family: LaneFamily,
    blocks: number,
    table: NoiseTable,
    private readonly seed: number,
    precision: Precision = 'float32',
  ) {
    this.states = new LaneStates(architecture, family.lengths, blocks, precision);
    const { width, coordinates, metaParameters, size } = this.states;
    this.members = new AugmentedMembers(family, blocks, width, table, { precision, lanesPerMember: 1 });
    this.unroll = new LaneUnroll(this.states, this.members);
    this.problems = blocks * width;
    if (this.problems > STREAMS_PER_GENERATION) {
      throw new RangeError(`blocks: expected at most ${STREAMS_PER_GENERATION / width}, got ${blocks}`);
    }
    this.state = this.states.array(size);
    this.weights = this.states.array(metaParameters);
    this.theta = this.states.array(this.problems * coordinates);
    this.start = this.states.array(this.problems);
    this.remaining = new Int32Array(this.problems);
    this.fresh = new Uint8Array(this.problems);
    this.generation = new Int32Array(this.problems).fill(-1);
    this.logRates = new Float64Array(this.problems * coordinates);
  }

  private place(problem: number): [block: number, lane: number] {
    const { width } = this.states;
    return [Math.floor(problem / width), problem % width];
  }

  /** Draws the problem of this generation, with its initial rates, from random numbers of its own; its start into `theta`. */
  private draw(problem: number, options: BpttOptions): Random {
    const [block, lane] = this.place(problem);
    const random = createRandom(this.seed, this.generation[problem] * STREAMS_PER_GENERATION + problem);
    this.members.sample(block, [lane], random, options.augmentation, this.theta);
    const rates = drawInitialRates(this.family.lengths, random, options.initialRates);
    this.logRates.set(rates, problem * rates.length);
    return random;
  }

  /** A new problem, a new trajectory. */
  private restart(problem: number, options: BpttOptions): void {
    const [block, lane] = this.place(problem);
    this.generation[problem]++;
    const random = this.draw(problem, options);
    this.states.writeTheta(this.state, block, lane, this.theta);
    this.remaining[problem] = drawTruncations(options.horizon, options.truncation, this.family.horizonFactor, random);
    this.fresh[problem] = 1;
  }

  begin(random: Random, options: BpttOptions): void {
    for (let problem = 0; problem < this.problems; problem++) {
      this.restart(problem, options);
      this.remaining[problem] = Math.max(1, Math.round(this.remaining[problem] * random.uniform()));
    }
  }

  /** Puts the new trajectories into the initial state and measures their f₀. */
  private beginTrajectories(flat: Float64Array, random: Random): void {
    if (!this.fresh.includes(1)) return;
    const { states, state, start, theta, logRates } = this;
    const N = states.coordinates;
    const values = states.array(this.problems);
    states.readTheta(state, theta);
    this.members.objective(theta, values, random);
    for (let problem = 0; problem < this.problems; problem++) {
      if (this.fresh[problem] === 0) continue;
      const [block, lane] = this.place(problem);
      states.reset(state, block, lane, (i) => flat[i], logRates.subarray(problem * N, (problem + 1) * N));
      start[problem] = values[problem] + 1e-20;
    }
  }

  private checkpointInterval(steps: number, { checkpointInterval }: BpttOptions): number {
    if (checkpointInterval !== undefined) {
      if (Number.isInteger(checkpointInterval) && checkpointInterval > 0) return checkpointInterval;
      throw new RangeError(`options.checkpointInterval: expected a whole number from 1, got ${checkpointInterval}`);
    }
    return steps * this.state.byteLength <= MEMORY_BYTES ? steps : Math.ceil(Math.sqrt(steps));
  }

  run(flat: Float64Array, random: Random, options: BpttOptions): TruncationResult {
    const M = this.states.metaParameters;
    if (flat.length !== M) throw new RangeError(`flat: expected ${M} meta-parameters, got ${flat.length}`);
    const steps = drawTruncation(options.horizon, options.truncation, random);
    this.weights.set(flat);
    this.beginTrajectories(flat, random);
    this.unroll.run({
      weights: this.weights,
      state: this.state,
      start: this.start,
      steps,
      seed: random.integer(2 ** 31 - 1),
      objective: options.objective,
      lossFloor: options.lossFloor ?? PAPER_LOSS_FLOOR,
      secondDerivatives: options.secondDerivatives,
      stopMultiplier: options.stopMultiplier,
      checkpointInterval: this.checkpointInterval(steps, options),
    });
    const norms = this.norms();
    const gradient = this.mean(norms, options.clipNorm);
    let [loss, restarts, failures] = [0, 0, 0];
    for (let problem = 0; problem < this.problems; problem++) {
      loss += this.unroll.losses[problem] / this.problems;
      const failed =
        !Number.isFinite(norms[problem]) ||
        this.unroll.stopped[problem] <= steps ||
        isGivenUp(this.unroll.values[problem], this.start[problem]);
      this.fresh[problem] = 0;
      this.remaining[problem]--;
      if (failed) failures++;
      if (!failed && this.remaining[problem] > 0) continue;
      this.restart(problem, options);
      restarts++;
    }
    return { gradient, loss, restarts, failures, steps: this.problems * steps };
  }

  /** Completes the problems' gradients in `unroll.weightsAdjoint` by the learned initial states; their norms. */
  private norms(): Float64Array {
    const { width, metaParameters: M } = this.states;
    const { weightsAdjoint, adjoint } = this.unroll;
    for (let problem = 0; problem < this.problems; problem++) {
      if (this.fresh[problem] === 0) continue;
      const [block, lane] = this.place(problem);
      const first = block * M * width + lane;
      this.states.initialAdjoint(adjoint, block, lane, (i, value) => (weightsAdjoint[first + i * width] += value));
    }
    const squares = new Float64Array(this.problems);
    for (let first = 0, k = 0; first < this.problems; first += width) {
      for (let i = 0; i < M; i++) {
        for (let lane = 0; lane < width; lane++, k++) squares[first + lane] += weightsAdjoint[k] ** 2;
      }
    }
    return squares.map(Math.sqrt);
  }

  /** Mean of the problems' gradients, each with its norm bounded; those that are not finite count as 0. */
  private mean(norms: Float64Array, clipNorm: number): Float64Array {
    const { width, metaParameters: M } = this.states;
    const { weightsAdjoint } = this.unroll;
    const shares = norms.map((norm) => (norm > clipNorm ? clipNorm / norm : 1) / this.problems);
    const gradient = new Float64Array(M);
    for (let first = 0, k = 0; first < this.problems; first += width) {
      for (let i = 0; i < M; i++) {
        for (let lane = 0; lane < width; lane++, k++) {
          if (Number.isFinite(norms[first + lane])) gradient[i] += shares[first + lane] * weightsAdjoint[k];
        }
      }
    }
    return gradient;
  }

  /** The live arrays by name. */
  private running(): EstimatorState {
    const { state, start, remaining, fresh, generation, logRates } = this;
    const members = Object.fromEntries(this.members.running().map((array, i) => [`members.${i}`, array]));
    return { state, start, remaining, fresh, generation, logRates, ...members };
  }

  exportState(): EstimatorState {
    return Object.fromEntries(Object.entries(this.running()).map(([name, array]) => [name, array.slice()]));
  }

  importState(state: EstimatorState, options: BpttOptions): void {
    const running = this.running();
    checkEstimatorState(state, running);
    this.generation.set(state['generation']);
    for (let problem = 0; problem < this.problems; problem++) this.draw(problem, options);
    for (const [name, array] of Object.entries(running)) array.set(state[name]);
  }
}
