import { sizeOf, type Problem } from '../../lib/problems/problem';
import { createRandom } from '../../lib/random';
import { l2lShapes, l2lTensors } from '../../lib/experiments/l2l/weights';

/** c and h of both layers of one coordinate. */
export interface CoordinateState {
  readonly cells: number[][];
  readonly hiddens: number[][];
}

export const freshCoordinate = (units: number): CoordinateState => ({
  cells: [0, 1].map(() => Array<number>(units).fill(0)),
  hiddens: [0, 1].map(() => Array<number>(units).fill(0)),
});

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** The paper's preprocessing, written from its equation. */
export function preprocess(g: number, p = 10): [number, number] {
  return Math.abs(g) >= Math.exp(-p) ? [Math.log(Math.abs(g)) / p, Math.sign(g)] : [-1, Math.exp(p) * g];
}

/** One step of one coordinate in double precision, one sum at a time; changes the state and returns the update. */
export function coordinateStep(units: number, values: Float64Array, state: CoordinateState, g: number): number {
  const tensors = l2lTensors(units, values);
  const columns = l2lShapes(units).map(([, [, count]]) => count);
  const affine = (t: number, row: number, input: readonly number[]): number =>
    [...input, 1].reduce((sum, x, k) => sum + tensors[t][row * columns[t] + k] * x, 0);
  let input: number[] = preprocess(g);
  for (const layer of [0, 1]) {
    const whole = [...input, ...state.hiddens[layer]];
    const [cell, hidden] = [state.cells[layer], Array<number>(units)];
    for (let u = 0; u < units; u++) {
      const [i, f, o, c] = [0, 1, 2, 3].map((gate) => affine(layer, gate * units + u, whole));
      cell[u] = sigmoid(f) * cell[u] + sigmoid(i) * Math.tanh(c);
      hidden[u] = sigmoid(o) * Math.tanh(cell[u]);
    }
    state.hiddens[layer] = hidden;
    input = hidden;
  }
  return 0.01 * affine(2, 0, input);
}

/** Σ_t ⟨g_t, θ_t − θ_0⟩ for given gradients: `gradients[0]` is that at θ_0, the optimizer's first input. */
export function surrogate(
  units: number,
  values: Float64Array,
  states: readonly CoordinateState[],
  gradients: readonly Float32Array[],
): number {
  const own = structuredClone(states) as CoordinateState[];
  const moved = new Float64Array(own.length);
  let sum = 0;
  for (let t = 0; t + 1 < gradients.length; t++) {
    own.forEach((state, i) => (moved[i] += coordinateStep(units, values, state, gradients[t][i])));
    moved.forEach((m, i) => (sum += m * gradients[t + 1][i]));
  }
  return sum;
}

/** f(θ) = Σ_i a_i (θ_i − b_i)² / 2 with b from the batch's sample, on two tensors; records the gradients that it gives. */
export function recordingQuadratic(): Problem & { readonly recorded: Float32Array[] } {
  const parameters = [
    { name: 'matrix', shape: [3, 2] },
    { name: 'bias', shape: [3] },
  ];
  const sizes = parameters.map(sizeOf);
  const total = sizes.reduce((a, b) => a + b);
  const random = createRandom(5);
  const samples = 16;
  const curvature = Float64Array.from({ length: total }, () => 10 ** (4 * random.uniform() - 3));
  const targets = Float64Array.from({ length: samples * total }, () => random.normal());
  const recorded: Float32Array[] = [];
  const visit = (
    arrays: readonly Float32Array[],
    sample: number,
    each: (d: number, a: number, t: number, i: number) => void,
  ): void => {
    let k = 0;
    arrays.forEach((array, t) =>
      array.forEach((v, i) => {
        each(v - targets[sample * total + k], curvature[k], t, i);
        k++;
      }),
    );
  };
  const lossOf = (arrays: readonly Float32Array[], sample: number): number => {
    let loss = 0;
    visit(arrays, sample, (d, a) => (loss += (a * d * d) / 2));
    return loss;
  };
  return {
    name: 'quadratic',
    parameters,
    sampleCount: samples,
    batchSize: 1,
    recorded,
    initial(seed) {
      const start = createRandom(seed);
      return sizes.map((size) => Float32Array.from({ length: size }, () => start.normal()));
    },
    lossAndGradient(arrays, batch, gradients) {
      visit(arrays, batch[0], (d, a, t, i) => (gradients[t][i] = a * d));
      recorded.push(Float32Array.from(gradients.flatMap((g) => [...g])));
      return lossOf(arrays, batch[0]);
    },
    fullLoss: (arrays) =>
      Array.from({ length: samples }, (_, sample) => lossOf(arrays, sample)).reduce((a, b) => a + b) / samples,
  };
}
