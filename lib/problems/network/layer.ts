import type { Random } from '../../random';
import type { ParameterShape } from '../problem';

/**
 * One layer of a {@link Network}: a function of a block of rows, with its exact gradient. Values are row-major in double
 * precision. A layer keeps what its backward pass needs from the last forward pass, so the two always come in pairs.
 */
export interface Layer {
  /** Values per row. */
  readonly inputSize: number;
  readonly outputSize: number;
  /** Named within the layer. */
  readonly parameters: readonly ParameterShape[];
  /** Start values, one array per parameter. */
  start(random: Random): Float32Array[];
  /** Computes `output[rows][outputSize]` from `input[rows][inputSize]`. */
  forward(parameters: readonly Float64Array[], input: Float64Array, output: Float64Array, rows: number): void;
  /**
   * Writes the gradients of the loss, given that with respect to the output; `input` and `output` are those of the last
   * forward pass. The first layer of a network gets no `inputGradient`.
   */
  backward(
    parameters: readonly Float64Array[],
    input: Float64Array,
    output: Float64Array,
    outputGradient: Float64Array,
    inputGradient: Float64Array | undefined,
    gradients: readonly Float64Array[],
    rows: number,
  ): void;
}

/** An array of at least `length` values: the one given where it is long enough, else a new one. */
export function reserve(array: Float64Array, length: number): Float64Array {
  return array.length >= length ? array : new Float64Array(length);
}
