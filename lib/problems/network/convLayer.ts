import type { Random } from '../../random';
import type { ParameterShape } from '../problem';
import { layerStart, repeatRows, sumRows, type StartRule } from './denseLayer';
import { reserve, type Layer } from './layer';
import { matmul } from './matmul';

export interface ConvOptions {
  /** [height, width, channels] of an input, channels last. */
  readonly input: readonly [number, number, number];
  /** Side of the square kernel. */
  readonly kernel: number;
  readonly filters: number;
  readonly stride: number;
  /** `valid`: kernels lie inside the image. `same`: zeros around it, output of ⌈side / stride⌉, as TensorFlow pads. */
  readonly padding: 'valid' | 'same';
  readonly start: StartRule;
  /** Default true. Before a normalisation a bias has no effect. */
  readonly bias?: boolean;
}

/** First input row or column of each output one, and their number. */
function placements(side: number, { kernel, stride, padding }: ConvOptions): number[] {
  const count = padding === 'same' ? Math.ceil(side / stride) : Math.floor((side - kernel) / stride) + 1;
  const before = padding === 'same' ? Math.max(0, (count - 1) * stride + kernel - side) >> 1 : 0;
  return Array.from({ length: count }, (_, i) => i * stride - before);
}

/**
 * A two-dimensional convolution, as the product of the matrix of all patches with the weights
 * [kernel][kernel][channels][filters].
 */
export class ConvLayer implements Layer {
  readonly inputSize: number;
  readonly outputSize: number;
  /** [height, width, filters] of an output. */
  readonly outputShape: readonly [number, number, number];
  readonly parameters: readonly ParameterShape[];
  /** Index of the first channel of every pixel of every patch, [positions][kernel²]; −1 in the padding. */
  readonly #offsets: Int32Array;
  readonly #positions: number;
  /** Values in a patch. */
  readonly #depth: number;
  #patches: Float64Array = new Float64Array(0);
  #patchGradients: Float64Array = new Float64Array(0);

  /** @throws {RangeError} if the kernel does not fit into the image. */
  constructor(private readonly options: ConvOptions) {
    const { kernel, filters } = options;
    const [height, width, channels] = options.input;
    const [tops, lefts] = [placements(height, options), placements(width, options)];
    if (tops.length === 0 || lefts.length === 0) {
      throw new RangeError(`kernel: expected at most the image's ${height}×${width}, got ${kernel}`);
    }
    const offsets: number[] = [];
    for (const top of tops) {
      for (const left of lefts) {
        for (let i = 0; i < kernel; i++) {
          for (let j = 0; j < kernel; j++) {
            const [row, column] = [top + i, left + j];
            const inside = row >= 0 && row < height && column >= 0 && column < width;
            offsets.push(inside ? (row * width + column) * channels : -1);
          }
        }
      }
    }
    this.#offsets = Int32Array.from(offsets);
    this.#positions = tops.length * lefts.length;
    this.#depth = kernel * kernel * channels;
    this.inputSize = height * width * channels;
    this.outputSize = this.#positions * filters;
    this.outputShape = [tops.length, lefts.length, filters];
    const weights = { name: 'weights', shape: [kernel, kernel, channels, filters] };
    this.parameters = options.bias === false ? [weights] : [weights, { name: 'bias', shape: [filters] }];
  }

  start(random: Random): Float32Array[] {
    const { filters, start, bias } = this.options;
    const weights = layerStart(this.#depth, filters, start, random);
    return bias === false ? [weights] : [weights, new Float32Array(filters)];
  }

  forward([weights, bias]: readonly Float64Array[], input: Float64Array, output: Float64Array, rows: number): void {
    const { filters } = this.options;
    const count = rows * this.#positions;
    this.#patches = reserve(this.#patches, count * this.#depth);
    gather(input, this.#patches, this.#offsets, this.options.input[2], rows, this.inputSize);
    const hasBias = bias !== undefined;
    if (hasBias) repeatRows(bias, output, count, filters);
    matmul(this.#patches, this.#depth, 1, weights, filters, 1, output, count, this.#depth, filters, hasBias);
  }

  backward(
    [weights]: readonly Float64Array[],
    _input: Float64Array,
    _output: Float64Array,
    outputGradient: Float64Array,
    inputGradient: Float64Array | undefined,
    [weightsGradient, biasGradient]: readonly Float64Array[],
    rows: number,
  ): void {
    const { filters } = this.options;
    const depth = this.#depth;
    const count = rows * this.#positions;
    matmul(this.#patches, 1, depth, outputGradient, filters, 1, weightsGradient, depth, count, filters, false);
    if (biasGradient !== undefined) sumRows(outputGradient, biasGradient, count, filters);
    if (!inputGradient) return;
    const patchGradients = (this.#patchGradients = reserve(this.#patchGradients, count * depth));
    matmul(outputGradient, filters, 1, weights, 1, filters, patchGradients, count, filters, depth, false);
    scatter(patchGradients, inputGradient, this.#offsets, this.options.input[2], rows, this.inputSize);
  }
}

/** Copies every patch of every image. */
function gather(
  images: Float64Array,
  patches: Float64Array,
  offsets: Int32Array,
  channels: number,
  rows: number,
  size: number,
): void {
  let to = 0;
  for (let r = 0; r < rows; r++) {
    for (let p = 0; p < offsets.length; p++) {
      if (offsets[p] < 0) {
        for (let c = 0; c < channels; c++) patches[to++] = 0;
      } else {
        const from = r * size + offsets[p];
        for (let c = 0; c < channels; c++) patches[to++] = images[from + c];
      }
    }
  }
}

/** The transpose of `gather`: images = sum of the patches at their places. */
function scatter(
  patches: Float64Array,
  images: Float64Array,
  offsets: Int32Array,
  channels: number,
  rows: number,
  size: number,
): void {
  images.fill(0, 0, rows * size);
  let from = 0;
  for (let r = 0; r < rows; r++) {
    for (let p = 0; p < offsets.length; p++) {
      if (offsets[p] >= 0) {
        const to = r * size + offsets[p];
        for (let c = 0; c < channels; c++) images[to + c] += patches[from + c];
      }
      from += channels;
    }
  }
}
