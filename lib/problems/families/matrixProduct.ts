import type { Random } from '../../random';
import type { Family } from '../family';
import { addProduct, addProductTransposed, addTransposedProduct, cholesky, choleskySolve, dot } from '../matrix';
import type { Objective } from '../objective';
import type { ParameterShape } from '../problem';

/**
 * Ridge of the least-squares problem: it stays solvable where columns become dependent. Columns start with norm 1, so that
 * an exact algorithm still has a value of the order of 1e-9.
 */
const RIDGE = 1e-10;

/**
 * Search for an algorithm that multiplies n×n matrices with k multiplications of numbers. With factors a, b: [n²][k], row
 * (i, j) of P: [n⁴][k] is a_i ∘ b_j, the k products for a pair of one-hot matrices; C: [n⁴][n²] are the products wanted. The
 * third factor is that of least squares, so that
 *
 *   f(a, b) = min over c of ‖P·c − C‖² + 1e-10·‖c‖²,
 *
 * which is 0 (but for the ridge) exactly where a and b belong to an algorithm. Gradient by variable projection (Golub &
 * Pereyra 1973): ∂f/∂P = 2(P·c − C)·cᵀ. Analytic Hessian–vector product. Start: normal columns scaled to norm 1.
 */
export class MatrixProductAlgorithm implements Objective {
  readonly name: string;
  readonly parameters: readonly ParameterShape[];
  readonly sampleCount = 0;
  readonly batchSize = 0;
  private readonly squared: number;
  private readonly wanted: Float64Array;
  private readonly products: Float64Array;
  private readonly factor: Float64Array;
  private readonly third: Float64Array;
  private readonly residual: Float64Array;
  /** ∂f/∂P */
  private readonly slope: Float64Array;
  private readonly tangent: {
    readonly products: Float64Array;
    readonly third: Float64Array;
    readonly residual: Float64Array;
    readonly slope: Float64Array;
  };

  /**
   * @param size n
   * @param multiplications k
   * @throws {RangeError} unless n ≥ 2 and n² ≤ k ≤ n³
   */
  constructor(
    readonly size: number,
    readonly multiplications: number,
  ) {
    const [n, k] = [size, multiplications];
    if (!Number.isInteger(n) || n < 2) throw new RangeError(`size: expected an integer of at least 2, got ${n}`);
    if (!Number.isInteger(k) || k < n ** 2 || k > n ** 3) {
      throw new RangeError(`multiplications: expected an integer from ${n ** 2} to ${n ** 3}, got ${k}`);
    }
    const rows = n ** 4;
    this.squared = n * n;
    this.name = algorithmName(n, k);
    this.parameters = algorithmParameters(n, k);
    this.wanted = wantedProducts(n);
    this.products = new Float64Array(rows * k);
    this.factor = new Float64Array(k * k);
    this.third = new Float64Array(k * this.squared);
    this.residual = new Float64Array(rows * this.squared);
    this.slope = new Float64Array(rows * k);
    this.tangent = {
      products: new Float64Array(rows * k),
      third: new Float64Array(k * this.squared),
      residual: new Float64Array(rows * this.squared),
      slope: new Float64Array(rows * k),
    };
  }

  start(random: Random): Float64Array {
    const { squared, multiplications: k } = this;
    const theta = Float64Array.from({ length: 2 * squared * k }, () => random.normal());
    for (const from of [0, squared * k]) {
      for (let c = 0; c < k; c++) {
        let squares = 0;
        for (let i = 0; i < squared; i++) squares += theta[from + i * k + c] ** 2;
        for (let i = 0; i < squared; i++) theta[from + i * k + c] /= Math.sqrt(squares);
      }
    }
    return theta;
  }

  value(theta: Float64Array): number {
    const { squared: q, multiplications: k, products, factor, third, residual, wanted } = this;
    const rows = q * q;
    this.pairs(theta, theta, products);
    factor.fill(0);
    addTransposedProduct(products, products, factor, rows, k, k);
    for (let c = 0; c < k; c++) factor[c * k + c] += RIDGE;
    cholesky(factor, k);
    third.fill(0);
    addTransposedProduct(products, wanted, third, rows, k, q);
    choleskySolve(factor, third, k, q);
    for (let i = 0; i < residual.length; i++) residual[i] = -wanted[i];
    addProduct(products, third, residual, rows, k, q);
    return dot(residual, residual) + RIDGE * dot(third, third);
  }

