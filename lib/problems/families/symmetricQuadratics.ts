import type { Random } from '../../random';
import type { Family } from '../family';
import type { Batch } from '../objective';
import { SampledVectorObjective } from './sampledVectorObjective';
import { vector } from './quadratic';
import { SecondMoments } from './secondMoments';

const EPSILON = 1e-12;

/**
 * Sum of quadratics: mean over the samples x of ‖θ − x‖² − ‖x‖², + 1e-12. The samples come in pairs ±x, so on all of them
 * this is ‖θ‖²; on a minibatch it may be negative. Hessian–vector product 2v. Start: standard normal.
 *
 * The released code sums over the batch where this takes the mean.
 */
export class SumOfQuadratics extends SampledVectorObjective {
  private readonly mean: Float64Array;

  /**
   * @param samples pairs ±x, [sampleCount][size]
   * @throws {RangeError} if the samples are not so long, or fewer than a minibatch
   */
  constructor(size: number, samples: Float32Array, batchSize: number) {
    super((...sizes) => quadraticsName('sum', ...sizes), size, samples, batchSize);
    this.mean = new Float64Array(size);
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
export class ProjectionQuadratic extends SampledVectorObjective {
  private readonly moments: SecondMoments;

  /**
   * @param samples [sampleCount][size]
   * @throws {RangeError} if the samples are not so long, or fewer than a minibatch
   */
  constructor(size: number, samples: Float32Array, batchSize: number) {
    super((...sizes) => quadraticsName('projection', ...sizes), size, samples, batchSize);
    this.moments = new SecondMoments(samples, size);
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
