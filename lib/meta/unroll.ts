import type { FloatArray } from '../../bindings/types';
import type { AugmentedMembers } from '../problems/lanes/augmented';
import type { RunningArray } from '../problems/lanes/family';
import { createRandom } from '../random';
import type { LaneStates } from './laneStates';
import { metaLossOf, metaSlopeOf } from './metaObjective';
import type { MetaObjective } from './metaObjective';

/** One truncation of all problems. */
export interface UnrollRequest {
  /** [metaParameters] */
  readonly weights: FloatArray;
  /** The problems' states, [blocks][entries][width]; advanced. */
  readonly state: FloatArray;
  /** f₀ per lane. */
  readonly start: FloatArray;
  readonly steps: number;
  /** Of the minibatches and the noise. */
  readonly seed: number;
  readonly objective: MetaObjective;
  /** ε of the meta-objective. */
  readonly lossFloor: number;
  /** Whether to differentiate the task gradients with respect to the parameters too. */
  readonly secondDerivatives: boolean;
  /** A problem whose objective is more than this multiple of f₀ stops there. Infinity: it stops when not finite. */
  readonly stopMultiplier: number;
  /** States are kept every so many steps, the others computed again. */
  readonly checkpointInterval: number;
}

/** Largest entry of a gradient or parameter that counts as finite: its square still is, in single precision. */
const LARGEST = 1e18;

/**
 * Back-propagation through a truncation. The mean over its steps of the meta-loss, for every problem by itself: value,
 * gradient with respect to the meta-parameters, adjoint of the state that it began from.
 *
 * Memory: a state per checkpoint and, of one stretch between checkpoints at a time, state, gradient and ∇f of every step.
 * A stretch is computed again from its checkpoint by the same operations on the same numbers, so the result does not
 * depend on where the checkpoints are.
 *
 * A problem stops where its objective, a parameter or an entry of its gradient is not finite or out of bounds; what came
 * before counts. Its lane goes on from zeros with gradient zero, so that nothing in it can disturb the reverse pass.
 */
export class LaneUnroll {
  /** Mean meta-loss per lane over the steps before it stopped. */
  readonly losses: Float64Array;
  /** Per lane the step from which nothing counts any more: at most `steps`, or `RUNNING`. */
  readonly stopped: Int32Array;
  static readonly RUNNING = 2 ** 31 - 1;
  /** Objective per lane after the latest step. */
  readonly values: FloatArray;
  /** Gradients per lane, [blocks][metaParameters][width]. */
  readonly weightsAdjoint: FloatArray;
  /** Adjoint of the state at the beginning of the truncation. */
  readonly adjoint: FloatArray;
  private readonly theta: FloatArray;
  private readonly gradientAdjoint: FloatArray;
  private readonly product: FloatArray;
  private readonly spare: FloatArray;
  private readonly scratch: FloatArray;
  private readonly shares: Float64Array;
  private readonly factors: Float64Array;
  private readonly checkpoints: { readonly state: FloatArray; running: RunningArray[] }[] = [];
  private readonly tape: {
    readonly state: FloatArray;
    readonly gradient: FloatArray;
    readonly seed: FloatArray;
    running: RunningArray[];
    noiseOffsets: Int32Array;
  }[] = [];

  constructor(
    private readonly states: LaneStates,
    private readonly members: AugmentedMembers,
  ) {
    const { blocks, width, coordinates, metaParameters, size } = states;
    const lanes = blocks * width;
    this.losses = new Float64Array(lanes);
    this.stopped = new Int32Array(lanes);
    this.shares = new Float64Array(lanes);
    this.factors = new Float64Array(lanes);
    this.values = states.array(lanes);
    this.weightsAdjoint = states.array(lanes * metaParameters);
    this.adjoint = states.array(size);
    this.spare = states.array(size);
    this.theta = states.array(lanes * coordinates);
    this.gradientAdjoint = states.array(lanes * coordinates);
    this.product = states.array(lanes * coordinates);
    this.scratch = states.array(lanes * coordinates);
  }

  run(request: UnrollRequest): void {
    const { steps, checkpointInterval } = request;
    this.losses.fill(0);
    this.stopped.fill(LaneUnroll.RUNNING);
    const begins = Array.from({ length: Math.ceil(steps / checkpointInterval) }, (_, i) => i * checkpointInterval);
    const last = begins.length - 1;
    begins.forEach((begin, i) => {
      if (i < last) {
        this.keepCheckpoint(i, request.state);
        for (let t = begin; t < begins[i + 1]; t++) this.advance(request, t, request.state);
      } else {
        this.record(request, begin, steps, request.state, request.state, true);
      }
    });
    for (let lane = 0; lane < this.losses.length; lane++) {
      const counted = Math.min(this.stopped[lane], steps);
      this.shares[lane] = counted > 0 ? 1 / counted : 0;
      this.losses[lane] =
        counted > 0
          ? this.losses[lane] / counted
          : metaLossOf(request.objective, NaN, request.start[lane], request.lossFloor);
    }
    const running = request.secondDerivatives || last > 0 ? this.copyRunning() : [];
    this.adjoint.fill(0);
    this.weightsAdjoint.fill(0);
    this.reverse(request, begins[last], steps);
    for (let i = last - 1; i >= 0; i--) {
      const { state, running: before } = this.checkpoints[i];
      this.restoreRunning(before);
      this.record(request, begins[i], begins[i + 1], state, this.spare, false);
      this.reverse(request, begins[i], begins[i + 1]);
    }
    this.restoreRunning(running);
  }

  private copyRunning(): RunningArray[] {
    return this.members.running().map((array) => array.slice());
  }

