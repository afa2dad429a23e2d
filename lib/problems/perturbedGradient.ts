import type { Random } from '../random';
import { dimensionOf, type Batch, type Objective } from './objective';

/** The gradient of an objective as its optimizer sees it: keep∘∇f + noise. */
export class PerturbedGradient {
  /** Factor per entry, and noise per entry, of the last gradient; empty for an objective that is seen as it is. */
  readonly keep: Float64Array;
  readonly noise: Float64Array;

  constructor(readonly objective: Objective) {
    const n = objective.perturb === undefined ? 0 : dimensionOf(objective);
    this.keep = new Float64Array(n);
    this.noise = new Float64Array(n);
  }

  /**
   * Writes the gradient into `out`.
   * @returns f(θ) on the batch, exact
   */
  evaluate(theta: Float64Array, out: Float64Array, batch: Batch, random: Random): number {
    const { objective, keep, noise } = this;
    const value = objective.gradient(theta, out, batch);
    if (objective.perturb === undefined) return value;
    this.draw(theta, batch, random);
    // An entry that is dropped is zero even where the gradient is infinite.
    for (let i = 0; i < out.length; i++) out[i] = (keep[i] === 0 ? 0 : keep[i] * out[i]) + noise[i];
    return value;
  }

  /**
   * Jᵀ·v, J the derivative of such a gradient with respect to θ: ∇²f·(keep∘v). The noise counts as constant.
   * @param random those of the gradient, from the beginning
   */
  product(theta: Float64Array, v: Float64Array, out: Float64Array, batch: Batch, random: Random): void {
    const { objective, keep } = this;
    if (objective.perturb === undefined) {
      objective.hessianVectorProduct(theta, v, out, batch);
      return;
    }
    this.draw(theta, batch, random);
    objective.hessianVectorProduct(
      theta,
      v.map((value, i) => keep[i] * value),
      out,
      batch,
    );
  }

  private draw(theta: Float64Array, batch: Batch, random: Random): void {
    this.keep.fill(1);
    this.noise.fill(0);
    this.objective.perturb!(theta, batch, random, this.keep, this.noise);
  }
}
