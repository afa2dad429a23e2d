import type { Objective } from '../objective';
import { PerturbedObjective } from './perturbed';

/**
 * Normal noise of this standard deviation on every entry of every gradient that an optimizer sees.
 * @throws {RangeError} if `deviation` is negative
 */
export function gradientNoise(objective: Objective, deviation: number): Objective {
  if (!(deviation >= 0)) throw new RangeError(`deviation: expected a number of at least 0, got ${deviation}`);
  return new PerturbedObjective(`${objective.name}-noise-${deviation}`, objective, (random, _keep, noise) => {
    for (let i = 0; i < noise.length; i++) noise[i] += deviation * random.normal();
  });
}
