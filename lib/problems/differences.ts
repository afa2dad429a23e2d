import type { Batch, Objective } from './objective';

/** Distance between neighbouring double and single precision numbers at 1. */
export const DOUBLE_EPSILON = Number.EPSILON;
export const SINGLE_EPSILON = 2 ** -23;

/**
 * The Hessian–vector product as the central difference (∇f(θ + hv) − ∇f(θ − hv)) / 2h. The step, h·max|v| = ε^⅓·(1 +
 * rms θ), balances the truncation error (∝ h²) with the rounding error of the gradient (∝ ε/h).
 * @param gradient as of {@link Objective}
 * @param n coordinates
 * @param epsilon relative rounding error of the gradient
 */
export function centralHessianVectorProduct(
  gradient: Objective['gradient'],
  n: number,
  epsilon = DOUBLE_EPSILON,
): Objective['hessianVectorProduct'] {
  const point = new Float64Array(n);
  const below = new Float64Array(n);
  return (theta: Float64Array, v: Float64Array, out: Float64Array, batch: Batch): void => {
    let [largest, squares] = [0, 0];
    for (let i = 0; i < n; i++) {
      largest = Math.max(largest, Math.abs(v[i]));
      squares += theta[i] * theta[i];
    }
    if (largest === 0) {
      out.fill(0);
      return;
    }
    const h = (Math.cbrt(epsilon) * (1 + Math.sqrt(squares / n))) / largest;
    for (let i = 0; i < n; i++) point[i] = theta[i] - h * v[i];
    gradient(point, below, batch);
    for (let i = 0; i < n; i++) point[i] = theta[i] + h * v[i];
    gradient(point, out, batch);
    for (let i = 0; i < n; i++) out[i] = (out[i] - below[i]) / (2 * h);
  };
}
