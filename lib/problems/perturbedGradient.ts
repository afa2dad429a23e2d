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
    keep.fill(1);
    noise.fill(0);
    objective.perturb(theta, batch, random, keep, noise);
    // An entry that is dropped is zero even where the gradient is infinite.
    for (let i = 0; i < out.length; i++) out[i] = (keep[i] === 0 ? 0 : keep[i] * out[i]) + noise[i];
    return value;
  }
}
