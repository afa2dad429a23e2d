import { createRandom } from '../../random';
import type { Random } from '../../random';

/**
 * A table of normal numbers, drawn once; noise is a stretch of it from a random place (Salimans et al. 2017, section 2.1).
 * Drawing every number anew would take longer than the optimizer's step.
 */
export class NoiseTable {
  readonly values: Float32Array;

  /** @param size at least a few times the longest stretch */
  constructor(seed: number, size = 1 << 21) {
    const random = createRandom(seed, 777);
    this.values = Float32Array.from({ length: size }, () => random.normal());
  }

  /** Where a stretch of this length begins. */
  offset(random: Random, length: number): number {
    return random.integer(this.values.length - length + 1);
  }
}
