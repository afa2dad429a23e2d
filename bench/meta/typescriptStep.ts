import {
  inputCount,
  metaParameterShapes,
  MIN_LOG_LEARNING_RATE,
  tensorInputCount,
  tensorSeesInputs,
} from '../../lib/optimizer/architecture';
import type { Architecture } from '../../lib/optimizer/architecture';

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const asinh = (x: number): number => Math.sign(x) * Math.log(Math.abs(x) + Math.sqrt(1 + x * x));

/**
 * out[o] += Σ_i x[i]·w[at + i·outputs + o]. Four outputs at a time in local variables, double arrays only: as fast as the
 * engine makes it.
 */
function addProduct(
  w: Float64Array,
  at: number,
  x: Float64Array,
  inputs: number,
  out: Float64Array,
  outputs: number,
): void {
  let o = 0;
  for (; o + 4 <= outputs; o += 4) {
    let [a, b, c, d] = [out[o], out[o + 1], out[o + 2], out[o + 3]];
    for (let i = 0, k = at + o; i < inputs; i++, k += outputs) {
      const v = x[i];
      a += v * w[k];
      b += v * w[k + 1];
      c += v * w[k + 2];
      d += v * w[k + 3];
    }
    out[o] = a;
    out[o + 1] = b;
    out[o + 2] = c;
    out[o + 3] = d;
  }
  for (; o < outputs; o++) {
    let a = out[o];
    for (let i = 0, k = at + o; i < inputs; i++, k += outputs) a += x[i] * w[k];
    out[o] = a;
  }
}

interface CellOffsets {
  readonly gatesMatrix: number;
  readonly gatesBias: number;
  readonly candidateMatrix: number;
  readonly candidateBias: number;
}

function offsetsOf(a: Architecture) {
  const offsets = new Map<string, number>();
  let offset = 0;
  for (const [name, shape] of metaParameterShapes(a)) {
    offsets.set(name, offset);
    offset += shape.reduce((p, q) => p * q, 1);
  }
  const of = (name: string): number => offsets.get(name) ?? NaN;
  const cell = (level: string): CellOffsets => ({
    gatesMatrix: of(`${level}.cell.gates.matrix`),
    gatesBias: of(`${level}.cell.gates.bias`),
    candidateMatrix: of(`${level}.cell.candidate.matrix`),
    candidateBias: of(`${level}.cell.candidate.bias`),
  });
  return {
    parameter: cell('parameter'),
    tensor: cell('tensor'),
    global: cell('global'),
    scaleDecayReadout: of('parameter.scaleDecay.readout'),
    scaleDecayBias: of('parameter.scaleDecay.bias'),
    inputDecayReadout: of('parameter.inputDecay.readout'),
    inputDecayBias: of('parameter.inputDecay.bias'),
    rateReadout: of('parameter.learningRate.readout'),
    rateBias: of('parameter.learningRate.bias'),
    momentumLogit: of('parameter.learningRate.momentumLogit'),
    stepSizeOffset: of('parameter.stepSizeOffset'),
    updateReadout: of('parameter.update.readout'),
    updateShortcut: of('parameter.update.shortcut'),
    globalToParameterMatrix: of('globalToParameter.matrix'),
    globalToParameterBias: of('globalToParameter.bias'),
    globalToTensorMatrix: of('globalToTensor.matrix'),
    globalToTensorBias: of('globalToTensor.bias'),
    tensorToParameterMatrix: of('tensorToParameter.matrix'),
    tensorToParameterBias: of('tensorToParameter.bias'),
  };
}

/**
 * One step of the whole optimizer for one problem in TypeScript alone, on a state laid out as that of the native lanes in
 * double precision: what the engine is compared with. Without attention.
 */
export class TypeScriptStep {
  /** Where the meta-parameters begin in the flat vector; NaN where the architecture has none. */
  private readonly at: ReturnType<typeof offsetsOf>;
  private readonly x: Float64Array;
  private readonly h: Float64Array;
  private readonly row: Float64Array;
  private readonly gates: Float64Array;
  private readonly candidate: Float64Array;
  private readonly shared: Float64Array;
  private readonly bias: Float64Array;
  private readonly injected: Float64Array;
  private readonly means: Float64Array;
  private readonly vector: Float64Array;
  private readonly directions: Float64Array;
  private readonly sizes: Float64Array;

