import type { Batch } from '../objective';

/** Mean squares of the columns of a data set, over a batch or over all samples. */
export class SecondMoments {
  private readonly full: Float64Array;
  private readonly some: Float64Array;

  /** @param samples [sampleCount][size] */
  constructor(
    private readonly samples: Float32Array,
    private readonly size: number,
  ) {
    const count = samples.length / size;
    this.some = new Float64Array(size);
    this.full = this.of(Int32Array.from({ length: count }, (_, i) => i)).slice();
  }

  /** [size]; valid until the next call */
  of(batch: Batch): Float64Array {
    if (batch === null) return this.full;
    const { samples, size, some } = this;
    some.fill(0);
    for (const sample of batch) {
      for (let i = 0, at = sample * size; i < size; i++, at++) some[i] += samples[at] * samples[at];
    }
    for (let i = 0; i < size; i++) some[i] /= batch.length;
    return some;
  }
}
