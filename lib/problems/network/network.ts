import { createRandom } from '../../random';
import { softmaxCrossEntropy } from '../dense';
import { sizeOf, type ParameterShape, type Problem } from '../problem';
import { Chain } from './chain';
import { reserve, type Layer } from './layer';

/**
 * What the outputs are compared with: a class per sample by softmax cross entropy, or values by the mean over the outputs
 * of d² or, robust to outliers, of the Cauchy loss ln(1 + d²), where d = output − target.
 */
export type Target =
  | { readonly kind: 'classes'; readonly labels: Uint8Array }
  /** `values`: [samples][outputs], row-major. */
  | { readonly kind: 'values'; readonly values: Float32Array; readonly loss: 'squared' | 'cauchy' };

export interface NetworkOptions {
  readonly name: string;
  readonly layers: readonly Layer[];
  /** [samples][inputs of the first layer], row-major. */
  readonly features: Float32Array;
  readonly target: Target;
  readonly batchSize: number;
  /** `fullLoss` is over the first so many samples, in blocks of `batchSize`. Default: all. */
  readonly evaluationSamples?: number;
}

/**
 * A network of layers as a {@link Problem}: the mean loss over samples with its exact gradient, in double
 * precision on parameters in single.
 */
export class Network implements Problem {
  readonly name: string;
  readonly parameters: readonly ParameterShape[];
  readonly sampleCount: number;
  readonly batchSize: number;
  readonly evaluationSamples: number;
  readonly #chain: Chain;
  readonly #options: NetworkOptions;
  /** Parameters and gradients in double precision. */
  readonly #values: Float64Array[];
  readonly #gradients: Float64Array[];
  readonly #order: Int32Array;
  #input: Float64Array = new Float64Array(0);
  #output: Float64Array = new Float64Array(0);
  #outputGradient: Float64Array = new Float64Array(0);
  #labels: Uint8Array = new Uint8Array(0);

  /** @throws {RangeError} if layers, features, targets and sizes do not fit each other. */
  constructor(options: NetworkOptions) {
    const chain = new Chain(options.layers);
    const { features, target, batchSize } = options;
    const count = features.length / chain.inputSize;
    if (!Number.isInteger(count) || count < 1) {
      throw new RangeError(`features: expected a multiple of ${chain.inputSize} values, got ${features.length}`);
    }
    if (target.kind === 'values' && target.values.length !== count * chain.outputSize) {
      throw new RangeError(
        `target.values: expected ${count} × ${chain.outputSize} values, got ${target.values.length}`,
      );
    }
    if (target.kind === 'classes') {
      if (target.labels.length !== count) {
        throw new RangeError(`target.labels: expected ${count}, one per sample, got ${target.labels.length}`);
      }
      const bad = target.labels.findIndex((label) => label >= chain.outputSize);
      if (bad >= 0) {
        throw new RangeError(
          `target.labels[${bad}]: expected less than ${chain.outputSize}, got ${target.labels[bad]}`,
        );
      }
    }
    const evaluationSamples = options.evaluationSamples ?? count;
    for (const [name, value] of Object.entries({ batchSize, evaluationSamples })) {
      if (!Number.isInteger(value) || value < 1 || value > count) {
        throw new RangeError(`${name}: expected an integer from 1 to the ${count} samples, got ${value}`);
      }
    }
    this.name = options.name;
    this.parameters = chain.parameters;
    this.sampleCount = count;
    this.batchSize = batchSize;
    this.evaluationSamples = evaluationSamples;
    this.#chain = chain;
    this.#options = options;
    this.#values = chain.parameters.map((shape) => new Float64Array(sizeOf(shape)));
    this.#gradients = this.#values.map((values) => new Float64Array(values.length));
    this.#order = Int32Array.from({ length: evaluationSamples }, (_, i) => i);
  }

  initial(seed: number): Float32Array[] {
    return this.#chain.start(createRandom(seed));
  }

