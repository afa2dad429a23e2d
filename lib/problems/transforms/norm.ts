import type { Objective } from '../objective';
import { Combination } from './combination';

const EPSILON = 1e-6;

/**
 * Several objectives f_i ≥ 0 as one: the p-norm (Σ_i (f_i + 1e-6)^p)^(1/p) of their values, each with its own tensors. The
 * larger p, the more the worst part counts. Derivatives as exact as those of the parts.
 * @throws {RangeError} if there are no parts, or `power` is below 1
 */
export function normOf(parts: readonly Objective[], power: number, name?: string): Objective {
  if (!(power >= 1)) throw new RangeError(`power: expected at least 1, got ${power}`);
  const norm = (values: Float64Array): number =>
    values.reduce((sum, value) => sum + (value + EPSILON) ** power, 0) ** (1 / power);
  const slope = (value: number, total: number): number => ((value + EPSILON) / total) ** (power - 1);
  return new Combination(name ?? `norm-${power}-of-${parts.map((part) => part.name).join('+')}`, parts, {
    value: norm,
    slopes(values, out) {
      const total = norm(values);
      for (let i = 0; i < out.length; i++) out[i] = slope(values[i], total);
    },
    curvature(values, direction, out) {
      const total = norm(values);
      // How the norm changes, relative to itself.
      let change = 0;
      for (let i = 0; i < out.length; i++) change += (slope(values[i], total) * direction[i]) / total;
      for (let i = 0; i < out.length; i++) {
        out[i] = (power - 1) * slope(values[i], total) * (direction[i] / (values[i] + EPSILON) - change);
      }
    },
  });
}