  gradient(theta: Float64Array, out: Float64Array): number {
    const { squared: q, multiplications: k, third, residual, slope } = this;
    const value = this.value(theta);
    slope.fill(0);
    addProductTransposed(residual, third, slope, q * q, q, k);
    out.fill(0);
    this.addFactorGradients(slope, theta, out);
    return value;
  }

  hessianVectorProduct(theta: Float64Array, v: Float64Array, out: Float64Array): void {
    const { squared: q, multiplications: k, products, factor, third, residual, slope, tangent } = this;
    const rows = q * q;
    this.gradient(theta, out);
    // dP, the derivative of P along v.
    tangent.products.fill(0);
    this.pairs(v, theta, tangent.products);
    this.pairs(theta, v, tangent.slope);
    for (let i = 0; i < tangent.products.length; i++) tangent.products[i] += tangent.slope[i];
    // (PᵀP + ridge)·dc = −dPᵀ·R − Pᵀ·dP·c, with R = P·c − C; dR = dP·c + P·dc.
    tangent.residual.fill(0);
    addProduct(tangent.products, third, tangent.residual, rows, k, q);
    tangent.third.fill(0);
    addTransposedProduct(products, tangent.residual, tangent.third, rows, k, q);
    addTransposedProduct(tangent.products, residual, tangent.third, rows, k, q);
    for (let i = 0; i < tangent.third.length; i++) tangent.third[i] = -tangent.third[i];
    choleskySolve(factor, tangent.third, k, q);
    addProduct(products, tangent.third, tangent.residual, rows, k, q);
    tangent.slope.fill(0);
    addProductTransposed(tangent.residual, third, tangent.slope, rows, q, k);
    addProductTransposed(residual, tangent.third, tangent.slope, rows, q, k);
    out.fill(0);
    this.addFactorGradients(tangent.slope, theta, out);
    this.addFactorGradients(slope, v, out);
  }

  /** out[(i, j)] = a_i ∘ b_j, a from one flat array and b from another */
  private pairs(first: Float64Array, second: Float64Array, out: Float64Array): void {
    const { squared: q, multiplications: k } = this;
    for (let i = 0, at = 0; i < q; i++) {
      for (let j = 0; j < q; j++) {
        for (let c = 0; c < k; c++) out[at++] = first[i * k + c] * second[(q + j) * k + c];
      }
    }
  }

  /** From half of ∂f/∂P to the gradients of a and b, for P = pairs of `factors`. */
  private addFactorGradients(slope: Float64Array, factors: Float64Array, out: Float64Array): void {
    const { squared: q, multiplications: k } = this;
    for (let i = 0, at = 0; i < q; i++) {
      for (let j = 0; j < q; j++) {
        for (let c = 0; c < k; c++, at++) {
          out[i * k + c] += 2 * slope[at] * factors[(q + j) * k + c];
          out[(q + j) * k + c] += 2 * slope[at] * factors[i * k + c];
        }
      }
    }
  }
}

/** Products of all pairs of one-hot matrices, [n⁴][n²]. */
function wantedProducts(n: number): Float64Array {
  const q = n * n;
  const wanted = new Float64Array(q * q * q);
  for (let i = 0; i < q; i++) {
    for (let j = 0; j < q; j++) {
      // E(row, inner)·E(inner, column) = E(row, column)
      if (i % n !== Math.floor(j / n)) continue;
      wanted[(i * q + j) * q + Math.floor(i / n) * n + (j % n)] = 1;
    }
  }
  return wanted;
}

function algorithmName(size: number, multiplications: number): string {
  return `matrix-product-${size}x${size}-rank-${multiplications}`;
}

function algorithmParameters(size: number, multiplications: number): readonly ParameterShape[] {
  const shape = [size * size, multiplications];
  return [
    { name: 'a', shape },
    { name: 'b', shape },
  ];
}

/** Algorithms for n×n products with k multiplications; instances differ in their start. */
export function matrixProductFamily(size: number, multiplications: number): Family {
  return {
    name: algorithmName(size, multiplications),
    parameters: algorithmParameters(size, multiplications),
    sample: () => new MatrixProductAlgorithm(size, multiplications),
  };
}
