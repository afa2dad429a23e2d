/** p of equation (1) below: gradients of magnitude e^−p and more show by their logarithm. */
export const PREPROCESSING_P = 10;

/** Inputs of the LSTM per coordinate. */
export const INPUTS = 2;

const THRESHOLD = Math.exp(-PREPROCESSING_P);
const SLOPE = Math.exp(PREPROCESSING_P);

/**
 * The inputs of the LSTM for gradients g (Andrychowicz et al. 2016, arXiv 1606.04474, appendix A), with p = 10:
 * (ln|g| / p, sgn g) where |g| ≥ e^−p, else (−1, e^p·g).
 * @param gradients the first `count` values are taken
 * @param inputs [2][stride], row-major: the first input of every coordinate in row 0, the second in row 1. A gradient
 *   that is not a number gives NaN in both, an infinite one ±∞ in the first.
 */
export function logAndSign(
  gradients: Float32Array | Float64Array,
  inputs: Float32Array | Float64Array,
  stride: number,
  count: number,
): void {
  for (let i = 0; i < count; i++) {
    const g = gradients[i];
    const magnitude = Math.abs(g);
    if (magnitude < THRESHOLD) {
      inputs[i] = -1;
      inputs[stride + i] = SLOPE * g;
    } else {
      inputs[i] = Math.log(magnitude) / PREPROCESSING_P;
      inputs[stride + i] = Math.sign(g);
    }
  }
}
