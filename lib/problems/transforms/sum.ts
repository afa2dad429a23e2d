import type { Objective } from '../objective';
import { Combination } from './combination';

export interface SumOptions {
  readonly name?: string;
  /** One per part; default: all 1. */
  readonly weights?: readonly number[];
}

/**
 * Several objectives as one (multi-task): the sum of their values, each with its own tensors. Derivatives as exact as those
 * of the parts.
 * @throws {RangeError} if there are no parts, or the weights are not as many as the parts
 */
export function sumOf(parts: readonly Objective[], options: SumOptions = {}): Objective {
  const weights = options.weights ?? parts.map(() => 1);
  if (weights.length !== parts.length) {
    throw new RangeError(`weights: expected ${parts.length}, one per part, got ${weights.length}`);
  }
  const name = options.name ?? parts.map((part) => part.name).join('+');
  return new Combination(name, parts, {
    value: (values) => values.reduce((sum, value, p) => sum + weights[p] * value, 0),
    slopes: (_values, out) => out.set(weights),
    curvature: (_values, _direction, out) => void out.fill(0),
  });
}
