import type { Random } from '../../random';
import { checkPositiveInteger, rowsOf } from '../checks';
import type { Family } from '../family';
import { dot, multiply, multiplyTransposed, residuals } from '../matrix';
import { normalStart, type Objective } from '../objective';
import type { ParameterShape } from '../problem';
import { normalSystem, vector } from './quadratic';

/** Keeps powers below one finite at a residual of zero. */
const EPSILON = 1e-6;

/**
 * Norm of residuals, (Σ_r (|w_r·x − y_r| + 1e-6)^p)^(1/p), p ≥ 1. Analytic Hessian–vector product; at a residual of zero the
 * slope of |·| counts as 0. Start: standard normal.
 */
export class ResidualNorm implements Objective {
  readonly name: string;
  readonly parameters: readonly ParameterShape[];
  readonly sampleCount = 0;
  readonly batchSize = 0;
  private readonly rows: Float64Array;
  /** ∂s/∂residual and ∂²s/∂residual², s the sum of powers. */
  private readonly slopes: Float64Array;
  private readonly curvatures: Float64Array;

  /**
   * @param matrix [rows][columns]
   * @param target [rows]
   * @throws {RangeError} if `power` is below 1, or the matrix does not have so many rows
   */
  constructor(
    readonly matrix: Float32Array,
    readonly target: Float32Array,
    readonly power: number,
  ) {
    if (!(power >= 1)) throw new RangeError(`power: expected at least 1, got ${power}`);
    const columns = rowsOf('matrix', matrix, target.length);
    this.name = normName(columns, power);
    this.parameters = vector(columns);
    this.rows = new Float64Array(target.length);
    this.slopes = new Float64Array(target.length);
    this.curvatures = new Float64Array(target.length);
  }

  start(random: Random): Float64Array {
    return normalStart(this.parameters[0].shape[0], random);
  }

  private sumOfPowers(theta: Float64Array): number {
    residuals(this.matrix, theta, this.target, this.rows);
    let sum = 0;
    for (const residual of this.rows) sum += (Math.abs(residual) + EPSILON) ** this.power;
    return sum;
  }

  value(theta: Float64Array): number {
    return this.sumOfPowers(theta) ** (1 / this.power);
  }

  gradient(theta: Float64Array, out: Float64Array): number {
    const { power: p, rows, slopes } = this;
    const sum = this.sumOfPowers(theta);
    const value = sum ** (1 / p);
    const outer = value / (p * sum);
    for (let r = 0; r < rows.length; r++) {
      slopes[r] = outer * p * (Math.abs(rows[r]) + EPSILON) ** (p - 1) * Math.sign(rows[r]);
    }
    multiplyTransposed(this.matrix, slopes, out);
    return value;
  }

  /** With s = Σ…^p and φ(s) = s^(1/p): φ'·Wᵀ diag(∂²s) W v + φ''·(Wᵀ∂s)(Wᵀ∂s)ᵀ v. */
  hessianVectorProduct(theta: Float64Array, v: Float64Array, out: Float64Array): void {
    const { power: p, rows, slopes, curvatures } = this;
    const sum = this.sumOfPowers(theta);
    const first = sum ** (1 / p - 1) / p;
    const second = ((1 / p - 1) * first) / sum;
    for (let r = 0; r < rows.length; r++) {
      const size = Math.abs(rows[r]) + EPSILON;
      slopes[r] = p * size ** (p - 1) * Math.sign(rows[r]);
      curvatures[r] = p === 1 ? 0 : p * (p - 1) * size ** (p - 2);
    }
    multiply(this.matrix, v, rows);
    const along = second * dot(slopes, rows);
    for (let r = 0; r < rows.length; r++) rows[r] = first * curvatures[r] * rows[r] + along * slopes[r];
    multiplyTransposed(this.matrix, rows, out);
  }
}

function normName(size: number, power: number): string {
  return `norm-${size}-p-${power}`;
}

/** p-norms of `size` residuals in `size` dimensions, standard normal matrix and target. */
export function normFamily(size: number, power: number): Family {
  checkPositiveInteger('size', size);
  return {
    name: normName(size, power),
    parameters: vector(size),
    sample(random) {
      const { matrix, target } = normalSystem(size, random);
      return new ResidualNorm(matrix, target, power);
    },
  };
}
