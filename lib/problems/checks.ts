/** @throws {RangeError} naming the argument */
export function checkPositiveInteger(name: string, value: number): void {
  if (!Number.isInteger(value) || value < 1) throw new RangeError(`${name}: expected a positive integer, got ${value}`);
}

/**
 * Number of rows in an array [rows][columns].
 * @throws {RangeError} if the length is not a positive multiple of the columns
 */
export function rowsOf(name: string, array: ArrayLike<unknown>, columns: number): number {
  const rows = array.length / columns;
  if (Number.isInteger(rows) && rows > 0) return rows;
  throw new RangeError(`${name}: expected a multiple of ${columns} values, got ${array.length}`);
}

/** @throws {RangeError} if a minibatch is empty or larger than the data */
export function checkBatchSize(batchSize: number, sampleCount: number): void {
  if (Number.isInteger(batchSize) && batchSize >= 1 && batchSize <= sampleCount) return;
  throw new RangeError(`batchSize: expected an integer from 1 to ${sampleCount}, got ${batchSize}`);
}
