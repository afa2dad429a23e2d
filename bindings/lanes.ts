import type { Architecture, FloatArray, Precision } from './types';
import { loadAddon } from './load';

/** The problems of a call: `blocks` blocks of `width` problems each, all with tensors of these lengths. */
export interface LaneLayout {
  readonly lengths: readonly number[];
  readonly blocks: number;
}

/**
 * One step of the whole optimizer, three levels, for all problems. Every array is [blocks][entries][width], with the
 * entries of the state in this order: of each coordinate hidden, ḡ, λ, η; of each tensor its state; the global state;
 * of each coordinate θ; with attention of each coordinate φ, the point of its next gradient.
 */
export interface LaneStep extends LaneLayout {
  /** [metaParameters], or [blocks][metaParameters][width] with `weightsPerLane`. */
  readonly weights: FloatArray;
  readonly weightsPerLane: boolean;
  readonly state: FloatArray;
  readonly gradient: FloatArray;
  /** Out; may be `state` itself. */
  readonly next: FloatArray;
}

/** The reverse of a step: `state` and `gradient` are those that went into it. */
export interface LaneStepBackward extends LaneLayout {
  /** [metaParameters] */
  readonly weights: FloatArray;
  readonly state: FloatArray;
  readonly gradient: FloatArray;
  /** In: adjoint of the new state. Out: adjoint of the old one, as far as it does not go through the gradient. */
  readonly adjoint: FloatArray;
  /** Out: adjoint of the gradient. */
  readonly gradientAdjoint: FloatArray;
  /** Added to: [blocks][metaParameters][width]. */
  readonly weightsAdjoint: FloatArray;
}

/** Steps of many small problems side by side, one in every lane of a SIMD pack. */
export interface NativeLanes {
  /** Problems per block: 16 in single, 1 in double precision. */
  readonly width: number;
  /** Length of the flat vector of meta-parameters, in the order of `metaParameterShapes`. */
  readonly metaParameters: number;
  /** Entries of a block's state. */
  stateEntries(layout: LaneLayout): number;
  /** @throws TypeError or RangeError naming the argument; nothing has changed then */
  step(request: LaneStep): void;
  /** @throws TypeError or RangeError naming the argument; nothing has changed then */
  stepBackward(request: LaneStepBackward): void;
}

export interface NativeLanesOptions {
  readonly architecture: Architecture;
  readonly precision: Precision;
  /** 0: as many as the process may use. The result does not depend on it. */
  readonly threads: number;
}

/** @throws TypeError or RangeError naming the argument; Error when the addon cannot be loaded */
export function createNativeLanes(options: NativeLanesOptions): NativeLanes {
  const addon = loadAddon() as { readonly NativeLanes: new (options: NativeLanesOptions) => NativeLanes };
  return new addon.NativeLanes(options);
}

/** Σ_r (|a_r·x − b_r| + 1e-6)^p of many problems, p one per problem. Arrays are [blocks][entries][width]. */
export interface LaneResiduals {
  readonly blocks: number;
  readonly threads: number;
  readonly rows: number;
  readonly columns: number;
  /** Entries [rows][columns]. */
  readonly matrix: FloatArray;
  readonly target: FloatArray;
  readonly exponent: FloatArray;
  readonly x: FloatArray;
  /** Out, one per problem. */
  readonly value: FloatArray;
  /** Out, entries [columns]; null: the value alone. */
  readonly gradient: FloatArray | null;
}

/** Losses of `LaneRegression`. Brier: ½ Σ_c (softmax_c − [c = target])². */
export const LANE_LOSS = { softmaxCrossEntropy: 0, brier: 1, squaredError: 2 } as const;

/** Mean loss of x·W + b over samples, for many problems. Arrays are [blocks][entries][width]. */
export interface LaneRegression {
  readonly blocks: number;
  readonly threads: number;
  readonly inputs: number;
  /** At most 64. */
  readonly outputs: number;
  readonly sampleCount: number;
  /** A `LANE_LOSS` per problem; squared error for all problems or for none. */
  readonly loss: FloatArray;
  /** Entries [sampleCount][inputs]. */
  readonly samples: FloatArray;
  /** Class numbers, entries [sampleCount]; for squared error values, entries [sampleCount][outputs]. */
  readonly targets: FloatArray;
  /** [blocks][count] numbers of samples, the same for the problems of a block; null: the first `count`. */
  readonly indices: Int32Array | null;
  readonly count: number;
  /** Entries [inputs·outputs] row-major, then [outputs]. */
  readonly parameters: FloatArray;
  readonly value: FloatArray;
  readonly gradient: FloatArray | null;
}

interface LaneObjectives {
  laneResiduals(request: LaneResiduals): void;
  laneRegression(request: LaneRegression): void;
}

/** @throws TypeError or RangeError naming the argument; nothing has changed then */
export function laneResiduals(request: LaneResiduals): void {
  (loadAddon() as LaneObjectives).laneResiduals(request);
}

/** @throws TypeError or RangeError naming the argument; nothing has changed then */
export function laneRegression(request: LaneRegression): void {
  (loadAddon() as LaneObjectives).laneRegression(request);
}
