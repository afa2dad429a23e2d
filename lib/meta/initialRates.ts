import type { Random } from '../random';

/** How initial learning rates of a trajectory are drawn. */
export interface InitialRateOptions {
  /** Range of the paper: U(½ ln low, ½ ln high) per coordinate plus one offset per tensor from the same range. */
  readonly paperRange: readonly [low: number, high: number];
  /** Probability of one constant rate, log-uniform in `constantRange` with 0.3 of spread between tensors, instead. */
  readonly constantProbability: number;
  readonly constantRange: readonly [low: number, high: number];
}

/** η of every coordinate. */
export function drawInitialRates(
  lengths: readonly number[],
  random: Random,
  options: InitialRateOptions,
): Float64Array {
  const between = ([low, high]: readonly [number, number]): number =>
    Math.log(low) + (Math.log(high) - Math.log(low)) * random.uniform();
  const constant = random.uniform() < options.constantProbability;
  const common = between(options.constantRange);
  const rates: number[] = [];
  for (const length of lengths) {
    const offset = constant ? common + 0.3 * random.normal() : between(options.paperRange) / 2;
    for (let i = 0; i < length; i++) rates.push(constant ? offset : offset + between(options.paperRange) / 2);
  }
  return Float64Array.from(rates);
}
