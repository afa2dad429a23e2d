import { LANE_LOSS, laneRegression } from '../../../bindings/lanes';
import type { FloatArray, Precision } from '../../../bindings/types';
import type { Random } from '../../random';
import { coordinatesOf, fillLanes, laneArray, powerOfTen } from './family';
import type { LaneFamily, LaneMembers, RunningArray, SamplingOptions } from './family';

export interface RegressionSize {
  readonly inputs: number;
  readonly outputs: number;
  readonly samples: number;
  readonly batchSize: number;
}

/**
 * Softmax regression on normal inputs with uneven scales and offsets, labels drawn from a random linear model, weak L2
 * regularisation; or linear regression with noise. Two tensors: weights and biases. Batches are drawn with replacement for
 * some members and without for the others, as `model.fit` does.
 */
export class RegressionFamily implements LaneFamily {
  readonly sparseProbability = 0.1;
  readonly noiseProbability = 0.2;
  readonly lengths: readonly number[];

  constructor(
    readonly name: string,
    readonly kind: 'softmax' | 'linear',
    readonly size: RegressionSize,
    readonly horizonFactor: number,
  ) {
    this.lengths = [size.inputs * size.outputs, size.outputs];
  }

  create(blocks: number, width: number, precision: Precision = 'float32'): LaneMembers {
    return new RegressionMembers(this.kind, this.size, blocks, width, precision);
  }
}

class RegressionMembers implements LaneMembers {
  private readonly data: FloatArray;
  private readonly targets: FloatArray;
  private readonly loss: FloatArray;
  private readonly decay: FloatArray;
  /** Of one block: decay / coordinates. */
  private readonly shares: Float64Array;
  private readonly indices: Int32Array;
  private readonly batch: Int32Array;
  /** Per block: the samples in their order of this epoch, and the next one. */
  private readonly orders: Int32Array[];
  private readonly positions: Int32Array;
  private readonly coordinates: number;
  private readonly batchValue: FloatArray;

  constructor(
    private readonly kind: 'softmax' | 'linear',
    private readonly size: RegressionSize,
    private readonly blocks: number,
    private readonly width: number,
    precision: Precision,
  ) {
    const { inputs, outputs, samples, batchSize } = size;
    const lanes = blocks * width;
    this.coordinates = coordinatesOf({ lengths: [inputs * outputs, outputs] });
    this.data = laneArray(precision, lanes * samples * inputs);
    this.targets = laneArray(precision, lanes * samples * (kind === 'linear' ? outputs : 1));
    this.loss = laneArray(precision, lanes).fill(
      kind === 'linear' ? LANE_LOSS.squaredError : LANE_LOSS.softmaxCrossEntropy,
    );
    this.decay = laneArray(precision, lanes);
    this.shares = new Float64Array(width);
    this.batchValue = laneArray(precision, lanes);
    this.indices = new Int32Array(blocks * batchSize);
    this.batch = new Int32Array(batchSize);
    this.orders = Array.from({ length: blocks }, () => Int32Array.from({ length: samples }, (_, i) => i));
    this.positions = new Int32Array(blocks).fill(samples);
  }