  private restoreRunning(from: readonly RunningArray[]): void {
    if (from.length > 0) this.members.running().forEach((array, i) => array.set(from[i]));
  }

  private keepCheckpoint(index: number, state: FloatArray): void {
    this.checkpoints[index] ??= { state: this.states.array(this.states.size), running: [] };
    this.checkpoints[index].state.set(state);
    this.checkpoints[index].running = this.copyRunning();
  }

  /** Multiplies lanes of an array [blocks][coordinates][width]; factor 0 makes 0, whatever is there. */
  private multiply(array: FloatArray, factors: Float64Array): void {
    const { width, coordinates } = this.states;
    const rows = coordinates * width;
    for (let from = 0, first = 0; from < array.length; from += rows, first += width) {
      for (let k = from; k < from + rows; k += width) {
        for (let lane = 0; lane < width; lane++) {
          const factor = factors[first + lane];
          array[k + lane] = factor === 0 ? 0 : array[k + lane] * factor;
        }
      }
    }
  }

  /** Zeroes the lanes that have stopped. */
  private zeroStopped(array: FloatArray, t: number): void {
    if (!this.stopped.some((at) => at <= t)) return;
    this.stopped.forEach((at, lane) => (this.factors[lane] = at <= t ? 0 : 1));
    this.multiply(array, this.factors);
  }

  /** The task gradients of step `t` at the points of `state`; lanes that stop here are cleared. */
  private taskGradient(request: UnrollRequest, t: number, state: FloatArray, gradient: FloatArray): void {
    const { states, members, theta, stopped } = this;
    const { width } = states;
    states.readPoint(state, theta);
    members.gradient(theta, gradient, createRandom(request.seed, t));
    for (let k = 0; k < gradient.length; k++) {
      if (Math.abs(gradient[k]) <= LARGEST && Math.abs(theta[k]) <= LARGEST) continue;
      const lane = Math.floor(k / (states.coordinates * width)) * width + (k % width);
      if (stopped[lane] > t) stopped[lane] = t;
    }
    for (let lane = 0; lane < stopped.length; lane++) {
      if (stopped[lane] === t) states.clear(state, Math.floor(lane / width), lane % width);
    }
    this.zeroStopped(gradient, t);
  }

  /** Counts the losses after step `t`, of the problems that have not stopped. */
  private count({ objective, lossFloor, start, stopMultiplier }: UnrollRequest, t: number): void {
    const { values, stopped } = this;
    for (let at = 0; at < values.length; at++) {
      if (stopped[at] <= t) continue;
      this.losses[at] += metaLossOf(objective, values[at], start[at], lossFloor);
      const within = Number.isFinite(values[at]) && values[at] <= stopMultiplier * start[at];
      if (!within) stopped[at] = t + 1;
    }
  }

  /** A step forward in place, nothing kept. */
  private advance(request: UnrollRequest, t: number, state: FloatArray): void {
    this.taskGradient(request, t, state, this.scratch);
    this.states.step(request.weights, state, this.scratch, state);
    this.states.readTheta(state, this.theta);
    this.members.objective(this.theta, this.values, createRandom(request.seed, t));
    this.count(request, t);
  }

  /** Steps `begin` to `end`, kept on the tape. `counting`: for the first time. */
  private record(
    request: UnrollRequest,
    begin: number,
    end: number,
    from: FloatArray,
    to: FloatArray,
    counting: boolean,
  ): void {
    const { states, members, theta, tape } = this;
    const { weights, objective, lossFloor, start, secondDerivatives } = request;
    const N = this.theta.length;
    for (let j = 0; j < end - begin; j++) {
      tape[j] ??= {
        state: states.array(states.size),
        gradient: states.array(N),
        seed: states.array(N),
        running: [],
        noiseOffsets: new Int32Array(members.noiseOffsets.length),
      };
    }
    tape[0].state.set(from);
    for (let t = begin; t < end; t++) {
      const { state, gradient, seed } = tape[t - begin];
      if (secondDerivatives) tape[t - begin].running = this.copyRunning();
      this.taskGradient(request, t, state, gradient);
      tape[t - begin].noiseOffsets.set(members.noiseOffsets);
      const next = t + 1 < end ? tape[t - begin + 1].state : to;
      states.step(weights, state, gradient, next);
      states.readTheta(next, theta);
      members.objectiveGradient(theta, this.values, seed, createRandom(request.seed, t));
      if (counting) this.count(request, t);
      for (let at = 0; at < this.values.length; at++) {
        this.factors[at] = this.stopped[at] > t ? metaSlopeOf(objective, this.values[at], start[at], lossFloor) : 0;
      }
      this.multiply(seed, this.factors);
    }
  }

  /** Reverse of the recorded steps. */
  private reverse(request: UnrollRequest, begin: number, end: number): void {
    const { states, members, adjoint, gradientAdjoint, weightsAdjoint, product, theta } = this;
    for (let t = end - 1; t >= begin; t--) {
      const { state, gradient, seed, running, noiseOffsets } = this.tape[t - begin];
      this.multiply(seed, this.shares);
      states.addToTheta(adjoint, seed);
      states.stepBackward({ weights: request.weights, state, gradient, adjoint, gradientAdjoint, weightsAdjoint });
      if (!request.secondDerivatives) continue;
      this.restoreRunning(running);
      states.readPoint(state, theta);
      this.zeroStopped(gradientAdjoint, t);
      members.gradientProduct(theta, gradientAdjoint, product, () => createRandom(request.seed, t), noiseOffsets);
      this.zeroStopped(product, t);
      states.addToPoint(adjoint, product);
    }
  }
}