  lossAndGradient(parameters: readonly Float32Array[], batch: Int32Array, gradients: readonly Float32Array[]): number {
    this.#take(parameters);
    const rows = batch.length;
    const loss = this.#loss(batch, 1 / rows) / rows;
    this.#chain.backward(
      this.#values,
      this.#input,
      this.#output,
      this.#outputGradient,
      undefined,
      this.#gradients,
      rows,
    );
    gradients.forEach((gradient, i) => gradient.set(this.#gradients[i]));
    return loss;
  }

  fullLoss(parameters: readonly Float32Array[]): number {
    this.#take(parameters);
    let total = 0;
    for (let start = 0; start < this.#order.length; start += this.batchSize) {
      total += this.#loss(this.#order.subarray(start, start + this.batchSize));
    }
    return total / this.#order.length;
  }

  /**
   * Share of all samples whose largest output is that of their class, in [0, 1].
   * @throws {RangeError} if the target is values
   */
  accuracy(parameters: readonly Float32Array[]): number {
    const { target } = this.#options;
    if (target.kind !== 'classes') throw new RangeError(`target: expected classes for an accuracy, got ${target.kind}`);
    this.#take(parameters);
    const { outputSize } = this.#chain;
    const all = Int32Array.from({ length: this.sampleCount }, (_, i) => i);
    let correct = 0;
    for (let start = 0; start < all.length; start += this.batchSize) {
      const batch = all.subarray(start, start + this.batchSize);
      this.#loss(batch);
      batch.forEach((sample, row) => {
        const from = row * outputSize;
        let best = 0;
        for (let j = 1; j < outputSize; j++) if (this.#output[from + j] > this.#output[from + best]) best = j;
        if (best === target.labels[sample]) correct++;
      });
    }
    return correct / all.length;
  }

  #take(parameters: readonly Float32Array[]): void {
    parameters.forEach((parameter, i) => this.#values[i].set(parameter));
  }

  /** Sum of the losses of these samples; with `scale`, its gradient times `scale` goes to #outputGradient. */
  #loss(batch: Int32Array, scale?: number): number {
    const { features, target } = this.#options;
    const { inputSize, outputSize } = this.#chain;
    const rows = batch.length;
    const input = (this.#input = reserve(this.#input, rows * inputSize));
    const output = (this.#output = reserve(this.#output, rows * outputSize));
    for (let r = 0, to = 0; r < rows; r++) {
      const from = batch[r] * inputSize;
      for (let i = 0; i < inputSize; i++) input[to++] = features[from + i];
    }
    this.#chain.forward(this.#values, input, output, rows);
    const gradient = (this.#outputGradient = reserve(this.#outputGradient, rows * outputSize));
    for (let i = 0; i < rows * outputSize; i++) gradient[i] = output[i];
    if (target.kind === 'values') return differenceLoss(gradient, target, batch, outputSize, scale);
    if (this.#labels.length < rows) this.#labels = new Uint8Array(rows);
    for (let r = 0; r < rows; r++) this.#labels[r] = target.labels[batch[r]];
    return softmaxCrossEntropy(gradient, this.#labels, rows, outputSize, scale);
  }
}

/**
 * Sum over rows of the mean over columns of the loss of output − target. With `scale`, its gradient times `scale` replaces
 * the outputs.
 */
function differenceLoss(
  outputs: Float64Array,
  { values, loss }: Extract<Target, { kind: 'values' }>,
  batch: Int32Array,
  columns: number,
  scale?: number,
): number {
  let total = 0;
  for (let r = 0, at = 0; r < batch.length; r++) {
    const from = batch[r] * columns;
    for (let j = 0; j < columns; j++, at++) {
      const difference = outputs[at] - values[from + j];
      const square = difference * difference;
      total += loss === 'cauchy' ? Math.log1p(square) : square;
      if (scale === undefined) continue;
      const slope = loss === 'cauchy' ? 1 / (1 + square) : 1;
      outputs[at] = (2 * scale * slope * difference) / columns;
    }
  }
  return total / columns;
}