  sample(block: number, lanes: readonly number[], random: Random, options: SamplingOptions): Float64Array {
    const { inputs: D, outputs: C, samples: n } = this.size;
    const { width } = this;
    const interpolates = random.uniform() < options.interpolation;
    const spread = 1.2 * random.uniform();
    const offset = random.uniform();
    const columns = Array.from({ length: D }, () => ({
      scale: 10 ** (-spread * random.uniform()),
      offset: offset * random.normal(),
    }));
    const X = Float64Array.from(
      { length: n * D },
      (_, k) => (random.normal() + columns[k % D].offset) * columns[k % D].scale,
    );
    const strength = this.kind === 'linear' ? 1 : powerOfTen(random, -0.7, 0.7);
    const W = Float64Array.from({ length: D * C }, () => random.normal() * strength);
    const noise = this.kind === 'linear' ? (interpolates ? 0 : powerOfTen(random, -3, 0)) : interpolates ? 0.1 : 1;
    const targets = new Float64Array(n * (this.kind === 'linear' ? C : 1));
    for (let s = 0; s < n; s++) {
      let best = -Infinity;
      for (let c = 0; c < C; c++) {
        let z = 0;
        for (let d = 0; d < D; d++) z += X[s * D + d] * W[d * C + c];
        if (this.kind === 'linear') {
          targets[s * C + c] = z + noise * random.normal();
          continue;
        }
        // Adding Gumbel noise makes the largest a draw from the softmax.
        z -= noise * Math.log(-Math.log(1 - random.uniform()));
        if (z > best) {
          best = z;
          targets[s] = c;
        }
      }
    }
    fillLanes(this.data, width, block, lanes, X);
    fillLanes(this.targets, width, block, lanes, targets);
    const brier = this.kind === 'softmax' && random.uniform() < options.saturation;
    const decay = this.kind === 'linear' ? 0 : 1e-3 * (interpolates ? powerOfTen(random, 0, 1) : 1);
    for (const lane of lanes) {
      if (this.kind === 'softmax')
        this.loss[block * width + lane] = brier ? LANE_LOSS.brier : LANE_LOSS.softmaxCrossEntropy;
      this.decay[block * width + lane] = decay;
    }
    const start = this.kind === 'linear' ? 1 : 1.2 / Math.sqrt(D);
    return Float64Array.from({ length: D * C + C }, () => start * random.normal());
  }

  running(): RunningArray[] {
    return [...this.orders, this.positions];
  }

  /** Even blocks draw with replacement, odd ones go through their data in epochs. */
  private drawBatches(random: Random): void {
    const { samples, batchSize } = this.size;
    for (let b = 0; b < this.blocks; b++) {
      if (b % 2 === 0) {
        for (let i = 0; i < batchSize; i++) this.batch[i] = random.integer(samples);
      } else {
        const order = this.orders[b];
        if (this.positions[b] + batchSize > samples) {
          for (let i = samples - 1; i > 0; i--) {
            const j = random.integer(i + 1);
            [order[i], order[j]] = [order[j], order[i]];
          }
          this.positions[b] = 0;
        }
        this.batch.set(order.subarray(this.positions[b], this.positions[b] + batchSize));
        this.positions[b] += batchSize;
      }
      this.indices.set(this.batch, b * batchSize);
    }
  }

  evaluate(theta: FloatArray, value: FloatArray | null, gradient: FloatArray | null, random: Random): void {
    if (value !== null) this.regression(theta, null, value, null);
    if (gradient !== null) {
      this.drawBatches(random);
      this.regression(theta, this.indices, this.batchValue, gradient);
    }
    if (this.kind === 'softmax') this.addDecay(theta, value, gradient);
  }

  evaluateAll(theta: FloatArray, value: FloatArray, gradient: FloatArray): void {
    this.regression(theta, null, value, gradient);
    if (this.kind === 'softmax') this.addDecay(theta, value, gradient);
  }

  /** On the samples of a minibatch; null: on all. */
  private regression(
    theta: FloatArray,
    indices: Int32Array | null,
    value: FloatArray,
    gradient: FloatArray | null,
  ): void {
    const { inputs, outputs, samples, batchSize } = this.size;
    laneRegression({
      blocks: this.blocks,
      threads: 1,
      inputs,
      outputs,
      sampleCount: samples,
      loss: this.loss,
      samples: this.data,
      targets: this.targets,
      indices,
      count: indices === null ? samples : batchSize,
      parameters: theta,
      value,
      gradient,
    });
  }

  /** decay · mean θ² */
  private addDecay(theta: FloatArray, value: FloatArray | null, gradient: FloatArray | null): void {
    const { coordinates: n, width } = this;
    const shares = this.shares;
    for (let b = 0; b < this.blocks; b++) {
      const base = b * width;
      const end = (b + 1) * n * width;
      for (let lane = 0; lane < width; lane++) shares[lane] = this.decay[base + lane] / n;
      if (value !== null) {
        for (let k = b * n * width; k < end; k += width) {
          for (let lane = 0; lane < width; lane++) {
            value[base + lane] += shares[lane] * theta[k + lane] * theta[k + lane];
          }
        }
      }
      if (gradient !== null) {
        for (let k = b * n * width; k < end; k += width) {
          for (let lane = 0; lane < width; lane++) gradient[k + lane] += 2 * shares[lane] * theta[k + lane];
        }
      }
    }
  }
}
