import type { Random } from '../../random';
import { joinParameters } from '../family';
import { dot } from '../matrix';
import { dimensionOf, type Batch, type Objective } from '../objective';

/** A function of several numbers, with derivatives. */
export interface Combiner {
  value(values: Float64Array): number;
  /** ∂/∂values, into `out` */
  slopes(values: Float64Array, out: Float64Array): void;
  /** Derivative of the slopes along `direction`, into `out` */
  curvature(values: Float64Array, direction: Float64Array, out: Float64Array): void;
}

/**
 * Several objectives, each with tensors of its own, as one: a function of their values. Derivatives by the chain rule, as
 * exact as those of the parts; what perturbs a part's gradient is multiplied by its slope.
 *
 * Parts with data: sample i is sample i mod (its count) of every part, and the number of samples the least common multiple
 * of theirs, so that a uniform sample is uniform for every part.
 */
export class Combination implements Objective {
  readonly parameters: Objective['parameters'];
  readonly sampleCount: number;
  readonly batchSize: number;
  readonly perturb?: Objective['perturb'];
  private readonly offsets: readonly number[];
  private readonly values: Float64Array;
  private readonly slopes: Float64Array;
  private readonly directions: Float64Array;
  private readonly changes: Float64Array;
  private readonly partGradients: readonly Float64Array[];

  /** @throws {RangeError} if there are no parts, or too many samples to count */
  constructor(
    readonly name: string,
    readonly parts: readonly Objective[],
    private readonly combiner: Combiner,
  ) {
    if (parts.length === 0) throw new RangeError('parts: expected at least one objective, got none');
    this.parameters = joinParameters(parts);
    const counts = parts.map((part) => part.sampleCount).filter((count) => count > 0);
    this.sampleCount = counts.reduce(leastCommonMultiple, counts.length > 0 ? 1 : 0);
    if (this.sampleCount >= 2 ** 31) {
      throw new RangeError(`parts: expected sample counts with a small common multiple, got ${counts.join(', ')}`);
    }
    this.batchSize = Math.max(...parts.map((part) => part.batchSize));
    this.partGradients = parts.map((part) => new Float64Array(dimensionOf(part)));
    let from = 0;
    this.offsets = this.partGradients.map(({ length }) => {
      from += length;
      return from - length;
    });
    const numbers = (): Float64Array => new Float64Array(parts.length);
    [this.values, this.slopes, this.directions, this.changes] = [numbers(), numbers(), numbers(), numbers()];
    if (parts.every((part) => part.perturb === undefined)) return;
    this.perturb = (theta, batch, random, keep, noise) => {
      this.evaluate(theta, batch);
      combiner.slopes(this.values, this.slopes);
      parts.forEach((part, p) => {
        if (part.perturb === undefined) return;
        const ownNoise = this.own(noise, p);
        part.perturb(this.own(theta, p), this.ownBatch(batch, p), random, this.own(keep, p), ownNoise);
        for (let i = 0; i < ownNoise.length; i++) ownNoise[i] *= this.slopes[p];
      });
    };
  }

  /** Share of a part in a flat array. */
  private own(array: Float64Array, part: number): Float64Array {
    const from = this.offsets[part];
    return array.subarray(from, from + this.partGradients[part].length);
  }

  private ownBatch(batch: Batch, part: number): Batch {
    const { sampleCount } = this.parts[part];
    if (batch === null || sampleCount === 0) return null;
    return sampleCount === this.sampleCount ? batch : batch.map((index) => index % sampleCount);
  }

  private evaluate(theta: Float64Array, batch: Batch): void {
    this.parts.forEach((part, p) => (this.values[p] = part.value(this.own(theta, p), this.ownBatch(batch, p))));
  }

  start(random: Random): Float64Array {
    const theta = new Float64Array(dimensionOf(this));
    this.parts.forEach((part, p) => theta.set(part.start(random), this.offsets[p]));
    return theta;
  }

  value(theta: Float64Array, batch: Batch): number {
    this.evaluate(theta, batch);
    return this.combiner.value(this.values);
  }

  gradient(theta: Float64Array, out: Float64Array, batch: Batch): number {
    const { parts, values, slopes, combiner } = this;
    parts.forEach((part, p) => {
      values[p] = part.gradient(this.own(theta, p), this.own(out, p), this.ownBatch(batch, p));
    });
    combiner.slopes(values, slopes);
    parts.forEach((_, p) => {
      const gradient = this.own(out, p);
      for (let i = 0; i < gradient.length; i++) gradient[i] *= slopes[p];
    });
    return combiner.value(values);
  }

  hessianVectorProduct(theta: Float64Array, v: Float64Array, out: Float64Array, batch: Batch): void {
    const { parts, values, slopes, directions, changes, partGradients, combiner } = this;
    parts.forEach((part, p) => {
      values[p] = part.gradient(this.own(theta, p), partGradients[p], this.ownBatch(batch, p));
      directions[p] = dot(partGradients[p], this.own(v, p));
    });
    combiner.slopes(values, slopes);
    combiner.curvature(values, directions, changes);
    parts.forEach((part, p) => {
      const product = this.own(out, p);
      part.hessianVectorProduct(this.own(theta, p), this.own(v, p), product, this.ownBatch(batch, p));
      for (let i = 0; i < product.length; i++) product[i] = slopes[p] * product[i] + changes[p] * partGradients[p][i];
    });
  }
}

function leastCommonMultiple(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y !== 0) [x, y] = [y, x % y];
  return (a / x) * b;
}
