import type { FloatArray } from '../../bindings/types';

/** Affine map y = x·W + b; `matrix` is [inputs][outputs], row-major. */
export interface Affine {
  readonly inputs: number;
  readonly outputs: number;
  readonly matrix: Float64Array;
  readonly bias: Float64Array;
}

/**
 * out[at + o] += bias[o] + Σ_i x[i]·W[i, o], summed in the order of i.
 *
 * Four outputs at a time in local variables, and double arrays only (one type of array keeps the engine's fast path): with
 * hundreds of tensors these products are most of a step's time outside the addon.
 */
export function addAffine(affine: Affine, x: Float64Array, out: Float64Array, at: number): void {
  const { inputs, outputs, matrix, bias } = affine;
  let o = 0;
  for (; o + 4 <= outputs; o += 4) {
    let a = out[at + o] + bias[o];
    let b = out[at + o + 1] + bias[o + 1];
    let c = out[at + o + 2] + bias[o + 2];
    let d = out[at + o + 3] + bias[o + 3];
    for (let i = 0, w = o; i < inputs; i++, w += outputs) {
      const v = x[i];
      a += v * matrix[w];
      b += v * matrix[w + 1];
      c += v * matrix[w + 2];
      d += v * matrix[w + 3];
    }
    out[at + o] = a;
    out[at + o + 1] = b;
    out[at + o + 2] = c;
    out[at + o + 3] = d;
  }
  for (; o < outputs; o++) {
    let a = out[at + o] + bias[o];
    for (let i = 0, w = o; i < inputs; i++, w += outputs) a += x[i] * matrix[w];
    out[at + o] = a;
  }
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/**
 * GRU with an injected bias (released code's BiasGRUCell): r, u = σ(W_g [x, h] + b_g + injected[0:2n]),
 * c = tanh(W_c [x, r∘h] + b_c + injected[2n:3n]), h' = u∘h + (1 − u)∘c. Gate columns are [reset | update].
 */
export class Gru {
  private readonly input: Float64Array;
  private readonly gate: Float64Array;
  private readonly next: Float64Array;

  constructor(
    private readonly gates: Affine,
    private readonly candidate: Affine,
    readonly inputs: number,
    readonly hidden: number,
  ) {
    this.input = new Float64Array(inputs + hidden);
    this.gate = new Float64Array(2 * hidden);
    this.next = new Float64Array(hidden);
  }

  /**
   * Advances one state in place.
   * @param x [inputs], from `xAt`
   * @param injected [3·hidden]: injected bias, columns [reset | update | candidate]; null for none
   * @param state [hidden]
   */
  advance(x: Float64Array, xAt: number, injected: Float64Array | null, state: FloatArray): void {
    const { input, gate, next, inputs, hidden: n } = this;
    for (let i = 0; i < inputs; i++) input[i] = x[xAt + i];
    for (let j = 0; j < n; j++) input[inputs + j] = state[j];
    if (injected === null) {
      gate.fill(0);
      next.fill(0);
    } else {
      for (let j = 0; j < 2 * n; j++) gate[j] = injected[j];
      for (let j = 0; j < n; j++) next[j] = injected[2 * n + j];
    }
    addAffine(this.gates, input, gate, 0);
    for (let j = 0; j < n; j++) input[inputs + j] *= sigmoid(gate[j]);
    addAffine(this.candidate, input, next, 0);
    for (let j = 0; j < n; j++) {
      const u = sigmoid(gate[n + j]);
      state[j] = u * state[j] + (1 - u) * Math.tanh(next[j]);
    }
  }
}
