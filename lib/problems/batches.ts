import { permutation } from '../random';
import type { Random } from '../random';
import type { Problem } from './problem';

/**
 * How minibatches are drawn. `replacement`: every sample on its own, uniformly. `epochs`: every sample once, in a new
 * random order each time they are used up, as `model.fit` does; samples that do not fill a batch are left out.
 */
export type Sampling = 'replacement' | 'epochs';

/** Draws the next minibatch of indices into `batch`. */
export type DrawBatch = (batch: Int32Array) => void;

export function batchSource(problem: Problem, sampling: Sampling, random: Random): DrawBatch {
  const { sampleCount } = problem;
  if (sampling === 'replacement') {
    return (batch) => {
      for (let i = 0; i < batch.length; i++) batch[i] = random.integer(sampleCount);
    };
  }
  let order = new Int32Array(0);
  let next = 0;
  return (batch) => {
    if (batch.length > sampleCount) {
      throw new RangeError(`batch: expected at most ${sampleCount} samples, got ${batch.length}`);
    }
    if (next + batch.length > order.length) {
      order = permutation(random, sampleCount) as Int32Array<ArrayBuffer>;
      next = 0;
    }
    batch.set(order.subarray(next, next + batch.length));
    next += batch.length;
  };
}
