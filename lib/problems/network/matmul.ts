/**
 * C[rows][columns] (row-major, contiguous) ← A · B, or C + A · B with `keep`. A is [rows][depth] and B [depth][columns], each with a
 * stride per index, so that a transposed factor needs no copy: A[i][p] = a[i·aRow + p·aDepth], B[p][j] = b[p·bDepth + j·bColumn].
 *
 * Four rows by two columns are summed in registers at a time: eight multiply-adds for six loads and no store.
 */
export function matmul(
  a: Float64Array,
  aRow: number,
  aDepth: number,
  b: Float64Array,
  bDepth: number,
  bColumn: number,
  c: Float64Array,
  rows: number,
  depth: number,
  columns: number,
  keep: boolean,
): void {
  const blockedRows = rows - (rows % 4);
  const blockedColumns = columns - (columns % 2);
  for (let i = 0; i < blockedRows; i += 4) {
    const a0 = i * aRow;
    const a1 = a0 + aRow;
    const a2 = a1 + aRow;
    const a3 = a2 + aRow;
    const c0 = i * columns;
    const c1 = c0 + columns;
    const c2 = c1 + columns;
    const c3 = c2 + columns;
    for (let j = 0; j < blockedColumns; j += 2) {
      let s00 = 0;
      let s01 = 0;
      let s10 = 0;
      let s11 = 0;
      let s20 = 0;
      let s21 = 0;
      let s30 = 0;
      let s31 = 0;
      let pa = 0;
      let pb = j * bColumn;
      for (let p = 0; p < depth; p++) {
        const b0 = b[pb];
        const b1 = b[pb + bColumn];
        const x0 = a[a0 + pa];
        const x1 = a[a1 + pa];
        const x2 = a[a2 + pa];
        const x3 = a[a3 + pa];
        s00 += x0 * b0;
        s01 += x0 * b1;
        s10 += x1 * b0;
        s11 += x1 * b1;
        s20 += x2 * b0;
        s21 += x2 * b1;
        s30 += x3 * b0;
        s31 += x3 * b1;
        pa += aDepth;
        pb += bDepth;
      }
      if (keep) {
        s00 += c[c0 + j];
        s01 += c[c0 + j + 1];
        s10 += c[c1 + j];
        s11 += c[c1 + j + 1];
        s20 += c[c2 + j];
        s21 += c[c2 + j + 1];
        s30 += c[c3 + j];
        s31 += c[c3 + j + 1];
      }
      c[c0 + j] = s00;
      c[c0 + j + 1] = s01;
      c[c1 + j] = s10;
      c[c1 + j + 1] = s11;
      c[c2 + j] = s20;
      c[c2 + j + 1] = s21;
      c[c3 + j] = s30;
      c[c3 + j + 1] = s31;
    }
  }
  if (blockedColumns < columns) {
    matmulRest(a, aRow, aDepth, b, bDepth, bColumn, c, 0, blockedRows, depth, blockedColumns, columns, keep);
  }
  if (blockedRows < rows) {
    matmulRest(a, aRow, aDepth, b, bDepth, bColumn, c, blockedRows, rows, depth, 0, columns, keep);
  }
}

/** The entries that fill no block: rows [fromRow, toRow), columns from `fromColumn`. */
function matmulRest(
  a: Float64Array,
  aRow: number,
  aDepth: number,
  b: Float64Array,
  bDepth: number,
  bColumn: number,
  c: Float64Array,
  fromRow: number,
  toRow: number,
  depth: number,
  fromColumn: number,
  columns: number,
  keep: boolean,
): void {
  for (let i = fromRow; i < toRow; i++) {
    for (let j = fromColumn; j < columns; j++) {
      let sum = keep ? c[i * columns + j] : 0;
      for (let p = 0; p < depth; p++) sum += a[i * aRow + p * aDepth] * b[p * bDepth + j * bColumn];
      c[i * columns + j] = sum;
    }
  }
}
