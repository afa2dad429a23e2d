import { alignedFloat32Array } from '../../bindings/index';
import { createNativeLanes } from '../../bindings/lanes';
import type { LaneLayout, NativeLanes } from '../../bindings/lanes';
import type { Architecture } from '../optimizer/architecture';
import { coordinatesOf } from '../problems/lanes/family';

/** The optimizer's state for blocks of problems, in single precision: where its parts are, and one step. */
export class LaneOptimizer {
  readonly width: number;
  readonly coordinates: number;
  readonly metaParameters: number;
  /** [blocks][entries][width] */
  readonly state: Float32Array;
  private readonly lanes: NativeLanes;
  private readonly layout: LaneLayout;
  private readonly entries: number;
  private readonly fields: number;
  private readonly tensorAt: number;
  private readonly globalAt: number;
  private readonly thetaAt: number;

  constructor(
    private readonly architecture: Architecture,
    private readonly lengths: readonly number[],
    readonly blocks: number,
  ) {
    const a = architecture;
    if (a.attention)
      throw new RangeError('architecture.attention: expected false; lookahead is not meta-trained in lanes');
    this.lanes = createNativeLanes({ architecture: a, precision: 'float32', threads: 1 });
    this.width = this.lanes.width;
    this.metaParameters = this.lanes.metaParameters;
    this.layout = { lengths, blocks };
    this.entries = this.lanes.stateEntries(this.layout);
    this.coordinates = coordinatesOf({ lengths });
    this.fields = a.parameterHidden + 2 * a.timescales + 1;
    this.tensorAt = this.coordinates * this.fields;
    this.globalAt = this.tensorAt + lengths.length * (a.levels > 1 ? a.tensorHidden : 0);
    this.thetaAt = this.globalAt + (a.levels > 2 ? a.globalHidden : 0);
    this.state = alignedFloat32Array(blocks * this.entries * this.width);
  }

  private at(block: number, entry: number): number {
    return (block * this.entries + entry) * this.width;
  }

  /**
   * Puts a lane into the initial state.
   * @param initial the three learned initial states of this lane's weights, at the head of the flat vector
   * @param logRates η, [coordinates]
   */
  reset(block: number, lane: number, initial: (index: number) => number, logRates: ArrayLike<number>): void {
    const { architecture: a, state, width, fields } = this;
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

  /** θ of all problems into `theta`, [blocks][coordinates][width]. */
  readTheta(theta: Float32Array): void {
    const size = this.coordinates * this.width;
    for (let b = 0; b < this.blocks; b++) {
      const from = this.at(b, this.thetaAt);
      theta.set(this.state.subarray(from, from + size), b * size);
    }
  }

  /** Sets θ of one lane from `theta`, [blocks][coordinates][width]. */
  writeTheta(block: number, lane: number, theta: Float32Array): void {
    for (let i = 0; i < this.coordinates; i++) {
      this.state[this.at(block, this.thetaAt + i) + lane] = theta[(block * this.coordinates + i) * this.width + lane];
    }
  }

  /** @param weights [blocks][metaParameters][width] */
  step(weights: Float32Array, gradient: Float32Array): void {
    this.lanes.step({ ...this.layout, weights, weightsPerLane: true, state: this.state, gradient, next: this.state });
  }
}
