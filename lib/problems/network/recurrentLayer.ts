import type { Random } from '../../random';
import type { ParameterShape } from '../problem';
import { layerStart, repeatRows, sumRows, type StartRule } from './denseLayer';
import { reserve, type Layer } from './layer';
import { matmul } from './matmul';

/**
 * A simple recurrent layer (Elman 1990): h_t = tanh(x_t · inputWeights + h_{t−1} · recurrentWeights + bias), h_0 = 0. Takes
 * sequences [time][inputs] and gives the last h; the gradient goes back through all of time.
 */
export class RecurrentLayer implements Layer {
  readonly inputSize: number;
  readonly outputSize: number;
  readonly parameters: readonly ParameterShape[];
  /** Time first, so that one moment of all rows is contiguous: x [time][rows][inputs]. */
  #x: Float64Array = new Float64Array(0);
  /** h [time + 1][rows][hidden]. */
  #h: Float64Array = new Float64Array(0);
  /** Gradient with respect to what goes into tanh, [time][rows][hidden], and with respect to h_t and x. */
  #z: Float64Array = new Float64Array(0);
  #hGradient: Float64Array = new Float64Array(0);
  #xGradient: Float64Array = new Float64Array(0);

  constructor(
    private readonly time: number,
    private readonly inputs: number,
    private readonly hidden: number,
    private readonly startRule: StartRule,
  ) {
    this.inputSize = time * inputs;
    this.outputSize = hidden;
    this.parameters = [
      { name: 'inputWeights', shape: [inputs, hidden] },
      { name: 'recurrentWeights', shape: [hidden, hidden] },
      { name: 'bias', shape: [hidden] },
    ];
  }

  start(random: Random): Float32Array[] {
    const { inputs, hidden, startRule } = this;
    return [
      layerStart(inputs, hidden, startRule, random),
      layerStart(hidden, hidden, startRule, random),
      new Float32Array(hidden),
    ];
  }

  forward(
    [inputWeights, recurrentWeights, bias]: readonly Float64Array[],
    input: Float64Array,
    output: Float64Array,
    rows: number,
  ): void {
    const { time, inputs, hidden } = this;
    const size = rows * hidden;
    const x = (this.#x = reserve(this.#x, time * rows * inputs));
    const h = (this.#h = reserve(this.#h, (time + 1) * size));
    timeFirst(input, x, rows, time, inputs);
    h.fill(0, 0, size);
    const pre = h.subarray(size);
    repeatRows(bias, pre, time * rows, hidden);
    matmul(x, inputs, 1, inputWeights, hidden, 1, pre, time * rows, inputs, hidden, true);
    for (let t = 0; t < time; t++) {
      const [before, now] = [h.subarray(t * size, (t + 1) * size), h.subarray((t + 1) * size, (t + 2) * size)];
      matmul(before, hidden, 1, recurrentWeights, hidden, 1, now, rows, hidden, hidden, true);
      for (let i = 0; i < size; i++) now[i] = Math.tanh(now[i]);
    }
    output.set(h.subarray(time * size, (time + 1) * size));
  }

  backward(
    [inputWeights, recurrentWeights]: readonly Float64Array[],
    _input: Float64Array,
    _output: Float64Array,
    outputGradient: Float64Array,
    inputGradient: Float64Array | undefined,
    [inputWeightsGradient, recurrentWeightsGradient, biasGradient]: readonly Float64Array[],
    rows: number,
  ): void {
    const { time, inputs, hidden } = this;
    const size = rows * hidden;
    const [x, h] = [this.#x, this.#h];
    const z = (this.#z = reserve(this.#z, time * size));
    const hGradient = (this.#hGradient = reserve(this.#hGradient, size));
    hGradient.set(outputGradient.subarray(0, size));
    for (let t = time - 1; t >= 0; t--) {
      const [from, now] = [(t + 1) * size, t * size];
      for (let i = 0; i < size; i++) z[now + i] = hGradient[i] * (1 - h[from + i] * h[from + i]);
      const zNow = z.subarray(now, now + size);
      if (t > 0) matmul(zNow, hidden, 1, recurrentWeights, 1, hidden, hGradient, rows, hidden, hidden, false);
    }
    const all = time * rows;
    matmul(x, 1, inputs, z, hidden, 1, inputWeightsGradient, inputs, all, hidden, false);
    matmul(h, 1, hidden, z, hidden, 1, recurrentWeightsGradient, hidden, all, hidden, false);
    sumRows(z, biasGradient, all, hidden);
    if (!inputGradient) return;
    const xGradient = (this.#xGradient = reserve(this.#xGradient, all * inputs));
    matmul(z, hidden, 1, inputWeights, 1, hidden, xGradient, all, hidden, inputs, false);
    timeFirst(xGradient, inputGradient, time, rows, inputs);
  }
}

/** [outer][inner][size] → [inner][outer][size]. */
function timeFirst(from: Float64Array, to: Float64Array, outer: number, inner: number, size: number): void {
  for (let i = 0, at = 0; i < outer; i++) {
    for (let j = 0; j < inner; j++) {
      const start = (j * outer + i) * size;
      for (let k = 0; k < size; k++) to[start + k] = from[at++];
    }
  }
}
