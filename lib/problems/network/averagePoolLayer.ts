import type { Layer } from './layer';

/** Means over square, non-overlapping windows of images [height][width][channels]. */
export class AveragePoolLayer implements Layer {
  readonly inputSize: number;
  readonly outputSize: number;
  readonly outputShape: readonly [number, number, number];
  readonly parameters = [];
  /** Index of the output that every input belongs to. */
  readonly #target: Int32Array;
  readonly #share: number;

  /**
   * @param window side of a window; the image's sides for the mean of the whole image.
   * @throws {RangeError} if the window does not divide the image.
   */
  constructor([height, width, channels]: readonly [number, number, number], window: number) {
    if (height % window !== 0 || width % window !== 0) {
      throw new RangeError(`window: expected a divisor of ${height} and ${width}, got ${window}`);
    }
    const columns = width / window;
    this.outputShape = [height / window, columns, channels];
    this.inputSize = height * width * channels;
    this.outputSize = this.inputSize / window ** 2;
    this.#share = 1 / window ** 2;
    this.#target = Int32Array.from({ length: this.inputSize }, (_, i) => {
      const channel = i % channels;
      const column = Math.floor(i / channels) % width;
      const row = Math.floor(i / channels / width);
      return (Math.floor(row / window) * columns + Math.floor(column / window)) * channels + channel;
    });
  }

  start(): Float32Array[] {
    return [];
  }

  forward(_parameters: readonly Float64Array[], input: Float64Array, output: Float64Array, rows: number): void {
    output.fill(0, 0, rows * this.outputSize);
    for (let r = 0, from = 0; r < rows; r++) {
      const to = r * this.outputSize;
      for (let i = 0; i < this.inputSize; i++) output[to + this.#target[i]] += this.#share * input[from++];
    }
  }

  backward(
    _parameters: readonly Float64Array[],
    _input: Float64Array,
    _output: Float64Array,
    outputGradient: Float64Array,
    inputGradient: Float64Array | undefined,
    _gradients: readonly Float64Array[],
    rows: number,
  ): void {
    if (!inputGradient) return;
    for (let r = 0, to = 0; r < rows; r++) {
      const from = r * this.outputSize;
      for (let i = 0; i < this.inputSize; i++) {
        inputGradient[to++] = this.#share * outputGradient[from + this.#target[i]];
      }
    }
  }
}
