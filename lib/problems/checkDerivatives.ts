import { createRandom, type Random } from '../random';
import { dot } from './matrix';
import { dimensionOf, tensorsOf, type Batch, type Objective } from './objective';

export interface DerivativeCheckOptions {
  /** Of the start, the directions and the minibatch. Default 0. */
  readonly seed?: number;
  /** Where; default: a start of the objective. */
  readonly theta?: Float64Array;
  /** Default: a random minibatch, or null for an objective without data. */
  readonly batch?: Batch;
  /** Random directions. Default 4. */
  readonly directions?: number;
  /** Length of a difference, relative to the root mean square of each tensor. Default 1e-4. */
  readonly step?: number;
  /** Relative rounding error of value and gradient. Default 16·2⁻⁵² (double precision). */
  readonly rounding?: number;
}

/** Largest disagreement over the directions; 0 is perfect, 1 means nothing agrees. */
export interface DerivativeCheck {
  /** |v·∇f − difference of f along v|, relative to the larger of them, or to √(mean (v_i ∂f/∂θ_i)²) if that is larger. */
  readonly gradientError: number;
  /** ‖∇²f·v − difference of ∇f along v‖, relative to the larger of them. */
  readonly productError: number;
  /** |value − what `gradient` returns|, relative. */
  readonly valueError: number;
}

/**
 * Compares an objective's gradient with differences of its value, and its Hessian–vector products with differences of its
 * gradient: central, in double precision, one step of Richardson extrapolation (error ∝ step⁴). What the rounding of f
 * explains is no error. For objectives that users write, and for the tests of those that are here: where f is smooth, errors
 * are below 1e-6.
 */
export function checkDerivatives(objective: Objective, options: DerivativeCheckOptions = {}): DerivativeCheck {
  const random = createRandom(options.seed ?? 0, 3);
  const n = dimensionOf(objective);
  const theta = options.theta ?? objective.start(random);
  const batch = options.batch === undefined ? randomBatch(objective, random) : options.batch;
  const step = options.step ?? 1e-4;
  const rounding = options.rounding ?? 16 * Number.EPSILON;
  const gradient = new Float64Array(n);
  const product = new Float64Array(n);
  const value = objective.value(theta, batch);
  const returned = objective.gradient(theta, gradient, batch);
  let [gradientError, productError] = [0, 0];
  for (let k = 0; k < (options.directions ?? 4); k++) {
    const v = direction(objective, theta, random);
    const slope = richardson((h) => {
      const [above, below] = [h, -h].map((t) => objective.value(along(theta, v, t), batch));
      return Float64Array.of((above - below) / (2 * h));
    }, step)[0];
    const exact = dot(v, gradient);
    const typical = Math.sqrt(v.reduce((sum, vi, i) => sum + (vi * gradient[i]) ** 2, 0) / n);
    gradientError = largerError(
      gradientError,
      beyond(exact - slope, (rounding * Math.abs(value)) / step),
      Math.max(Math.abs(exact), Math.abs(slope), typical),
    );

    objective.hessianVectorProduct(theta, v, product, batch);
    const change = richardson((h) => {
      const [above, below] = [h, -h].map((t) => {
        const out = new Float64Array(n);
        objective.gradient(along(theta, v, t), out, batch);
        return out;
      });
      return above.map((g, i) => (g - below[i]) / (2 * h));
    }, step);
    productError = largerError(
      productError,
      beyond(norm(product.map((p, i) => p - change[i])), (rounding * norm(gradient)) / step),
      Math.max(norm(product), norm(change)),
    );
  }
  return { gradientError, productError, valueError: largerError(0, value - returned, Math.abs(value)) };
}

/** A minibatch of the objective's size; null without data. */
export function randomBatch({ sampleCount, batchSize }: Objective, random: Random): Batch {
  return sampleCount === 0 ? null : Int32Array.from({ length: batchSize }, () => random.integer(sampleCount));
}

/** Normal numbers of the size of the tensors' values. */
function direction(objective: Objective, theta: Float64Array, random: Random): Float64Array {
  const v = theta.slice();
  for (const tensor of tensorsOf(objective, v)) {
    const scale = norm(tensor) / Math.sqrt(tensor.length) || 1;
    for (let i = 0; i < tensor.length; i++) tensor[i] = scale * random.normal();
  }
  return v;
}

/** The part of a difference that is beyond rounding. */
function beyond(difference: number, rounding: number): number {
  return Math.max(0, Math.abs(difference) - rounding);
}

function along(theta: Float64Array, v: Float64Array, t: number): Float64Array {
  return theta.map((value, i) => value + t * v[i]);
}

function richardson(difference: (h: number) => Float64Array, h: number): Float64Array {
  const [coarse, fine] = [difference(h), difference(h / 2)];
  return fine.map((value, i) => (4 * value - coarse[i]) / 3);
}

function norm(values: Float64Array): number {
  return Math.sqrt(dot(values, values));
}

/** NaN counts as the largest error. */
function largerError(before: number, difference: number, scale: number): number {
  const error = difference === 0 ? 0 : Math.abs(difference) / scale;
  return Number.isNaN(error) ? Infinity : Math.max(error, before);
}
