/** Median and spread of one number over runs. Infinite where runs diverged. */
export interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/**
 * Quantile by linear interpolation between order statistics (type 7 of Hyndman & Fan 1996). Values that are not finite count as larger
 * than all others; a quantile between a finite and an infinite value is infinite. NaN for no values.
 * @param share in [0, 1]
 * @throws {RangeError} if the share is outside
 */
export function quantile(values: readonly number[], share: number): number {
  if (!(share >= 0 && share <= 1)) throw new RangeError(`share: expected a number from 0 to 1, got ${share}`);
  if (values.length === 0) return NaN;
  const sorted = values.map((value) => (Number.isFinite(value) ? value : Infinity)).sort((a, b) => a - b);
  const place = share * (sorted.length - 1);
  const [below, weight] = [Math.floor(place), place - Math.floor(place)];
  if (weight === 0) return sorted[below];
  return sorted[below + 1] === Infinity ? Infinity : sorted[below] + weight * (sorted[below + 1] - sorted[below]);
}

/** Median with the lowest and the highest value: the spread over a few seeds. */
export function spreadOf(values: readonly number[]): Spread {
  return { median: quantile(values, 0.5), low: quantile(values, 0), high: quantile(values, 1) };
}

/** Median with quartiles: the spread over many instances. */
export function quartilesOf(values: readonly number[]): Spread {
  return { median: quantile(values, 0.5), low: quantile(values, 0.25), high: quantile(values, 0.75) };
}
