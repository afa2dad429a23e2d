import { alignedFloat32Array } from '../../bindings/index';
import type { Architecture } from '../optimizer/architecture';
import { AugmentedMembers } from '../problems/lanes/augmented';
import type { LaneFamily, RunningArray } from '../problems/lanes/family';
import type { NoiseTable } from '../problems/lanes/noise';
import { createRandom } from '../random';
import type { Random } from '../random';
import { drawInitialRates } from './initialRates';
import { checkEstimatorState } from './estimator';
import type { Estimator, EstimatorState, TrajectoryOptions, TruncationResult } from './estimator';
import { drawSteps, drawTruncation, drawTruncations, isHeavyTailed } from './horizons';
import { LaneOptimizer } from './laneOptimizer';
import { PAPER_LOSS_FLOOR, isGivenUp, metaLossOf } from './metaObjective';
import type { MetaObjective } from './metaObjective';

export interface PesOptions extends TrajectoryOptions {
  /** Standard deviation σ of the perturbations. */
  readonly sigma: number;
  /** Largest |L⁺ − L⁻| that counts. */
  readonly differenceBound: number;
  /** A pair's gradient counts at most as this multiple of its family's median norm. */
  readonly normMultiple: number;
  /** Default: log. */
  readonly objective?: MetaObjective;
  /**
   * A side of a pair stops where f > stopMultiplier·f₀ or f is no number: its meta-loss is the mean up to that step, and the
   * pair's trajectory ends with the truncation. Default: Infinity, no side stops.
   */
  readonly stopMultiplier?: number;
}

/**
 * Persistent evolution strategies (Vicol et al. 2021, arXiv 2112.13835) on one family: antithetic pairs of problems in
 * neighbouring lanes, each lane with its own perturbed meta-parameters; the perturbations of a trajectory add up over its
 * truncations, which makes the estimate unbiased.
 */
export class PesFamily implements Estimator<PesOptions> {
  readonly pairs: number;
  readonly problems: number;
  protected readonly optimizer: LaneOptimizer;
  private readonly members: AugmentedMembers;
  /** [blocks][metaParameters][width] */
  private readonly weights: Float32Array;
  /** Sum of a pair's perturbations since its trajectory began, [pairs][metaParameters]. */
  protected readonly accumulated: Float32Array;
  /** How far a trajectory is, and its whole length: in steps, with heavy-tailed horizons in truncations. */
  protected readonly elapsed: Int32Array;
  private readonly horizon: Int32Array;
  /** Trajectories begun per pair. */
  private readonly generation: Int32Array;
  private readonly logRates: Float64Array[];
  /** f₀ per lane. */
  private readonly start: Float32Array;
  private readonly theta: Float32Array;
  /** Where gradients are taken: with attention an array of its own, φ; else `theta`. */
  private readonly point: Float32Array;
  private readonly gradient: Float32Array;
  private readonly values: Float32Array;
  private readonly losses: Float64Array;
  private readonly failed: Uint8Array;
  /** Steps that count in this truncation, per lane. */
  private readonly counted: Int32Array;
  /** Whether a trajectory has one perturbation for all its truncations. */
  protected readonly keepsPerturbation: boolean = false;

  constructor(
    architecture: Architecture,
    readonly family: LaneFamily,
    blocks: number,
    private readonly table: NoiseTable,
    private readonly seed: number,
    /** [metaParameters], not 0 where a meta-parameter is not perturbed; default: all are. */
    private readonly frozen?: Uint8Array,
  ) {
    this.optimizer = new LaneOptimizer(architecture, family.lengths, blocks);
    const { width, coordinates, metaParameters } = this.optimizer;
    this.members = new AugmentedMembers(family, blocks, width, table);
    const lanes = blocks * width;
    this.problems = lanes;
    this.pairs = lanes / 2;
    this.weights = alignedFloat32Array(lanes * metaParameters);
    this.accumulated = new Float32Array(this.pairs * metaParameters);
    this.elapsed = new Int32Array(this.pairs);
    this.generation = new Int32Array(this.pairs).fill(-1);
    this.horizon = new Int32Array(this.pairs);
    this.logRates = Array.from({ length: this.pairs }, () => new Float64Array(coordinates));
    this.start = new Float32Array(lanes);
    this.theta = alignedFloat32Array(lanes * coordinates);
    this.point = architecture.attention ? alignedFloat32Array(lanes * coordinates) : this.theta;
    this.gradient = alignedFloat32Array(lanes * coordinates);
    this.values = new Float32Array(lanes);
    this.losses = new Float64Array(lanes);
    this.failed = new Uint8Array(this.pairs);
    this.counted = new Int32Array(lanes);
  }

