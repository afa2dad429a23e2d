import { createRandom, permutation } from '../../../lib/random';

/** Which images make a batch, and the seed of each one's crop. */
export interface BatchPlan {
  /** [batch], indices into the set. */
  readonly indices: Int32Array;
  /** [batch]; undefined to evaluate: the centre is cut out. */
  readonly seeds: Int32Array | undefined;
}

/**
 * Order of training images: a fresh permutation every epoch, the images left over after the last whole batch wait for the
 * next one. Everything follows from the seed and the step alone, so that a resumed run sees the same images, cut in the
 * same way.
 */
export class TrainingOrder {
  readonly stepsPerEpoch: number;
  private epoch = -1;
  private order: Int32Array;
  private cropSeed = 0;

  /** @throws {RangeError} if there are fewer images than a batch needs */
  constructor(
    private readonly seed: number,
    count: number,
    private readonly batchSize: number,
  ) {
    if (!Number.isSafeInteger(batchSize) || batchSize < 1 || batchSize > count) {
      throw new RangeError(
        `batch size: expected a whole number from 1 to ${count}, the number of training images, got ${batchSize}`,
      );
    }
    this.stepsPerEpoch = Math.floor(count / batchSize);
    this.order = new Int32Array(count);
  }

  /** The batch of a step, counted from 0 over all epochs. */
  batch(step: number): BatchPlan {
    const epoch = Math.floor(step / this.stepsPerEpoch);
    if (epoch !== this.epoch) {
      const random = createRandom(this.seed, epoch);
      this.order = permutation(random, this.order.length);
      this.cropSeed = random.integer(2 ** 31 - 1);
      this.epoch = epoch;
    }
    const start = (step % this.stepsPerEpoch) * this.batchSize;
    const random = createRandom(this.cropSeed, start);
    return {
      indices: this.order.slice(start, start + this.batchSize),
      seeds: Int32Array.from({ length: this.batchSize }, () => random.integer(2 ** 31 - 1)),
    };
  }
}

/**
 * Batches to evaluate in order, the last one smaller.
 * @param limit at most so many images, spread evenly, since folders are sorted by class
 */
export function evaluationOrder(count: number, batchSize: number, limit = count): BatchPlan[] {
  const used = Math.min(count, limit);
  const chosen = Int32Array.from({ length: used }, (_, i) => Math.floor((i * count) / used));
  const batches: BatchPlan[] = [];
  for (let start = 0; start < used; start += batchSize) {
    batches.push({ indices: chosen.slice(start, start + batchSize), seeds: undefined });
  }
  return batches;
}
