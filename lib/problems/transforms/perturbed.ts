import type { Random } from '../../random';
import type { Batch, Objective } from '../objective';

/** An objective whose gradient is seen through one more perturbation; value and derivatives are unchanged. */
export class PerturbedObjective implements Objective {
  readonly parameters: Objective['parameters'];
  readonly sampleCount: number;
  readonly batchSize: number;

  /** @param draw updates keep and noise in place, after those of `inner` */
  constructor(
    readonly name: string,
    readonly inner: Objective,
    private readonly draw: (random: Random, keep: Float64Array, noise: Float64Array) => void,
  ) {
    this.parameters = inner.parameters;
    this.sampleCount = inner.sampleCount;
    this.batchSize = inner.batchSize;
  }

  start(random: Random): Float64Array {
    return this.inner.start(random);
  }

  value(theta: Float64Array, batch: Batch): number {
    return this.inner.value(theta, batch);
  }

  gradient(theta: Float64Array, out: Float64Array, batch: Batch): number {
    return this.inner.gradient(theta, out, batch);
  }

  hessianVectorProduct(theta: Float64Array, v: Float64Array, out: Float64Array, batch: Batch): void {
    this.inner.hessianVectorProduct(theta, v, out, batch);
  }

  perturb(theta: Float64Array, batch: Batch, random: Random, keep: Float64Array, noise: Float64Array): void {
    this.inner.perturb?.(theta, batch, random, keep, noise);
    this.draw(random, keep, noise);
  }
}
