import type { Random } from '../../random';
import type { Family } from '../family';
import { normalStart, type Objective } from '../objective';
import type { ParameterShape } from '../problem';
import { vector } from './quadratic';

/**
 * Quadratic in two dimensions, ½‖diag(√condition, 1)·R·x‖², R the rotation by `angle`. Analytic Hessian–vector product.
 * Start: standard normal.
 */
export class Bowl implements Objective {
  readonly name: string;
  readonly parameters: readonly ParameterShape[] = vector(2);
  readonly sampleCount = 0;
  readonly batchSize = 0;
  /** ∂²/∂x², ∂²/∂x∂y, ∂²/∂y² */
  readonly hessian: readonly [number, number, number];

  /**
   * @param condition ratio of the two curvatures
   * @param angle radians
   * @throws {RangeError} if `condition` is not positive
   */
  constructor(
    readonly condition: number,
    readonly angle = 0,
  ) {
    if (!(condition > 0)) throw new RangeError(`condition: expected a positive number, got ${condition}`);
    const [c, s] = [Math.cos(angle), Math.sin(angle)];
    this.name = bowlName(condition, angle);
    this.hessian = [condition * c * c + s * s, (1 - condition) * c * s, condition * s * s + c * c];
  }

  start(random: Random): Float64Array {
    return normalStart(2, random);
  }

  value(theta: Float64Array): number {
    const { hessian } = this;
    const x = theta[0];
    const y = theta[1];
    return (hessian[0] * x * x + 2 * hessian[1] * x * y + hessian[2] * y * y) / 2;
  }

  gradient(theta: Float64Array, out: Float64Array): number {
    this.hessianVectorProduct(theta, theta, out);
    return this.value(theta);
  }

  hessianVectorProduct(_theta: Float64Array, v: Float64Array, out: Float64Array): void {
    const { hessian } = this;
    out[0] = hessian[0] * v[0] + hessian[1] * v[1];
    out[1] = hessian[1] * v[0] + hessian[2] * v[1];
  }
}

function bowlName(condition: number, angle: number): string {
  return `bowl-${condition}${angle === 0 ? '' : `-rotated-${Math.round((angle * 180) / Math.PI)}`}`;
}

/** Bowls of one shape; instances differ in their start. */
export function bowlFamily(condition: number, angle = 0): Family {
  return {
    name: bowlName(condition, angle),
    parameters: vector(2),
    sample: () => new Bowl(condition, angle),
  };
}