  constructor(
    private readonly a: Architecture,
    private readonly lengths: readonly number[],
  ) {
    this.at = offsetsOf(a);
    const widest = Math.max(a.parameterHidden, a.tensorHidden, a.globalHidden);
    this.x = new Float64Array(inputCount(a));
    this.h = new Float64Array(a.parameterHidden);
    this.row = new Float64Array(inputCount(a) + 4 * widest);
    this.gates = new Float64Array(2 * widest);
    this.candidate = new Float64Array(widest);
    this.shared = new Float64Array(3 * a.parameterHidden);
    this.bias = new Float64Array(3 * a.parameterHidden);
    this.injected = new Float64Array(3 * a.tensorHidden);
    this.means = new Float64Array(a.parameterHidden + inputCount(a));
    this.vector = new Float64Array(widest);
    const longest = Math.max(...lengths);
    this.directions = new Float64Array(longest);
    this.sizes = new Float64Array(longest);
  }

  /** GRU with injected bias [reset | update | candidate]; input in `row`, state [hidden] at `stateAt`, in place. */
  private gru(
    w: Float64Array,
    cell: CellOffsets,
    inputs: number,
    hidden: number,
    injected: Float64Array | null,
    withOwnBias: boolean,
    state: Float64Array,
    stateAt: number,
  ): void {
    const { row, gates, candidate } = this;
    for (let j = 0; j < 2 * hidden; j++) gates[j] = (injected?.[j] ?? 0) + (withOwnBias ? w[cell.gatesBias + j] : 0);
    for (let j = 0; j < hidden; j++) {
      candidate[j] = (injected?.[2 * hidden + j] ?? 0) + (withOwnBias ? w[cell.candidateBias + j] : 0);
      row[inputs + j] = state[stateAt + j];
    }
    addProduct(w, cell.gatesMatrix, row, inputs + hidden, gates, 2 * hidden);
    for (let j = 0; j < hidden; j++) row[inputs + j] *= sigmoid(gates[j]);
    addProduct(w, cell.candidateMatrix, row, inputs + hidden, candidate, hidden);
    for (let j = 0; j < hidden; j++) {
      const u = sigmoid(gates[hidden + j]);
      state[stateAt + j] = u * state[stateAt + j] + (1 - u) * Math.tanh(candidate[j]);
    }
  }

  private readout(w: Float64Array, at: number): number {
    let sum = 0;
    for (let j = 0; j < this.h.length; j++) sum += w[at + j] * this.h[j];
    return sum;
  }

  /** Decays from the old hidden state, momenta, scales and inputs of one coordinate; its fields lie at `cell`. */
  private inputs(w: Float64Array, state: Float64Array, cell: number, g: number, meanRate: number): void {
    const { a, at, h, x } = this;
    const { parameterHidden: H, timescales: S } = a;
    for (let j = 0; j < H; j++) h[j] = state[cell + j];
    const advanced = state[cell + H + S] > 0;
    let decay = 0;
    let scaleDecay = 0;
    if (advanced) {
      scaleDecay = sigmoid(this.readout(w, at.scaleDecayReadout) + w[at.scaleDecayBias]);
      if (S > 1) {
        decay = sigmoid(this.readout(w, at.inputDecayReadout) + w[at.inputDecayBias]);
      }
    }
    let n = S;
    let logs = 0;
    for (let s = 0; s < S; s++) {
      const average = S === 1 ? g : decay * state[cell + H + s] + (1 - decay) * g;
      const scale = scaleDecay * state[cell + H + S + s] + (1 - scaleDecay) * (average * average + 1e-12);
      if (S > 1) state[cell + H + s] = average;
      state[cell + H + S + s] = scale;
      x[s] = asinh(a.inputScaling ? average / Math.sqrt(scale + 1e-16) : average);
      decay = Math.sqrt(decay);
      if (a.scaleDecayPerTimescale) scaleDecay = Math.sqrt(scaleDecay);
    }
    if (a.gradientProducts) for (let s = 0; s + 1 < S; s++) x[n++] = x[s] * x[s + 1];
    if (a.relativeLogMagnitude) {
      const first = n;
      for (let s = 0; s < S; s++) {
        x[n] = Math.log(state[cell + H + S + s] + 1e-16);
        logs += x[n++] / S;
      }
      for (let s = first; s < n; s++) x[s] -= logs;
    }
    const rate = state[cell + H + 2 * S];
    if (a.relativeLearningRate) x[n++] = rate - meanRate;
    if (a.extremeRateIndicator) x[n++] = Math.max(rate, 0) - Math.max(Math.log(1e-6) - rate, 0);
    if (a.absoluteLearningRate) x[n++] = rate - Math.log(1e-3);
  }

