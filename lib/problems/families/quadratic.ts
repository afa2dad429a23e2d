import type { Random } from '../../random';
import { checkPositiveInteger, rowsOf } from '../checks';
import type { Family } from '../family';
import { dot, multiply, multiplyTransposed, residuals } from '../matrix';
import { normalStart, type Objective } from '../objective';
import type { ParameterShape } from '../problem';

/** ½‖Wx − y‖², analytic Hessian–vector product WᵀWv. Start: standard normal. */
export class Quadratic implements Objective {
  readonly name: string;
  readonly parameters: readonly ParameterShape[];
  readonly sampleCount = 0;
  readonly batchSize = 0;
  private readonly rows: Float64Array;

  /**
   * @param matrix W, [rows][columns]
   * @param target y, [rows]
   * @throws {RangeError} if the matrix does not have so many rows
   */
  constructor(
    readonly matrix: Float32Array,
    readonly target: Float32Array,
  ) {
    const columns = rowsOf('matrix', matrix, target.length);
    this.name = `quadratic-${columns}`;
    this.parameters = vector(columns);
    this.rows = new Float64Array(target.length);
  }

  start(random: Random): Float64Array {
    return normalStart(this.parameters[0].shape[0], random);
  }

  value(theta: Float64Array): number {
    residuals(this.matrix, theta, this.target, this.rows);
    return dot(this.rows, this.rows) / 2;
  }

  gradient(theta: Float64Array, out: Float64Array): number {
    const value = this.value(theta);
    multiplyTransposed(this.matrix, this.rows, out);
    return value;
  }

  hessianVectorProduct(_theta: Float64Array, v: Float64Array, out: Float64Array): void {
    multiply(this.matrix, v, this.rows);
    multiplyTransposed(this.matrix, this.rows, out);
  }
}

/** One tensor `x` of so many coordinates. */
export function vector(size: number): readonly ParameterShape[] {
  return [{ name: 'x', shape: [size] }];
}

/** Standard normal matrix and target, in single precision as in the released code (which halves the memory). */
export function normalSystem(size: number, random: Random): { matrix: Float32Array; target: Float32Array } {
  return {
    matrix: Float32Array.from({ length: size * size }, () => random.normal()),
    target: Float32Array.from({ length: size }, () => random.normal()),
  };
}

/** Quadratics in `size` dimensions with standard normal W and y. */
export function quadraticFamily(size: number): Family {
  checkPositiveInteger('size', size);
  return {
    name: `quadratic-${size}`,
    parameters: vector(size),
    sample(random) {
      const { matrix, target } = normalSystem(size, random);
      return new Quadratic(matrix, target);
    },
  };
}
