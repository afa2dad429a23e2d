import type { Objective } from '../objective';
import { PerturbedObjective } from './perturbed';

/**
 * Each entry of each gradient that an optimizer sees is zero with this probability, as are gradients of embeddings.
 * @throws {RangeError} if `probability` is not in [0, 1]
 */
export function sparseGradients(objective: Objective, probability = 0.99): Objective {
  if (!(probability >= 0 && probability <= 1)) {
    throw new RangeError(`probability: expected a number from 0 to 1, got ${probability}`);
  }
  return new PerturbedObjective(`sparse-${objective.name}`, objective, (random, keep, noise) => {
    for (let i = 0; i < keep.length; i++) {
      if (random.uniform() >= probability) continue;
      keep[i] = 0;
      noise[i] = 0;
    }
  });
}
