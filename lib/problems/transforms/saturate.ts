import type { Objective } from '../objective';
import { OuterObjective } from './outer';

/**
 * c·f/(f + c) of an objective f ≥ 0: never above the ceiling c, and flat far from the minimum. Derivatives as exact as those
 * of f.
 * @throws {RangeError} if `ceiling` is not positive
 */
export function saturate(objective: Objective, ceiling: number): Objective {
  if (!(ceiling > 0)) throw new RangeError(`ceiling: expected a positive number, got ${ceiling}`);
  return new OuterObjective(`saturated-${objective.name}`, objective, {
    value: (f) => ceiling * (f / (f + ceiling)),
    first: (f) => (ceiling / (f + ceiling)) ** 2,
    second: (f) => (-2 * ceiling ** 2) / (f + ceiling) ** 3,
  });
}
