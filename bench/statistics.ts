/** Middle of the sorted values; the mean of the two middle ones for an even number. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('values: expected at least one');
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Median of the distances from the median. */
export function medianAbsoluteDeviation(values: readonly number[]): number {
  const centre = median(values);
  return median(values.map((v) => Math.abs(v - centre)));
}
