import type { LevelWeights, NativeOptimizerOptions } from '../../bindings/types';
import { inputCount } from '../../bindings/types';

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** bias[o] + Σ_i x[i]·matrix[i][o] */
function affine(matrix: Float64Array, bias: Float64Array, x: readonly number[]): number[] {
  return Array.from(bias, (b, o) => {
    let sum = b;
    for (let i = 0; i < x.length; i++) sum += x[i] * matrix[i * bias.length + o];
    return sum;
  });
}

type Injected = readonly number[];

/** r, u = σ(W_g [x, h] + injected), c = tanh(W_c [x, r∘h] + injected), h' = u∘h + (1 − u)∘c */
function gru(w: LevelWeights, level: 'tensor' | 'global', x: number[], h: number[], injected: Injected): number[] {
  const n = h.length;
  const gates = affine(w[`${level}GatesMatrix`]!, w[`${level}GatesBias`]!, [...x, ...h]).map((v, j) =>
    sigmoid(v + injected[j]),
  );
  const reset = h.map((v, j) => gates[j] * v);
  const candidates = affine(w[`${level}CandidateMatrix`]!, w[`${level}CandidateBias`]!, [...x, ...reset]);
  return h.map((v, j) => {
    const candidate = Math.tanh(candidates[j] + injected[2 * n + j]);
    return gates[n + j] * v + (1 - gates[n + j]) * candidate;
  });
}

/**
 * The tensor and global level once more, in double precision, written from the paper's equations (section 3.1): what the
 * native ones are compared with.
 */
export class ReferenceLevels {
  readonly tensors = new Map<number, number[]>();
  global: number[];

  constructor(private readonly options: NativeOptimizerOptions) {
    this.global = Array.from(options.levels.globalInitialHidden ?? []);
  }

  add(handle: number): void {
    this.tensors.set(handle, Array.from(this.options.levels.tensorInitialHidden ?? []));
  }

  /** [3·hidden] for every tensor: the cell's own bias, plus what the tensor state and the global state inject. */
  biases(handles: readonly number[]): Float64Array {
    const { levels: w, architecture: a } = this.options;
    return Float64Array.from(
      handles.flatMap((handle) => {
        const parts = [Array.from(w.cellBias)];
        if (a.levels > 1) {
          parts.push(affine(w.tensorToParameterMatrix!, w.tensorToParameterBias!, this.tensors.get(handle)!));
        }
        if (a.levels > 2) parts.push(affine(w.globalToParameterMatrix!, w.globalToParameterBias!, this.global));
        return parts[0].map((_, o) => parts.reduce((sum, part) => sum + part[o], 0));
      }),
    );
  }

  /**
   * Advances the tensors of which a coordinate advanced, then the global state from the mean of their new states.
   * @param means [T][hidden + inputs]
   */
  advance(handles: readonly number[], means: Float64Array, advanced: Float64Array): void {
    const { levels: w, architecture: a } = this.options;
    if (a.levels === 1) return;
    const width = a.parameterHidden + inputCount(a);
    const seen = a.parameterHidden + (inputCount(a) > a.timescales ? inputCount(a) : 0);
    const nothing = (units: number): number[] => new Array<number>(3 * units).fill(0);
    const injected =
      a.levels > 2 ? affine(w.globalToTensorMatrix!, w.globalToTensorBias!, this.global) : nothing(a.tensorHidden);
    const moved: number[][] = [];
    handles.forEach((handle, t) => {
      if (advanced[t] === 0) return;
      const x = Array.from(means.subarray(t * width, t * width + seen));
      const next = gru(w, 'tensor', x, this.tensors.get(handle)!, injected);
      this.tensors.set(handle, next);
      moved.push(next);
    });
    if (a.levels < 3 || moved.length === 0) return;
    const mean = moved[0].map((_, j) => moved.reduce((sum, state) => sum + state[j], 0) / moved.length);
    this.global = gru(w, 'global', mean, this.global, nothing(a.globalHidden));
  }
}
