/** Coordinates that go through the LSTM together: their values in a layer fit the first-level cache. */
export const BLOCK = 32;

/**
 * result[rows][BLOCK] = matrix[rows][columns] · [inputs; 1], where inputs is [columns − 1][BLOCK] and the last column of the
 * matrix is the bias. Two rows by four columns at a time: eight sums stay in registers.
 * @param rows even
 */
export function affineBlock(
  matrix: Float64Array,
  rows: number,
  columns: number,
  inputs: Float64Array,
  result: Float64Array,
): void {
  const inner = columns - 1;
  for (let r = 0; r < rows; r += 2) {
    const w0 = r * columns;
    const w1 = w0 + columns;
    // Plain declarations: with destructuring the loop took a third longer.
    for (let b = 0; b < BLOCK; b += 4) {
      let s00 = matrix[w0 + inner];
      let s01 = s00;
      let s02 = s00;
      let s03 = s00;
      let s10 = matrix[w1 + inner];
      let s11 = s10;
      let s12 = s10;
      let s13 = s10;
      for (let k = 0, x = b; k < inner; k++, x += BLOCK) {
        const a0 = matrix[w0 + k];
        const a1 = matrix[w1 + k];
        const x0 = inputs[x];
        const x1 = inputs[x + 1];
        const x2 = inputs[x + 2];
        const x3 = inputs[x + 3];
        s00 += a0 * x0;
        s01 += a0 * x1;
        s02 += a0 * x2;
        s03 += a0 * x3;
        s10 += a1 * x0;
        s11 += a1 * x1;
        s12 += a1 * x2;
        s13 += a1 * x3;
      }
      const y0 = r * BLOCK + b;
      const y1 = y0 + BLOCK;
      result[y0] = s00;
      result[y0 + 1] = s01;
      result[y0 + 2] = s02;
      result[y0 + 3] = s03;
      result[y1] = s10;
      result[y1 + 1] = s11;
      result[y1 + 2] = s12;
      result[y1 + 3] = s13;
    }
  }
}

/**
 * The element-wise part of an LSTM layer (Hochreiter & Schmidhuber 1997, with forget gates): c ← σ(f)·c + σ(i)·tanh(g),
 * h ← σ(o)·tanh(c).
 * @param gates [4·units][BLOCK]: i, f, o, g before their activations
 * @param cell [units][BLOCK] from `at` on: c, replaced
 * @param hidden [units][BLOCK] from `at` on: receives h
 * @param hiddenCopy [units][BLOCK] from `copyAt` on: receives h too, for the next layer
 */
export function lstmBlock(
  gates: Float64Array,
  units: number,
  cell: Float32Array,
  hidden: Float32Array,
  at: number,
  hiddenCopy: Float64Array,
  copyAt: number,
): void {
  const size = units * BLOCK;
  for (let i = 0; i < size; i++) {
    const input = 1 / (1 + Math.exp(-gates[i]));
    const forget = 1 / (1 + Math.exp(-gates[size + i]));
    const output = 1 / (1 + Math.exp(-gates[2 * size + i]));
    // tanh x = 1 − 2/(1 + e^2x): the absolute error is that of a double, at half the time of Math.tanh.
    const candidate = 1 - 2 / (1 + Math.exp(2 * gates[3 * size + i]));
    const c = forget * cell[at + i] + input * candidate;
    const h = output * (1 - 2 / (1 + Math.exp(2 * c)));
    cell[at + i] = c;
    hidden[at + i] = h;
    hiddenCopy[copyAt + i] = h;
  }
}