  private place(pair: number): { block: number; lane: number; first: number } {
    const { width } = this.optimizer;
    const block = Math.floor((2 * pair) / width);
    const lane = (2 * pair) % width;
    return { block, lane, first: block * width + lane };
  }

  /** Random numbers of a pair's trajectory: they depend on nothing else, so that a checkpoint need not hold its problem. */
  private trajectory(pair: number): Random {
    return createRandom(this.seed, this.generation[pair] * 4096 + pair);
  }

  /** Draws the problem of a pair's trajectory, with its initial rates, into the lanes; the start goes to `theta`. */
  private draw(pair: number, random: Random, options: PesOptions): void {
    const { block, lane } = this.place(pair);
    this.members.sample(block, [lane, lane + 1], random, options.augmentation, this.theta);
    this.logRates[pair] = drawInitialRates(this.family.lengths, random, options.initialRates);
  }

  /** A new problem, a new trajectory. */
  private restart(pair: number, options: PesOptions): void {
    const { block, lane } = this.place(pair);
    this.generation[pair]++;
    const random = this.trajectory(pair);
    this.optimizer.readTheta(this.theta);
    this.draw(pair, random, options);
    for (const l of [lane, lane + 1]) this.optimizer.writeTheta(block, l, this.theta);
    const M = this.optimizer.metaParameters;
    this.accumulated.fill(0, pair * M, (pair + 1) * M);
    this.elapsed[pair] = 0;
    const { horizon, truncation } = options;
    const factor = this.family.horizonFactor;
    this.horizon[pair] = isHeavyTailed(horizon)
      ? drawTruncations(horizon, truncation, factor, random)
      : drawSteps(horizon, factor, random);
  }

  /** Begins all trajectories, staggered: each has some share of its horizon behind it, without having walked it. */
  begin(random: Random, options: PesOptions): void {
    const least = isHeavyTailed(options.horizon) ? 1 : options.truncation;
    for (let pair = 0; pair < this.pairs; pair++) {
      this.restart(pair, options);
      this.horizon[pair] = Math.max(least, Math.round(this.horizon[pair] * random.uniform()));
    }
  }

  /** Perturbs the meta-parameters of every pair, and starts new trajectories from the learned initial states. */
  private perturb(flat: Float64Array, random: Random, sigma: number): void {
    const { width, metaParameters: M } = this.optimizer;
    const noise = this.table.values;
    const { frozen } = this;
    for (let pair = 0; pair < this.pairs; pair++) {
      const { block, lane } = this.place(pair);
      const kept = this.keepsPerturbation && this.elapsed[pair] > 0;
      const offset = kept ? 0 : this.table.offset(random, M);
      let k = block * M * width + lane;
      for (let i = 0, x = pair * M; i < M; i++, k += width, x++) {
        const e = kept ? this.accumulated[x] : frozen?.[i] ? 0 : sigma * noise[offset + i];
        this.weights[k] = flat[i] + e;
        this.weights[k + 1] = flat[i] - e;
        if (!kept) this.accumulated[x] += e;
      }
      if (this.elapsed[pair] > 0) continue;
      for (const l of [lane, lane + 1]) {
        this.optimizer.reset(block, l, (i) => this.weights[(block * M + i) * width + l], this.logRates[pair]);
      }
    }
  }

