import { alignedFloat32Array } from '../../bindings/index';
import { createNativeLanes } from '../../bindings/lanes';
import type { LaneLayout, LaneStepBackward, NativeLanes } from '../../bindings/lanes';
import type { FloatArray, Precision } from '../../bindings/types';
import type { Architecture } from '../optimizer/architecture';
import { coordinatesOf } from '../problems/lanes/family';

/**
 * States of the optimizer for blocks of problems: where their parts are, one step from a state to the next, and its
 * reverse. States are arrays [blocks][entries][width] that the caller holds, as many as it likes.
 */
export class LaneStates {
  readonly width: number;
  readonly coordinates: number;
  readonly metaParameters: number;
  /** Numbers in a state of all blocks. */
  readonly size: number;
  private readonly lanes: NativeLanes;
  private readonly layout: LaneLayout;
  private readonly entries: number;
  private readonly fields: number;
  private readonly tensorAt: number;
  private readonly globalAt: number;
  private readonly thetaAt: number;
  /** Where the point of the next gradient is: φ with attention, else θ. */
  private readonly pointAt: number;

  constructor(
    private readonly architecture: Architecture,
    private readonly lengths: readonly number[],
    readonly blocks: number,
    readonly precision: Precision = 'float32',
  ) {
    const a = architecture;
    this.lanes = createNativeLanes({ architecture: a, precision, threads: 1 });
    this.width = this.lanes.width;
    this.metaParameters = this.lanes.metaParameters;
    this.layout = { lengths, blocks };
    this.entries = this.lanes.stateEntries(this.layout);
    this.coordinates = coordinatesOf({ lengths });
    this.size = blocks * this.entries * this.width;
    this.fields = a.parameterHidden + 2 * a.timescales + 1;
    this.tensorAt = this.coordinates * this.fields;
    this.globalAt = this.tensorAt + lengths.length * (a.levels > 1 ? a.tensorHidden : 0);
    this.thetaAt = this.globalAt + (a.levels > 2 ? a.globalHidden : 0);
    this.pointAt = this.thetaAt + (a.attention ? this.coordinates : 0);
  }

  /** A zeroed array in this precision. */
  array(length: number): FloatArray {
    return this.precision === 'float32' ? alignedFloat32Array(length) : new Float64Array(length);
  }

  private at(block: number, entry: number): number {
    return (block * this.entries + entry) * this.width;
  }

  /**
   * Puts a lane into the initial state; θ stays.
   * @param initial the three learned initial states of this lane's weights, at the head of the flat vector
   * @param logRates η, [coordinates]
   */
  reset(
    state: FloatArray,
    block: number,
    lane: number,
    initial: (index: number) => number,
    logRates: ArrayLike<number>,
  ): void {
    const { architecture: a, width, fields } = this;
    const H = a.parameterHidden;
    for (let i = 0; i < this.coordinates; i++) {
      const base = this.at(block, i * fields) + lane;
      for (let f = 0; f < fields; f++) state[base + f * width] = f < H ? initial(f) : 0;
      state[base + (fields - 1) * width] = logRates[i];
    }
    if (a.levels > 1) {
      for (let t = 0; t < this.lengths.length; t++) {
        for (let j = 0; j < a.tensorHidden; j++) {
          state[this.at(block, this.tensorAt + t * a.tensorHidden + j) + lane] = initial(H + j);
        }
      }
    }
    if (a.levels > 2) {
      for (let j = 0; j < a.globalHidden; j++) {
        state[this.at(block, this.globalAt + j) + lane] = initial(H + a.tensorHidden + j);
      }
    }
  }

  /**
   * The reverse of `reset`: what the adjoint of a lane's initial state says about the learned initial states.
   * @param add called with an index of the flat vector and what to add there
   */
  initialAdjoint(adjoint: FloatArray, block: number, lane: number, add: (index: number, value: number) => void): void {
    const { architecture: a, width, fields } = this;
    const H = a.parameterHidden;
    for (let i = 0; i < this.coordinates; i++) {
      const base = this.at(block, i * fields) + lane;
      for (let f = 0; f < H; f++) add(f, adjoint[base + f * width]);
    }
    if (a.levels > 1) {
      for (let t = 0; t < this.lengths.length; t++) {
        for (let j = 0; j < a.tensorHidden; j++) {
          add(H + j, adjoint[this.at(block, this.tensorAt + t * a.tensorHidden + j) + lane]);
        }
      }
    }
    if (a.levels > 2) {
      for (let j = 0; j < a.globalHidden; j++) {
        add(H + a.tensorHidden + j, adjoint[this.at(block, this.globalAt + j) + lane]);
      }
    }
  }

  /** Zeroes a lane. */
  clear(state: FloatArray, block: number, lane: number): void {
    for (let k = this.at(block, 0) + lane; k < this.at(block + 1, 0); k += this.width) state[k] = 0;
  }

  /** θ of all problems into `theta`, [blocks][coordinates][width]. */
  readTheta(state: FloatArray, theta: FloatArray): void {
    this.read(state, this.thetaAt, theta);
  }

  /** The points at which the problems' next gradients are wanted: φ with attention, else θ. */
  readPoint(state: FloatArray, point: FloatArray): void {
    this.read(state, this.pointAt, point);
  }

  private read(state: FloatArray, entry: number, out: FloatArray): void {
    const size = this.coordinates * this.width;
    for (let b = 0; b < this.blocks; b++) {
      const from = this.at(b, entry);
      out.set(state.subarray(from, from + size), b * size);
    }
  }

  /** Sets θ, and the point of the next gradient, of one lane from `theta`, [blocks][coordinates][width]. */
  writeTheta(state: FloatArray, block: number, lane: number, theta: FloatArray): void {
    for (let i = 0; i < this.coordinates; i++) {
      const value = theta[(block * this.coordinates + i) * this.width + lane];
      state[this.at(block, this.thetaAt + i) + lane] = value;
      state[this.at(block, this.pointAt + i) + lane] = value;
    }
  }

  /** Adds to the adjoint of θ, [blocks][coordinates][width]. */
  addToTheta(adjoint: FloatArray, added: FloatArray): void {
    this.add(adjoint, this.thetaAt, added);
  }

  /** Adds to the adjoint of the points of the next gradients. */
  addToPoint(adjoint: FloatArray, added: FloatArray): void {
    this.add(adjoint, this.pointAt, added);
  }

  private add(adjoint: FloatArray, entry: number, added: FloatArray): void {
    const size = this.coordinates * this.width;
    for (let b = 0, k = 0; b < this.blocks; b++) {
      const from = this.at(b, entry);
      for (let i = 0; i < size; i++) adjoint[from + i] += added[k++];
    }
  }

  /**
   * @param weights [metaParameters], or [blocks][metaParameters][width]: a set per lane
   * @param gradient at the points of `state`, [blocks][coordinates][width]
   * @param next out; may be `state`
   */
  step(weights: FloatArray, state: FloatArray, gradient: FloatArray, next: FloatArray): void {
    const weightsPerLane = weights.length !== this.metaParameters;
    this.lanes.step({ ...this.layout, weights, weightsPerLane, state, gradient, next });
  }

  /** As of `NativeLanes`. */
  stepBackward(request: Omit<LaneStepBackward, keyof LaneLayout>): void {
    this.lanes.stepBackward({ ...this.layout, ...request });
  }
}
