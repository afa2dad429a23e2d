import type { Random } from '../../random';
import { dot } from '../matrix';
import { dimensionOf, type Batch, type Objective } from '../objective';

/** An increasing function φ of one number, with its first two derivatives. */
export interface OuterFunction {
  value(f: number): number;
  first(f: number): number;
  second(f: number): number;
}

/**
 * φ(f(θ)). Gradient φ'∇f; Hessian–vector product φ'∇²f·v + φ''∇f(∇f·v), as exact as the objective's own. What perturbs the
 * gradient of f is seen through φ too: its noise is multiplied by φ'.
 */
export class OuterObjective implements Objective {
  readonly parameters: Objective['parameters'];
  readonly sampleCount: number;
  readonly batchSize: number;
  readonly perturb?: Objective['perturb'];
  private readonly slope: Float64Array;

  constructor(
    readonly name: string,
    readonly inner: Objective,
    private readonly outer: OuterFunction,
  ) {
    this.parameters = inner.parameters;
    this.sampleCount = inner.sampleCount;
    this.batchSize = inner.batchSize;
    this.slope = new Float64Array(dimensionOf(inner));
    if (inner.perturb === undefined) return;
    this.perturb = (theta, batch, random, keep, noise) => {
      inner.perturb!(theta, batch, random, keep, noise);
      const first = outer.first(inner.value(theta, batch));
      for (let i = 0; i < noise.length; i++) noise[i] *= first;
    };
  }

  start(random: Random): Float64Array {
    return this.inner.start(random);
  }

  value(theta: Float64Array, batch: Batch): number {
    return this.outer.value(this.inner.value(theta, batch));
  }

  gradient(theta: Float64Array, out: Float64Array, batch: Batch): number {
    const f = this.inner.gradient(theta, out, batch);
    const first = this.outer.first(f);
    for (let i = 0; i < out.length; i++) out[i] *= first;
    return this.outer.value(f);
  }

  hessianVectorProduct(theta: Float64Array, v: Float64Array, out: Float64Array, batch: Batch): void {
    const { slope } = this;
    const f = this.inner.gradient(theta, slope, batch);
    this.inner.hessianVectorProduct(theta, v, out, batch);
    const first = this.outer.first(f);
    const along = this.outer.second(f) * dot(slope, v);
    for (let i = 0; i < out.length; i++) out[i] = first * out[i] + along * slope[i];
  }
}
