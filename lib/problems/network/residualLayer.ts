import type { Random } from '../../random';
import type { ParameterShape } from '../problem';
import { Chain } from './chain';
import { reserve, type Layer } from './layer';

/** output = input + layers(input) (He et al. 2016, arXiv 1512.03385). */
export class ResidualLayer implements Layer {
  readonly inputSize: number;
  readonly outputSize: number;
  readonly parameters: readonly ParameterShape[];
  readonly #chain: Chain;
  #branch: Float64Array = new Float64Array(0);

  /** @throws {RangeError} if the layers do not give as many values as they take. */
  constructor(layers: readonly Layer[]) {
    this.#chain = new Chain(layers);
    if (this.#chain.inputSize !== this.#chain.outputSize) {
      throw new RangeError(
        `layers: expected an output of ${this.#chain.inputSize} values per row like the input, got ${this.#chain.outputSize}`,
      );
    }
    this.inputSize = this.outputSize = this.#chain.inputSize;
    this.parameters = this.#chain.parameters;
  }

  start(random: Random): Float32Array[] {
    return this.#chain.start(random);
  }

  forward(parameters: readonly Float64Array[], input: Float64Array, output: Float64Array, rows: number): void {
    const length = rows * this.inputSize;
    const branch = (this.#branch = reserve(this.#branch, length));
    this.#chain.forward(parameters, input, branch, rows);
    for (let i = 0; i < length; i++) output[i] = input[i] + branch[i];
  }

  backward(
    parameters: readonly Float64Array[],
    input: Float64Array,
    _output: Float64Array,
    outputGradient: Float64Array,
    inputGradient: Float64Array | undefined,
    gradients: readonly Float64Array[],
    rows: number,
  ): void {
    this.#chain.backward(parameters, input, this.#branch, outputGradient, inputGradient, gradients, rows);
    if (!inputGradient) return;
    const length = rows * this.inputSize;
    for (let i = 0; i < length; i++) inputGradient[i] += outputGradient[i];
  }
}
