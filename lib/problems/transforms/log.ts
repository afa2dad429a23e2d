import type { Objective } from '../objective';
import { OuterObjective } from './outer';

const EPSILON = 1e-6;

/**
 * ln(f + 1e-6) − ln 1e-6 of an objective f ≥ 0 (on minibatches too): the slope stays steep on the way down. Derivatives as
 * exact as those of f.
 */
export function logObjective(objective: Objective): Objective {
  return new OuterObjective(`log-${objective.name}`, objective, {
    value: (f) => Math.log1p(f / EPSILON),
    first: (f) => 1 / (f + EPSILON),
    second: (f) => -1 / (f + EPSILON) ** 2,
  });
}