  /** One truncation of every pair. */
  run(flat: Float64Array, random: Random, options: PesOptions): TruncationResult {
    const { optimizer, members, theta, point, gradient, values, losses, counted } = this;
    const { horizon, truncation, lossFloor = PAPER_LOSS_FLOOR, objective = 'log' } = options;
    const { stopMultiplier = Infinity } = options;
    const steps = drawTruncation(horizon, truncation, random);
    this.perturb(flat, random, options.sigma);
    losses.fill(0);
    this.failed.fill(0);
    counted.fill(steps);
    optimizer.readTheta(theta);
    if (this.elapsed.includes(0)) {
      members.objective(theta, values, random);
      for (let at = 0; at < values.length; at++) {
        if (this.elapsed[at >> 1] === 0) this.start[at] = values[at] + 1e-20;
      }
    }
    for (let step = 0; step < steps; step++) {
      if (point !== theta) optimizer.readPoint(point);
      members.gradient(point, gradient, random);
      optimizer.step(this.weights, gradient);
      optimizer.readTheta(theta);
      members.objective(theta, values, random);
      for (let at = 0; at < values.length; at++) {
        // A side that has stopped goes on in its lane, and nothing of it counts.
        if (step >= counted[at]) continue;
        losses[at] += metaLossOf(objective, values[at], this.start[at], lossFloor);
        if (stopMultiplier < Infinity && !(values[at] <= stopMultiplier * this.start[at])) {
          counted[at] = step + 1;
          this.failed[at >> 1] = 1;
        }
      }
    }
    for (let at = 0; at < values.length; at++) {
      losses[at] /= counted[at];
      if (isGivenUp(values[at], this.start[at])) this.failed[at >> 1] = 1;
    }
    const result = this.estimate(options);
    let [restarts, failures] = [0, 0];
    for (let pair = 0; pair < this.pairs; pair++) {
      this.elapsed[pair] += isHeavyTailed(horizon) ? 1 : truncation;
      failures += this.failed[pair];
      if (this.failed[pair] === 0 && this.elapsed[pair] < this.horizon[pair]) continue;
      this.restart(pair, options);
      restarts++;
    }
    return { ...result, restarts, failures, steps: 2 * this.pairs * steps };
  }

  /** Everything that cannot be drawn again. */
  private running(): Record<string, RunningArray> {
    const { optimizer, accumulated, elapsed, generation, horizon, start } = this;
    const members = this.members.running().map((array, i) => [`members.${i}`, array] as const);
    return { state: optimizer.state, accumulated, elapsed, generation, horizon, start, ...Object.fromEntries(members) };
  }

  exportState(): EstimatorState {
    return Object.fromEntries(Object.entries(this.running()).map(([name, array]) => [name, array.slice()]));
  }

  importState(state: EstimatorState, options: PesOptions): void {
    const running = this.running();
    checkEstimatorState(state, running);
    this.generation.set(state['generation']);
    for (let pair = 0; pair < this.pairs; pair++) this.draw(pair, this.trajectory(pair), options);
    for (const [name, array] of Object.entries(running)) array.set(state[name]);
  }

  private estimate({ sigma, differenceBound, normMultiple }: PesOptions): { gradient: Float64Array; loss: number } {
    const M = this.optimizer.metaParameters;
    const factors = new Float64Array(this.pairs);
    const norms = new Float64Array(this.pairs);
    let loss = 0;
    for (let pair = 0; pair < this.pairs; pair++) {
      const [plus, minus] = [this.losses[2 * pair], this.losses[2 * pair + 1]];
      loss += (plus + minus) / (2 * this.pairs);
      const difference = Math.min(Math.max(plus - minus, -differenceBound), differenceBound);
      factors[pair] = difference / (2 * sigma * sigma);
      let squares = 0;
      for (let x = pair * M; x < (pair + 1) * M; x++) squares += this.accumulated[x] ** 2;
      norms[pair] = Math.abs(factors[pair]) * Math.sqrt(squares);
    }
    const sorted = Float64Array.from(norms).sort();
    const bound = normMultiple * sorted[this.pairs >> 1] + 1e-9;
    const gradient = new Float64Array(M);
    for (let pair = 0; pair < this.pairs; pair++) {
      const share = (factors[pair] * Math.min(1, bound / (norms[pair] + 1e-9))) / this.pairs;
      for (let i = 0, x = pair * M; i < M; i++, x++) gradient[i] += share * this.accumulated[x];
    }
    return { gradient, loss };
  }
}
