import type { Family } from '../family';
import { dot } from '../matrix';
import type { Batch } from '../objective';
import { SampledVectorObjective } from './sampledVectorObjective';
import { SecondMoments } from './secondMoments';
import { vector } from './quadratic';

const EPSILON = 1e-6;

/**
 * A winding path outwards without end: mean over the samples x of x₀/(‖θ‖ + 1e-6) + Σ_i (x_{i+1}·(θ_{i+1} − π cos θ_i))²,
 * x of zeros and ones, so the best step stays the same all along. Analytic Hessian–vector product. Start: standard normal.
 *
 * The released code sums over the batch where this takes the mean.
 */
export class OutwardSnake extends SampledVectorObjective {
  private readonly moments: SecondMoments;

  /**
   * @param samples zeros and ones, [sampleCount][size]
   * @throws {RangeError} if the samples are not so long, or fewer than a minibatch
   */
  constructor(size: number, samples: Float32Array, batchSize: number) {
    super(snakeName, size, samples, batchSize);
    this.moments = new SecondMoments(samples, size);
  }

  value(theta: Float64Array, batch: Batch): number {
    // Of zeros and ones: x² = x.
    const weights = this.moments.of(batch);
    let sum = weights[0] / (Math.sqrt(dot(theta, theta)) + EPSILON);
    for (let i = 0; i + 1 < theta.length; i++) {
      sum += weights[i + 1] * (theta[i + 1] - Math.PI * Math.cos(theta[i])) ** 2;
    }
    return sum;
  }

  gradient(theta: Float64Array, out: Float64Array, batch: Batch): number {
    const weights = this.moments.of(batch);
    const radius = Math.sqrt(dot(theta, theta));
    // At the centre the slope of the radius counts as 0.
    const pull = radius === 0 ? 0 : -weights[0] / ((radius + EPSILON) ** 2 * radius);
    for (let i = 0; i < theta.length; i++) out[i] = pull * theta[i];
    let sum = weights[0] / (radius + EPSILON);
    for (let i = 0; i + 1 < theta.length; i++) {
      const distance = theta[i + 1] - Math.PI * Math.cos(theta[i]);
      const slope = 2 * weights[i + 1] * distance;
      sum += weights[i + 1] * distance ** 2;
      out[i + 1] += slope;
      out[i] += slope * Math.PI * Math.sin(theta[i]);
    }
    return sum;
  }

  hessianVectorProduct(theta: Float64Array, v: Float64Array, out: Float64Array, batch: Batch): void {
    const weights = this.moments.of(batch);
    const radius = Math.sqrt(dot(theta, theta));
    const first = -weights[0] / (radius + EPSILON) ** 2;
    const second = (2 * weights[0]) / (radius + EPSILON) ** 3;
    const across = radius === 0 ? 0 : first / radius;
    const along = radius === 0 ? 0 : ((second - across) * dot(theta, v)) / radius ** 2;
    for (let i = 0; i < theta.length; i++) out[i] = across * v[i] + along * theta[i];
    for (let i = 0; i + 1 < theta.length; i++) {
      const weight = 2 * weights[i + 1];
      const distance = theta[i + 1] - Math.PI * Math.cos(theta[i]);
      const turn = Math.PI * Math.sin(theta[i]);
      const change = v[i + 1] + turn * v[i];
      out[i + 1] += weight * change;
      out[i] += weight * (turn * change + distance * Math.PI * Math.cos(theta[i]) * v[i]);
    }
  }
}

function snakeName(size: number, samples: number, batchSize: number): string {
  return `outward-snake-${size}-of-${samples}-batch-${batchSize}`;
}

/** Snakes with random zeros and ones as data. */
export function outwardSnakeFamily(size: number, samples: number, batchSize: number): Family {
  return {
    name: snakeName(size, samples, batchSize),
    parameters: vector(size),
    sample: (random) =>
      new OutwardSnake(
        size,
        Float32Array.from({ length: samples * size }, () => random.integer(2)),
        batchSize,
      ),
  };
}
