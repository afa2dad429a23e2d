import type { Random } from '../../random';
import type { ParameterShape } from '../problem';
import { reserve, type Layer } from './layer';

/** Layers one after the other, as one layer. */
export class Chain implements Layer {
  readonly inputSize: number;
  readonly outputSize: number;
  readonly parameters: readonly ParameterShape[];
  /** Output of each layer but the last, and the gradient with respect to it. */
  readonly #values: Float64Array[];
  readonly #gradients: Float64Array[];
  /** First parameter of each layer. */
  readonly #first: readonly number[];

  /** @throws {RangeError} if there is no layer, or one does not take what the layer before gives. */
  constructor(private readonly layers: readonly Layer[]) {
    if (layers.length === 0) throw new RangeError('layers: expected at least one, got none');
    for (let i = 1; i < layers.length; i++) {
      if (layers[i].inputSize !== layers[i - 1].outputSize) {
        throw new RangeError(
          `layers[${i}]: expected an input of ${layers[i - 1].outputSize} values per row, got ${layers[i].inputSize}`,
        );
      }
    }
    this.inputSize = layers[0].inputSize;
    this.outputSize = layers[layers.length - 1].outputSize;
    const first: number[] = [];
    this.parameters = layers.flatMap((layer, i) => {
      first.push((first[i - 1] ?? 0) + (layers[i - 1]?.parameters.length ?? 0));
      return layer.parameters.map(({ name, shape }) => ({ name: `layer${i}/${name}`, shape }));
    });
    this.#first = first;
    this.#values = layers.slice(1).map(() => new Float64Array(0));
    this.#gradients = layers.slice(1).map(() => new Float64Array(0));
  }

  start(random: Random): Float32Array[] {
    return this.layers.flatMap((layer) => layer.start(random));
  }

  forward(parameters: readonly Float64Array[], input: Float64Array, output: Float64Array, rows: number): void {
    const last = this.layers.length - 1;
    this.layers.forEach((layer, i) => {
      if (i < last) this.#values[i] = reserve(this.#values[i], rows * layer.outputSize);
      layer.forward(
        this.#of(parameters, i),
        i === 0 ? input : this.#values[i - 1],
        i === last ? output : this.#values[i],
        rows,
      );
    });
  }

  backward(
    parameters: readonly Float64Array[],
    input: Float64Array,
    output: Float64Array,
    outputGradient: Float64Array,
    inputGradient: Float64Array | undefined,
    gradients: readonly Float64Array[],
    rows: number,
  ): void {
    const last = this.layers.length - 1;
    for (let i = last; i >= 0; i--) {
      if (i > 0) this.#gradients[i - 1] = reserve(this.#gradients[i - 1], rows * this.layers[i].inputSize);
      this.layers[i].backward(
        this.#of(parameters, i),
        i === 0 ? input : this.#values[i - 1],
        i === last ? output : this.#values[i],
        i === last ? outputGradient : this.#gradients[i],
        i === 0 ? inputGradient : this.#gradients[i - 1],
        this.#of(gradients, i),
        rows,
      );
    }
  }

  #of(arrays: readonly Float64Array[], layer: number): Float64Array[] {
    return arrays.slice(this.#first[layer], this.#first[layer] + this.layers[layer].parameters.length);
  }
}
