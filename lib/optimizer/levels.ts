import type { FloatArray, Precision } from '../../bindings/types';
import { inputCount, tensorInputCount } from './architecture';
import { Gru, addAffine } from './gru';
import type { Affine } from './gru';
import type { Weights } from './weights';

/** The tensor and global RNNs (paper, section 3.1) and the biases that they inject into the levels below. */
export class Levels {
  /** Entries per tensor of the means that the native step returns: [h', x]. */
  readonly meansWidth: number;
  /** Entries per tensor of the biases that the native step wants. */
  readonly biasWidth: number;
  private readonly cellBias: Float64Array;
  private readonly tensorToParameter: Affine | null;
  private readonly globalToParameter: Affine | null;
  private readonly globalToTensor: Affine | null;
  private readonly tensorCell: Gru | null;
  private readonly globalCell: Gru | null;
  private readonly fromGlobal: Float64Array;
  private readonly injected: Float64Array;
  private readonly tensorMean: Float64Array;
  /** One state in double, for `addAffine`. */
  private readonly tensorState: Float64Array;
  private readonly globalState: Float64Array;

  constructor(
    private readonly weights: Weights,
    private readonly precision: Precision,
  ) {
    const a = weights.architecture;
    const H = a.parameterHidden;
    this.meansWidth = H + inputCount(a);
    this.biasWidth = 3 * H;
    this.cellBias = new Float64Array(3 * H);
    this.cellBias.set(this.doubles('parameter.cell.gates.bias'), 0);
    this.cellBias.set(this.doubles('parameter.cell.candidate.bias'), 2 * H);
    this.tensorToParameter = a.levels > 1 ? this.affine('tensorToParameter', a.tensorHidden, 3 * H) : null;
    this.globalToParameter = a.levels > 2 ? this.affine('globalToParameter', a.globalHidden, 3 * H) : null;
    this.globalToTensor = a.levels > 2 ? this.affine('globalToTensor', a.globalHidden, 3 * a.tensorHidden) : null;
    this.tensorCell = a.levels > 1 ? this.gru('tensor', tensorInputCount(a), a.tensorHidden) : null;
    this.globalCell = a.levels > 2 ? this.gru('global', a.tensorHidden, a.globalHidden) : null;
    this.fromGlobal = new Float64Array(3 * H);
    this.injected = new Float64Array(3 * a.tensorHidden);
    this.tensorMean = new Float64Array(a.tensorHidden);
    this.tensorState = new Float64Array(a.tensorHidden);
    this.globalState = new Float64Array(a.globalHidden);
  }

  private doubles(name: string): Float64Array {
    return Float64Array.from(this.weights.tensors.get(name)!);
  }

  private affine(name: string, inputs: number, outputs: number): Affine {
    return { inputs, outputs, matrix: this.doubles(`${name}.matrix`), bias: this.doubles(`${name}.bias`) };
  }

  private gru(level: string, inputs: number, hidden: number): Gru {
    return new Gru(
      this.affine(`${level}.cell.gates`, inputs + hidden, 2 * hidden),
      this.affine(`${level}.cell.candidate`, inputs + hidden, hidden),
      inputs,
      hidden,
    );
  }

  private state(name: string, size: number): FloatArray {
    const initial = size > 0 ? this.weights.tensors.get(name)! : new Float64Array(0);
    return this.precision === 'float32' ? Float32Array.from(initial) : Float64Array.from(initial);
  }

  /** A new tensor's state, [tensorHidden] (empty with one level). */
  initialTensorHidden(): FloatArray {
    const a = this.weights.architecture;
    return this.state('tensor.initialHidden', a.levels > 1 ? a.tensorHidden : 0);
  }

  /** The initial global state, [globalHidden] (empty with fewer than three levels). */
  initialGlobalHidden(): FloatArray {
    const a = this.weights.architecture;
    return this.state('global.initialHidden', a.levels > 2 ? a.globalHidden : 0);
  }

  /**
   * Bias of every tensor's parameter RNN from the states before the step: cell bias, plus affine(tensor state), plus
   * affine(global state).
   * @param out [T][3·hidden], overwritten
   */
  biases(tensors: readonly FloatArray[], global: FloatArray, out: Float64Array): void {
    const shared = this.fromGlobal;
    shared.set(this.cellBias);
    if (this.globalToParameter !== null) {
      this.globalState.set(global);
      addAffine(this.globalToParameter, this.globalState, shared, 0);
    }
    for (let t = 0; t < tensors.length; t++) {
      const at = t * this.biasWidth;
      out.set(shared, at);
      if (this.tensorToParameter === null) continue;
      this.tensorState.set(tensors[t]);
      addAffine(this.tensorToParameter, this.tensorState, out, at);
    }
  }

  /**
   * Advances the tensor states from the means of [h', x] over their coordinates, then the global state from the mean of
   * the new tensor states. Tensors without an advanced coordinate keep their state and count in no mean. (The released
   * code feeds the last tensor's state alone to the global RNN; the paper's text says all.)
   * @param means [T][hidden + inputs]
   * @param advanced [T]
   */
  advance(tensors: readonly FloatArray[], global: FloatArray, means: Float64Array, advanced: Float64Array): void {
    if (this.tensorCell === null) return;
    let injected: Float64Array | null = null;
    if (this.globalToTensor !== null) {
      injected = this.injected;
      injected.fill(0);
      this.globalState.set(global);
      addAffine(this.globalToTensor, this.globalState, injected, 0);
    }
    const mean = this.tensorMean;
    mean.fill(0);
    let count = 0;
    for (let t = 0; t < tensors.length; t++) {
      if (advanced[t] === 0) continue;
      const state = tensors[t];
      this.tensorCell.advance(means, t * this.meansWidth, injected, state);
      for (let j = 0; j < mean.length; j++) mean[j] += state[j];
      count++;
    }
    if (this.globalCell === null || count === 0) return;
    for (let j = 0; j < mean.length; j++) mean[j] /= count;
    this.globalCell.advance(mean, 0, null, global);
  }
}
