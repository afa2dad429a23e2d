import type { Random } from '../../random';
import { checkBatchSize, checkPositiveInteger, rowsOf } from '../checks';
import { normalStart, type Batch, type Objective } from '../objective';
import type { ParameterShape } from '../problem';
import { vector } from './quadratic';

/** What objectives of one vector have in common whose data are vectors of the same length. Start: standard normal. */
export abstract class SampledVectorObjective implements Objective {
  readonly name: string;
  readonly parameters: readonly ParameterShape[];
  readonly sampleCount: number;

  /**
   * @param nameOf name from size, number of samples and minibatch
   * @param samples [sampleCount][size]
   * @throws {RangeError} if the samples are not so long, or fewer than a minibatch
   */
  constructor(
    nameOf: (size: number, samples: number, batchSize: number) => string,
    readonly size: number,
    readonly samples: Float32Array,
    readonly batchSize: number,
  ) {
    checkPositiveInteger('size', size);
    this.sampleCount = rowsOf('samples', samples, size);
    checkBatchSize(batchSize, this.sampleCount);
    this.name = nameOf(size, this.sampleCount, batchSize);
    this.parameters = vector(size);
  }

  start(random: Random): Float64Array {
    return normalStart(this.size, random);
  }

  abstract value(theta: Float64Array, batch: Batch): number;
  abstract gradient(theta: Float64Array, out: Float64Array, batch: Batch): number;
  abstract hessianVectorProduct(theta: Float64Array, v: Float64Array, out: Float64Array, batch: Batch): void;
}
