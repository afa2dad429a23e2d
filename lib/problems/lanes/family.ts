import { alignedFloat32Array } from '../../../bindings/index';
import type { FloatArray, Precision } from '../../../bindings/types';
import type { Random } from '../../random';

/**
 * A family of small problems that are advanced side by side, `width` of them in the lanes of a block. Arrays over
 * problems are [blocks][entries][width].
 */
export interface LaneFamily {
  readonly name: string;
  /** Coordinates of each tensor, the same for all members. */
  readonly lengths: readonly number[];
  /** Longest trajectory of a member, as a multiple of the corpus's: families that converge early stop teaching. */
  readonly horizonFactor: number;
  /** Probability that a member gets sparse gradients, and additive gradient noise. */
  readonly sparseProbability: number;
  readonly noiseProbability: number;
  /**
   * Memory for members in all lanes of `blocks` blocks.
   * @param precision of their arrays and of those that they are called with; default single
   */
  create(blocks: number, width: number, precision?: Precision): LaneMembers;
}

/** How members are drawn. */
export interface SamplingOptions {
  /** Probability that a member with data can be fitted (nearly) exactly, and that noise shrinks with the loss. */
  readonly interpolation: number;
  /** Probability that a member saturates: v → c·v/(v + c), or Brier loss in place of cross entropy. */
  readonly saturation: number;
}

/** Members of a family in their lanes. */
export interface LaneMembers {
  /**
   * Draws one member and puts it into all `lanes` of a block (two of them for an antithetic pair).
   * @returns its start θ, [coordinates]
   */
  sample(block: number, lanes: readonly number[], random: Random, options: SamplingOptions): Float64Array;
  /**
   * Objective on all data, and the gradient of the next minibatch (or of the objective itself where there are no data).
   * @param theta [blocks][coordinates][width]
   * @param value out, [blocks][width]; null: not wanted
   * @param gradient out, like theta; null: not wanted
   * @param random draws the minibatches, one for all problems of a block
   */
  evaluate(theta: FloatArray, value: FloatArray | null, gradient: FloatArray | null, random: Random): void;
  /** Objective on all data and its gradient; draws nothing. Members without minibatches leave it out: `evaluate` gives both. */
  evaluateAll?(theta: FloatArray, value: FloatArray, gradient: FloatArray): void;
  /**
   * Product of a vector with the Hessian of the loss whose gradient `evaluate` would give now; draws as `evaluate` would.
   * Without it a product is the central difference of two such gradients.
   * @param vector like theta
   * @param product out, like theta
   */
  hessianVectorProduct?(theta: FloatArray, vector: FloatArray, product: FloatArray, random: Random): void;
  /**
   * The arrays that change after a member has been drawn, live. A checkpoint stores them, draws every member again from
   * its own random numbers, and puts them back.
   */
  running(): readonly RunningArray[];
}

/** State of members between two steps. */
export type RunningArray = Float32Array | Float64Array | Int32Array | Uint8Array;

export function coordinatesOf({ lengths }: { readonly lengths: readonly number[] }): number {
  return lengths.reduce((a, b) => a + b, 0);
}

/** A zeroed array. */
export function laneArray(precision: Precision, length: number): FloatArray {
  return precision === 'float32' ? alignedFloat32Array(length) : new Float64Array(length);
}

/** Writes one number per entry into some lanes of a block. */
export function fillLanes(
  array: FloatArray,
  width: number,
  block: number,
  lanes: readonly number[],
  values: ArrayLike<number>,
): void {
  const base = block * values.length * width;
  for (let i = 0; i < values.length; i++) {
    for (const lane of lanes) array[base + i * width + lane] = values[i];
  }
}

/** 10^U(low, high) */
export function powerOfTen(random: Random, low: number, high: number): number {
  return 10 ** (low + (high - low) * random.uniform());
}
