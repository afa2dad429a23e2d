import type { ParameterShape } from '../problem';
import { reserve, type Layer } from './layer';

const EPSILON = 1e-3;

/**
 * Batch normalisation (Ioffe & Szegedy 2015, arXiv 1502.03167, algorithm 1): every channel minus its mean over the block
 * of rows and all positions, divided by √(variance + 1e-3), times a scale plus a shift. The statistics are always those of
 * the block at hand, also where the loss is evaluated: the loss is then a function of the parameters alone.
 */
export class BatchNormLayer implements Layer {
  readonly outputSize: number;
  readonly parameters: readonly ParameterShape[];
  #normal: Float64Array = new Float64Array(0);
  readonly #inverseDeviation: Float64Array;
  readonly #mean: Float64Array;

  /** @param inputSize positions × channels, channels last. */
  constructor(
    readonly inputSize: number,
    private readonly channels: number,
  ) {
    this.outputSize = inputSize;
    this.parameters = [
      { name: 'scale', shape: [channels] },
      { name: 'shift', shape: [channels] },
    ];
    this.#inverseDeviation = new Float64Array(channels);
    this.#mean = new Float64Array(channels);
  }

  start(): Float32Array[] {
    return [new Float32Array(this.channels).fill(1), new Float32Array(this.channels)];
  }

  forward([scale, shift]: readonly Float64Array[], input: Float64Array, output: Float64Array, rows: number): void {
    const { channels } = this;
    const length = rows * this.inputSize;
    const count = length / channels;
    const [mean, inverse] = [this.#mean, this.#inverseDeviation];
    const normal = (this.#normal = reserve(this.#normal, length));
    mean.fill(0);
    inverse.fill(0);
    for (let i = 0; i < length; i += channels) for (let c = 0; c < channels; c++) mean[c] += input[i + c];
    for (let c = 0; c < channels; c++) mean[c] /= count;
    for (let i = 0; i < length; i += channels) {
      for (let c = 0; c < channels; c++) inverse[c] += (input[i + c] - mean[c]) ** 2;
    }
    for (let c = 0; c < channels; c++) inverse[c] = 1 / Math.sqrt(inverse[c] / count + EPSILON);
    for (let i = 0; i < length; i += channels) {
      for (let c = 0; c < channels; c++) {
        normal[i + c] = (input[i + c] - mean[c]) * inverse[c];
        output[i + c] = normal[i + c] * scale[c] + shift[c];
      }
    }
  }

  backward(
    [scale]: readonly Float64Array[],
    _input: Float64Array,
    _output: Float64Array,
    outputGradient: Float64Array,
    inputGradient: Float64Array | undefined,
    [scaleGradient, shiftGradient]: readonly Float64Array[],
    rows: number,
  ): void {
    const { channels } = this;
    const length = rows * this.inputSize;
    const count = length / channels;
    const [normal, inverse] = [this.#normal, this.#inverseDeviation];
    scaleGradient.fill(0);
    shiftGradient.fill(0);
    for (let i = 0; i < length; i += channels) {
      for (let c = 0; c < channels; c++) {
        scaleGradient[c] += outputGradient[i + c] * normal[i + c];
        shiftGradient[c] += outputGradient[i + c];
      }
    }
    if (!inputGradient) return;
    for (let i = 0; i < length; i += channels) {
      for (let c = 0; c < channels; c++) {
        const centred = outputGradient[i + c] - (shiftGradient[c] + normal[i + c] * scaleGradient[c]) / count;
        inputGradient[i + c] = scale[c] * inverse[c] * centred;
      }
    }
  }
}
