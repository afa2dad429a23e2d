/** Products of row-major matrices in double precision. Data may be in single precision. */

type Reals = Float32Array | Float64Array;

/** out[m] = A[m][n] · x[n] − b[m] */
export function residuals(a: Reals, x: Float64Array, b: Reals, out: Float64Array): void {
  multiply(a, x, out);
  for (let r = 0; r < out.length; r++) out[r] -= b[r];
}

/** out[m] = A[m][n] · x[n], four sums at a time so that additions need not wait for each other */
export function multiply(a: Reals, x: Float64Array, out: Float64Array): void {
  const n = x.length;
  const blocked = n - (n % 4);
  for (let r = 0, k = 0; r < out.length; r++) {
    let [sum0, sum1, sum2, sum3] = [0, 0, 0, 0];
    for (let c = 0; c < blocked; c += 4, k += 4) {
      sum0 += a[k] * x[c];
      sum1 += a[k + 1] * x[c + 1];
      sum2 += a[k + 2] * x[c + 2];
      sum3 += a[k + 3] * x[c + 3];
    }
    for (let c = blocked; c < n; c++, k++) sum0 += a[k] * x[c];
    out[r] = sum0 + sum1 + (sum2 + sum3);
  }
}

/** out[n] = A[m][n]ᵀ · y[m] */
export function multiplyTransposed(a: Reals, y: Float64Array, out: Float64Array): void {
  out.fill(0);
  addRowsTimes(a, y, out);
}

/** out[n] += A[m][n]ᵀ · y[m], four rows at a time so that `out` is read and written less often */
export function addRowsTimes(a: Reals, y: Float64Array, out: Float64Array): void {
  const n = out.length;
  const blocked = y.length - (y.length % 4);
  for (let r = 0, k = 0; r < blocked; r += 4, k += 3 * n) {
    const [w0, w1, w2, w3] = [y[r], y[r + 1], y[r + 2], y[r + 3]];
    for (let c = 0; c < n; c++, k++) out[c] += w0 * a[k] + w1 * a[k + n] + (w2 * a[k + 2 * n] + w3 * a[k + 3 * n]);
  }
  for (let r = blocked, k = blocked * n; r < y.length; r++) {
    const w = y[r];
    for (let c = 0; c < n; c++) out[c] += w * a[k++];
  }
}

export function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** out[m][n] += A[m][k] · B[k][n] */
export function addProduct(a: Float64Array, b: Float64Array, out: Float64Array, m: number, k: number, n: number): void {
  for (let r = 0; r < m; r++) {
    for (let i = 0; i < k; i++) {
      const w = a[r * k + i];
      for (let c = 0; c < n; c++) out[r * n + c] += w * b[i * n + c];
    }
  }
}

/** out[k][n] += A[m][k]ᵀ · B[m][n] */
export function addTransposedProduct(
  a: Float64Array,
  b: Float64Array,
  out: Float64Array,
  m: number,
  k: number,
  n: number,
): void {
  for (let r = 0; r < m; r++) {
    for (let i = 0; i < k; i++) {
      const w = a[r * k + i];
      for (let c = 0; c < n; c++) out[i * n + c] += w * b[r * n + c];
    }
  }
}

/** out[m][k] += A[m][n] · B[k][n]ᵀ */
export function addProductTransposed(
  a: Float64Array,
  b: Float64Array,
  out: Float64Array,
  m: number,
  n: number,
  k: number,
): void {
  for (let r = 0; r < m; r++) {
    for (let i = 0; i < k; i++) {
      let sum = 0;
      for (let c = 0; c < n; c++) sum += a[r * n + c] * b[i * n + c];
      out[r * k + i] += sum;
    }
  }
}

/**
 * Factor L of the Cholesky decomposition M = L·Lᵀ, in place in the lower triangle of M[n][n]. NaN where M is not
 * positive definite.
 */
export function cholesky(matrix: Float64Array, n: number): void {
  for (let c = 0; c < n; c++) {
    let pivot = matrix[c * n + c];
    for (let i = 0; i < c; i++) pivot -= matrix[c * n + i] ** 2;
    pivot = Math.sqrt(pivot);
    matrix[c * n + c] = pivot;
    for (let r = c + 1; r < n; r++) {
      let sum = matrix[r * n + c];
      for (let i = 0; i < c; i++) sum -= matrix[r * n + i] * matrix[c * n + i];
      matrix[r * n + c] = sum / pivot;
    }
  }
}

/** Solves L·Lᵀ·X = B for X[n][m], in place in B. */
export function choleskySolve(factor: Float64Array, b: Float64Array, n: number, m: number): void {
  for (let c = 0; c < m; c++) {
    for (let r = 0; r < n; r++) {
      let sum = b[r * m + c];
      for (let i = 0; i < r; i++) sum -= factor[r * n + i] * b[i * m + c];
      b[r * m + c] = sum / factor[r * n + r];
    }
    for (let r = n - 1; r >= 0; r--) {
      let sum = b[r * m + c];
      for (let i = r + 1; i < n; i++) sum -= factor[i * n + r] * b[i * m + c];
      b[r * m + c] = sum / factor[r * n + r];
    }
  }
}
