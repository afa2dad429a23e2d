import type { Random } from '../../random';
import { sizeOf } from '../problem';
import { dimensionOf, type Batch, type Objective } from '../objective';

/**
 * An objective of parameters that are `scale` times those of another one: f(θ/scale), start multiplied by `scale`.
 * Derivatives as exact as those of f.
 * @param scale of all tensors, or one per tensor
 * @throws {RangeError} if a scale is not positive, or their number not that of the tensors
 */
export function rescale(objective: Objective, scale: number | readonly number[]): Objective {
  const scales = typeof scale === 'number' ? objective.parameters.map(() => scale) : scale;
  if (scales.length !== objective.parameters.length) {
    throw new RangeError(
      `scale: expected ${objective.parameters.length} numbers, one per tensor, got ${scales.length}`,
    );
  }
  const wrong = scales.find((value) => !(value > 0 && value < Infinity));
  if (wrong !== undefined) throw new RangeError(`scale: expected positive numbers, got ${wrong}`);
  const name = typeof scale === 'number' ? `${objective.name}-times-${scale}` : `rescaled-${objective.name}`;
  return new RescaledObjective(name, objective, scales);
}

/** What {@link rescale} gives. */
export class RescaledObjective implements Objective {
  readonly parameters: Objective['parameters'];
  readonly sampleCount: number;
  readonly batchSize: number;
  readonly perturb?: Objective['perturb'];
  /** Factor of each coordinate. */
  private readonly scale: Float64Array;
  private readonly z: Float64Array;
  private readonly w: Float64Array;

  constructor(
    readonly name: string,
    readonly inner: Objective,
    /** One per tensor. */
    readonly scales: readonly number[],
  ) {
    this.parameters = inner.parameters;
    this.sampleCount = inner.sampleCount;
    this.batchSize = inner.batchSize;
    const n = dimensionOf(inner);
    this.scale = Float64Array.from(
      inner.parameters.flatMap((parameter, t) => Array.from({ length: sizeOf(parameter) }, () => scales[t])),
    );
    this.z = new Float64Array(n);
    this.w = new Float64Array(n);
    if (inner.perturb === undefined) return;
    this.perturb = (theta, batch, random, keep, noise) => {
      inner.perturb!(this.unscale(theta, this.z), batch, random, keep, noise);
      this.unscale(noise, noise);
    };
  }

  private unscale(values: Float64Array, out: Float64Array): Float64Array {
    for (let i = 0; i < out.length; i++) out[i] = values[i] / this.scale[i];
    return out;
  }

  start(random: Random): Float64Array {
    return this.inner.start(random).map((value, i) => value * this.scale[i]);
  }

  value(theta: Float64Array, batch: Batch): number {
    return this.inner.value(this.unscale(theta, this.z), batch);
  }

  gradient(theta: Float64Array, out: Float64Array, batch: Batch): number {
    const value = this.inner.gradient(this.unscale(theta, this.z), out, batch);
    this.unscale(out, out);
    return value;
  }

  hessianVectorProduct(theta: Float64Array, v: Float64Array, out: Float64Array, batch: Batch): void {
    this.inner.hessianVectorProduct(this.unscale(theta, this.z), this.unscale(v, this.w), out, batch);
    this.unscale(out, out);
  }
}
