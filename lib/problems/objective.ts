import type { Random } from '../random';
import { centralHessianVectorProduct } from './differences';
import { sizeOf, type ParameterShape } from './problem';

/** Indices of the samples of a minibatch, each in [0, sampleCount); null: all samples. */
export type Batch = Int32Array | null;

/**
 * A differentiable objective in double precision, for meta-training: f(θ) ≥ 0 with exact gradient and Hessian–vector
 * product. θ is one flat array: the tensors of `parameters` one after another, each row-major ({@link tensorsOf} gives
 * views of them). An objective is not reentrant: it may keep scratch memory between and during calls.
 *
 * Users add problems of their own by implementing this interface, or with {@link defineObjective}.
 */
export interface Objective {
  readonly name: string;
  readonly parameters: readonly ParameterShape[];
  /** Number of data samples; 0 for an objective without data. */
  readonly sampleCount: number;
  /** Samples in a minibatch; 0 for an objective without data. */
  readonly batchSize: number;
  /** A fresh start θ₀, [coordinates]. */
  start(random: Random): Float64Array;
  /** f(θ): mean over the samples of the batch. Never negative on all samples. */
  value(theta: Float64Array, batch: Batch): number;
  /**
   * ∇f(θ).
   * @param out the gradient, [coordinates]; its content is replaced
   * @returns f(θ)
   */
  gradient(theta: Float64Array, out: Float64Array, batch: Batch): number;
  /**
   * ∇²f(θ)·v.
   * @param out the product, [coordinates]; its content is replaced. Neither `theta` nor `v`.
   */
  hessianVectorProduct(theta: Float64Array, v: Float64Array, out: Float64Array, batch: Batch): void;
  /**
   * For an objective whose optimizer does not see ∇f itself but keep∘∇f + noise. Draws both anew: `keep` (factors of the
   * entries) and `noise` hold those of the objective within (1 and 0 at first) and are updated in place. Absent: the
   * gradient is seen as it is. The noise counts as constant in derivatives.
   */
  perturb?(theta: Float64Array, batch: Batch, random: Random, keep: Float64Array, noise: Float64Array): void;
}

/** What {@link defineObjective} needs of an objective. */
export interface ObjectiveDefinition extends Pick<Objective, 'name' | 'parameters' | 'value' | 'gradient'> {
  /** Default 0: no data. */
  readonly sampleCount?: number;
  /** Default: all samples. */
  readonly batchSize?: number;
  /** Default: standard normal. */
  readonly start?: Objective['start'];
  /** Default: central difference of `gradient` along v, in double precision; about nine digits where f is smooth. */
  readonly hessianVectorProduct?: Objective['hessianVectorProduct'];
}

/**
 * Makes an {@link Objective} of its value and gradient.
 * @throws {RangeError} if a shape, `sampleCount` or `batchSize` is not possible
 */
export function defineObjective(definition: ObjectiveDefinition): Objective {
  const { name, parameters, sampleCount = 0 } = definition;
  const { batchSize = sampleCount } = definition;
  checkShapes(parameters);
  if (!Number.isInteger(sampleCount) || sampleCount < 0) {
    throw new RangeError(`sampleCount: expected an integer of at least 0, got ${sampleCount}`);
  }
  const fits = Number.isInteger(batchSize) && batchSize <= sampleCount && (batchSize > 0 || sampleCount === 0);
  if (!fits) throw new RangeError(`batchSize: expected an integer from 1 to ${sampleCount}, got ${batchSize}`);
  const n = dimensionOf({ parameters });
  const gradient: Objective['gradient'] = (theta, out, batch) => definition.gradient(theta, out, batch);
  return {
    name,
    parameters,
    sampleCount,
    batchSize,
    start: (random) => definition.start?.(random) ?? normalStart(n, random),
    value: (theta, batch) => definition.value(theta, batch),
    gradient,
    hessianVectorProduct:
      definition.hessianVectorProduct === undefined
        ? centralHessianVectorProduct(gradient, n)
        : (theta, v, out, batch) => definition.hessianVectorProduct!(theta, v, out, batch),
  };
}

function checkShapes(parameters: readonly ParameterShape[]): void {
  if (parameters.length === 0) throw new RangeError('parameters: expected at least one tensor, got none');
  parameters.forEach(({ shape }, i) => {
    if (shape.every((size) => Number.isInteger(size) && size > 0)) return;
    throw new RangeError(`parameters[${i}].shape: expected positive integers, got [${shape.join(', ')}]`);
  });
}

/** Number of coordinates of θ. */
export function dimensionOf({ parameters }: Pick<Objective, 'parameters'>): number {
  return parameters.reduce((sum, parameter) => sum + sizeOf(parameter), 0);
}

/** Views of the tensors in a flat array, in order. */
export function tensorsOf({ parameters }: Pick<Objective, 'parameters'>, theta: Float64Array): Float64Array[] {
  let from = 0;
  return parameters.map((parameter) => {
    const tensor = theta.subarray(from, from + sizeOf(parameter));
    from += tensor.length;
    return tensor;
  });
}

/** Standard normal numbers. */
export function normalStart(n: number, random: Random): Float64Array {
  return Float64Array.from({ length: n }, () => random.normal());
}
