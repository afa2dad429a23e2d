import { alignedFloat32Array } from '../../bindings/index';
import type { Architecture } from '../optimizer/architecture';
import { LaneStates } from './laneStates';

/** One state of the optimizer for blocks of problems, in single precision, advanced in place. */
export class LaneOptimizer {
  readonly width: number;
  readonly coordinates: number;
  readonly metaParameters: number;
  /** [blocks][entries][width] */
  readonly state: Float32Array;
  private readonly states: LaneStates;

  constructor(
    architecture: Architecture,
    lengths: readonly number[],
    readonly blocks: number,
  ) {
    this.states = new LaneStates(architecture, lengths, blocks);
    this.width = this.states.width;
    this.coordinates = this.states.coordinates;
    this.metaParameters = this.states.metaParameters;
    this.state = alignedFloat32Array(this.states.size);
  }

  /** As of `LaneStates`. */
  reset(block: number, lane: number, initial: (index: number) => number, logRates: ArrayLike<number>): void {
    this.states.reset(this.state, block, lane, initial, logRates);
  }

  /** θ of all problems into `theta`, [blocks][coordinates][width]. */
  readTheta(theta: Float32Array): void {
    this.states.readTheta(this.state, theta);
  }

  /** The points at which the next gradients are wanted: φ with attention, else θ; like θ. */
  readPoint(point: Float32Array): void {
    this.states.readPoint(this.state, point);
  }

  /** Sets θ of one lane from `theta`, [blocks][coordinates][width]. */
  writeTheta(block: number, lane: number, theta: Float32Array): void {
    this.states.writeTheta(this.state, block, lane, theta);
  }

  /** @param weights [blocks][metaParameters][width] */
  step(weights: Float32Array, gradient: Float32Array): void {
    this.states.step(weights, this.state, gradient, this.state);
  }
}