  /**
   * @param w [metaParameters]
   * @param state [entries], as of the native lanes; advanced in place
   * @param gradient [coordinates]
   */
  step(w: Float64Array, state: Float64Array, gradient: Float64Array): void {
    const { a, at, lengths, x, h, row, shared, bias, injected, means, vector } = this;
    const { parameterHidden: H, tensorHidden: Ht, globalHidden: Hg, timescales: S, levels } = a;
    const I = x.length;
    const N = gradient.length;
    const fields = H + 2 * S + 1;
    const tensorAt = N * fields;
    const globalAt = tensorAt + (levels > 1 ? lengths.length * Ht : 0);
    const thetaAt = globalAt + (levels > 2 ? Hg : 0);
    for (let j = 0; j < 2 * H; j++) shared[j] = w[at.parameter.gatesBias + j];
    for (let j = 0; j < H; j++) shared[2 * H + j] = w[at.parameter.candidateBias + j];
    if (levels > 2) {
      for (let j = 0; j < Hg; j++) vector[j] = state[globalAt + j];
      for (let j = 0; j < 3 * H; j++) shared[j] += w[at.globalToParameterBias + j];
      addProduct(w, at.globalToParameterMatrix, vector, Hg, shared, 3 * H);
      for (let j = 0; j < 3 * Ht; j++) injected[j] = w[at.globalToTensorBias + j];
      addProduct(w, at.globalToTensorMatrix, vector, Hg, injected, 3 * Ht);
    }
    let problemMean = 0;
    for (let i = 0; i < N; i++) problemMean += state[i * fields + fields - 1] / N;
    const momentum = sigmoid(w[at.momentumLogit]);
    const offset = w[at.stepSizeOffset];

    for (let t = 0, first = 0; t < lengths.length; first += lengths[t++]) {
      const n = lengths[t];
      bias.set(shared);
      if (levels > 1) {
        for (let j = 0; j < Ht; j++) vector[j] = state[tensorAt + t * Ht + j];
        for (let j = 0; j < 3 * H; j++) bias[j] += w[at.tensorToParameterBias + j];
        addProduct(w, at.tensorToParameterMatrix, vector, Ht, bias, 3 * H);
      }
      let mean = problemMean;
      if (a.learningRateMean === 'tensor') {
        mean = 0;
        for (let i = first; i < first + n; i++) mean += state[i * fields + fields - 1] / n;
      }
      means.fill(0);
      let squares = 0;
      for (let i = 0; i < n; i++) {
        const cell = (first + i) * fields;
        this.inputs(w, state, cell, gradient[first + i] * a.gradientScale, mean);
        for (let j = 0; j < I; j++) row[j] = x[j];
        this.gru(w, at.parameter, I, H, bias, false, state, cell);
        for (let j = 0; j < H; j++) h[j] = state[cell + j];
        let d = this.readout(w, at.updateReadout);
        if (a.gradientShortcut) for (let s = 0; s < S; s++) d += w[at.updateShortcut + s] * x[s];
        const rate = state[cell + fields - 1];
        const change = this.readout(w, at.rateReadout) + w[at.rateBias];
        const stepRate = Math.min(Math.max(rate + change, MIN_LOG_LEARNING_RATE), a.maxLogLearningRate);
        state[cell + fields - 1] = momentum * rate + (1 - momentum) * stepRate;
        this.directions[i] = d;
        this.sizes[i] = Math.exp(stepRate + offset);
        squares += (d * d) / n;
        for (let j = 0; j < H; j++) means[j] += h[j] / n;
        for (let j = 0; j < I; j++) means[H + j] += x[j] / n;
      }
      const inverse = 1 / Math.sqrt(squares + 1e-16);
      for (let i = 0; i < n; i++) state[thetaAt + first + i] -= this.sizes[i] * this.directions[i] * inverse;
      if (levels > 1) {
        const inputs = tensorInputCount(a);
        for (let j = 0; j < H + (tensorSeesInputs(a) ? I : 0); j++) row[j] = means[j];
        this.gru(w, at.tensor, inputs, Ht, levels > 2 ? injected : null, true, state, tensorAt + t * Ht);
      }
    }
    if (levels < 3) return;
    for (let j = 0; j < Ht; j++) {
      row[j] = 0;
      for (let t = 0; t < lengths.length; t++) row[j] += state[tensorAt + t * Ht + j] / lengths.length;
    }
    this.gru(w, at.global, Ht, Hg, null, true, state, globalAt);
  }
}
