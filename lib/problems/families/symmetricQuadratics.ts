import type { Random } from '../../random';
import { checkBatchSize, checkPositiveInteger, rowsOf } from '../checks';
import type { Family } from '../family';
import { normalStart, type Batch, type Objective } from '../objective';
import type { ParameterShape } from '../problem';
import { vector } from './quadratic';
import { SecondMoments } from './secondMoments';

const EPSILON = 1e-12;

/**
 * Sum of quadratics: mean over the samples x of ‖θ − x‖² − ‖x‖², + 1e-12. The samples come in pairs ±x, so on all of them
 * this is ‖θ‖²; on a minibatch it may be negative. Hessian–vector product 2v. Start: standard normal.
 *
 * The released code sums over the batch where this takes the mean.
 */
export class SumOfQuadratics implements Objective {
  readonly name: string;
  readonly parameters: readonly ParameterShape[];
  readonly sampleCount: number;
  private readonly mean: Float64Array;

  /**
   * @param samples pairs ±x, [sampleCount][size]
   * @throws {RangeError} if the samples are not so long, or fewer than a minibatch
   */
  constructor(
    readonly size: number,
    readonly samples: Float32Array,
    readonly batchSize: number,
  ) {
    checkPositiveInteger('size', size);
    this.sampleCount = rowsOf('samples', samples, size);
    checkBatchSize(batchSize, this.sampleCount);
    this.name = quadraticsName('sum', size, this.sampleCount, batchSize);
    this.parameters = vector(size);
    this.mean = new Float64Array(size);
  }

  start(random: Random): Float64Array {
    return normalStart(this.size, random);
  }

  private meanOf(batch: Batch): Float64Array {
    const { mean, samples, size } = this;
    mean.fill(0);
    // Of all samples it is zero.
    if (batch === null) return mean;
    for (const sample of batch) {
      for (let i = 0, at = sample * size; i < size; i++, at++) mean[i] += samples[at] / batch.length;
    }
    return mean;
  }

  value(theta: Float64Array, batch: Batch): number {
    const mean = this.meanOf(batch);
    let sum = EPSILON;
    for (let i = 0; i < theta.length; i++) sum += theta[i] * (theta[i] - 2 * mean[i]);
    return sum;
  }

  gradient(theta: Float64Array, out: Float64Array, batch: Batch): number {
    const mean = this.meanOf(batch);
    let sum = EPSILON;
    for (let i = 0; i < theta.length; i++) {
      out[i] = 2 * (theta[i] - mean[i]);
      sum += theta[i] * (theta[i] - 2 * mean[i]);
    }
    return sum;
  }

  hessianVectorProduct(_theta: Float64Array, v: Float64Array, out: Float64Array): void {
    for (let i = 0; i < v.length; i++) out[i] = 2 * v[i];
  }
}

/**
 * Projection quadratic: mean over the samples x of Σ_i (θ_i x_i)². Analytic Hessian–vector product. Start: standard normal.
 *
 * The released code sums over the batch where this takes the mean.
 */
export class ProjectionQuadratic implements Objective {
  readonly name: string;
  readonly parameters: readonly ParameterShape[];
  readonly sampleCount: number;
  private readonly moments: SecondMoments;

  /**
   * @param samples [sampleCount][size]
   * @throws {RangeError} if the samples are not so long, or fewer than a minibatch
   */
  constructor(
    readonly size: number,
    readonly samples: Float32Array,
    readonly batchSize: number,
  ) {
    checkPositiveInteger('size', size);
    this.sampleCount = rowsOf('samples', samples, size);
    checkBatchSize(batchSize, this.sampleCount);
    this.name = quadraticsName('projection', size, this.sampleCount, batchSize);
    this.parameters = vector(size);
    this.moments = new SecondMoments(samples, size);
  }

  start(random: Random): Float64Array {
    return normalStart(this.size, random);
  }

  value(theta: Float64Array, batch: Batch): number {
    const weights = this.moments.of(batch);
    let sum = 0;
    for (let i = 0; i < theta.length; i++) sum += weights[i] * theta[i] * theta[i];
    return sum;
  }

  gradient(theta: Float64Array, out: Float64Array, batch: Batch): number {
    this.hessianVectorProduct(theta, theta, out, batch);
    return this.value(theta, batch);
  }

  hessianVectorProduct(_theta: Float64Array, v: Float64Array, out: Float64Array, batch: Batch): void {
    const weights = this.moments.of(batch);
    for (let i = 0; i < v.length; i++) out[i] = 2 * weights[i] * v[i];
  }
}

function quadraticsName(kind: 'sum' | 'projection', size: number, samples: number, batchSize: number): string {
  return `${kind === 'sum' ? 'sum-of-quadratics' : 'projection-quadratic'}-${size}-of-${samples}-batch-${batchSize}`;
}

/** Standard normal samples and their negatives, [samples][size]. */
function symmetricSamples(size: number, samples: number, random: Random): Float32Array {
  const half = Float32Array.from({ length: (samples / 2) * size }, () => random.normal());
  const all = new Float32Array(samples * size);
  all.set(half);
  all.set(
    half.map((x) => -x),
    half.length,
  );
  return all;
}

/** Sums of quadratics (`sum`) or projection quadratics on ± pairs of normal samples; `samples` is even. */
export function symmetricQuadraticFamily(
  kind: 'sum' | 'projection',
  size: number,
  samples: number,
  batchSize: number,
): Family {
  if (samples % 2 !== 0) throw new RangeError(`samples: expected an even number, got ${samples}`);
  const Kind = kind === 'sum' ? SumOfQuadratics : ProjectionQuadratic;
  return {
    name: quadraticsName(kind, size, samples, batchSize),
    parameters: vector(size),
    sample: (random) => new Kind(size, symmetricSamples(size, samples, random), batchSize),
  };
}
