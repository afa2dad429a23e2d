import type { Random } from '../../random';
import type { ParameterShape } from '../problem';
import { startWeights, type Start } from '../start';
import type { Layer } from './layer';
import { matmul } from './matmul';

/** A rule that counts inputs and outputs, or the standard deviation of a normal distribution. */
export type StartRule = Start | number;

/** Start values of weights [inputs][outputs]. */
export function layerStart(inputs: number, outputs: number, rule: StartRule, random: Random): Float32Array {
  if (typeof rule !== 'number') return startWeights(inputs, outputs, rule, random);
  return Float32Array.from({ length: inputs * outputs }, () => rule * random.normal());
}

/** output = input · weights[inputs][outputs] + bias[outputs]. */
export class DenseLayer implements Layer {
  readonly parameters: readonly ParameterShape[];

  constructor(
    readonly inputSize: number,
    readonly outputSize: number,
    private readonly startRule: StartRule,
  ) {
    this.parameters = [
      { name: 'weights', shape: [inputSize, outputSize] },
      { name: 'bias', shape: [outputSize] },
    ];
  }

  start(random: Random): Float32Array[] {
    return [layerStart(this.inputSize, this.outputSize, this.startRule, random), new Float32Array(this.outputSize)];
  }

  forward([weights, bias]: readonly Float64Array[], input: Float64Array, output: Float64Array, rows: number): void {
    const [n, m] = [this.inputSize, this.outputSize];
    repeatRows(bias, output, rows, m);
    matmul(input, n, 1, weights, m, 1, output, rows, n, m, true);
  }

  backward(
    [weights]: readonly Float64Array[],
    input: Float64Array,
    _output: Float64Array,
    outputGradient: Float64Array,
    inputGradient: Float64Array | undefined,
    [weightsGradient, biasGradient]: readonly Float64Array[],
    rows: number,
  ): void {
    const [n, m] = [this.inputSize, this.outputSize];
    matmul(input, 1, n, outputGradient, m, 1, weightsGradient, n, rows, m, false);
    sumRows(outputGradient, biasGradient, rows, m);
    if (inputGradient) matmul(outputGradient, m, 1, weights, 1, m, inputGradient, rows, m, n, false);
  }
}

/** Writes the same row `rows` times. */
export function repeatRows(row: Float64Array, output: Float64Array, rows: number, columns: number): void {
  for (let r = 0, at = 0; r < rows; r++) for (let j = 0; j < columns; j++) output[at++] = row[j];
}

/** sums[j] = Σ over rows of values[r][j]. */
export function sumRows(values: Float64Array, sums: Float64Array, rows: number, columns: number): void {
  sums.fill(0, 0, columns);
  for (let r = 0, at = 0; r < rows; r++) for (let j = 0; j < columns; j++) sums[j] += values[at++];
}
