import { activate, activationGradient, type Activation } from '../dense';
import type { Layer } from './layer';

/** An activation function of every value. */
export class ActivationLayer implements Layer {
  readonly outputSize: number;
  readonly parameters = [];

  constructor(
    readonly inputSize: number,
    private readonly activation: Activation,
  ) {
    this.outputSize = inputSize;
  }

  start(): Float32Array[] {
    return [];
  }

  forward(_parameters: readonly Float64Array[], input: Float64Array, output: Float64Array, rows: number): void {
    const length = rows * this.inputSize;
    for (let i = 0; i < length; i++) output[i] = input[i];
    activate(output, this.activation, length);
  }

  backward(
    _parameters: readonly Float64Array[],
    _input: Float64Array,
    output: Float64Array,
    outputGradient: Float64Array,
    inputGradient: Float64Array | undefined,
    _gradients: readonly Float64Array[],
    rows: number,
  ): void {
    if (!inputGradient) return;
    const length = rows * this.inputSize;
    for (let i = 0; i < length; i++) inputGradient[i] = outputGradient[i];
    activationGradient(output, inputGradient, this.activation, length);
  }
}
