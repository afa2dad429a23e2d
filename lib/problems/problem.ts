/** Name and shape of one parameter tensor. */
export interface ParameterShape {
  readonly name: string;
  /** Row-major. */
  readonly shape: readonly number[];
}

/**
 * An objective with its gradient, on plain arrays. Parameters and gradients are lists of `Float32Array`s in the order of
 * `parameters`.
 */
export interface Problem {
  readonly name: string;
  readonly parameters: readonly ParameterShape[];
  /** Number of data samples; 0 for a problem without data. */
  readonly sampleCount: number;
  /** Samples in a minibatch. */
  readonly batchSize: number;
  /** Fresh start values, the same for the same seed. */
  initial(seed: number): Float32Array[];
  /**
   * Mean loss over a minibatch; its gradient replaces the content of `gradients`.
   * @param batch indices of samples, each in [0, sampleCount); unused by a problem without data.
   */
  lossAndGradient(parameters: readonly Float32Array[], batch: Int32Array, gradients: readonly Float32Array[]): number;
  /** Mean loss over all samples. */
  fullLoss(parameters: readonly Float32Array[]): number;
}

/** Number of values in a tensor of this shape. */
export function sizeOf({ shape }: ParameterShape): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Arrays of zeros for the problem's parameters. */
export function zerosLike(problem: Problem): Float32Array[] {
  return problem.parameters.map((parameter) => new Float32Array(sizeOf(parameter)));
}
