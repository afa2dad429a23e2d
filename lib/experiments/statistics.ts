/** Median; values that are not finite count as larger than all others. NaN for no values. */
export function median(values: readonly number[]): number {
  if (values.length === 0) return NaN;
  const sorted = values.map((value) => (Number.isFinite(value) ? value : Infinity)).sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Largest value; infinite if any is not finite. */
export function worst(values: readonly number[]): number {
  return values.reduce((max, value) => (Number.isFinite(value) ? Math.max(max, value) : Infinity), -Infinity);
}

/** Arithmetic mean; NaN for no values. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Geometric mean of values of at least 0; infinite if any is not finite, NaN for no values. */
export function geometricMean(values: readonly number[]): number {
  if (values.some((value) => !Number.isFinite(value))) return Infinity;
  return Math.exp(mean(values.map(Math.log)));
}
