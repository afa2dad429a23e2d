import type {
  CellState,
  FloatArray,
  NativeOptimizerOptions,
  NativeStepReport,
  NativeStepRequest,
} from '../../bindings/types';
import { inputCount } from '../../bindings/types';

/** What the parameter level exchanges with the levels above. */
export interface LevelExchange {
  /** [T][3·hidden] */
  readonly biases: Float64Array;
  /** Out, [T][hidden + inputs]: mean over the advanced coordinates of [h', x]. */
  readonly means: Float64Array;
  /** Out, [T]: coordinates advanced. */
  readonly advanced: Float64Array;
}

/** One coordinate. */
interface Cell {
  hidden: number[];
  momentum: number[];
  scale: number[];
  logLearningRate: number;
  position: number | undefined;
  /** β and β_λ of the previous step's heads; 0 before the first step. */
  decay: number;
  scaleDecay: number;
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
};
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** ln 2·(e + m − 1) for x = m·2^e with m in [1, 2). */
const piecewiseLog = (x: number): number => {
  let e = Math.floor(Math.log2(x));
  if (2 ** e > x) e--;
  if (2 ** (e + 1) <= x) e++;
  return Math.LN2 * (e + x / 2 ** e - 1);
};
const piecewiseExp = (x: number): number => {
  const t = Math.min(Math.max(x, -87), 88) / Math.LN2;
  return 2 ** Math.floor(t) * (1 + t - Math.floor(t));
};
const softsign = (x: number): number => x / (1 + Math.abs(x));

/** The functions of both kinds of activations, and the power of the learned decay that timescale s of S has. */
const ACTIVATIONS = {
  transcendental: {
    gate: sigmoid,
    candidate: Math.tanh,
    decay: sigmoid,
    squash: Math.asinh,
    log: Math.log,
    power: (s: number) => 2 ** -s,
  },
  algebraic: {
    gate: (x: number) => 0.5 + 0.5 * softsign(2 * x),
    candidate: softsign,
    decay: (x: number) => 1 / (1 + piecewiseExp(-x)),
    squash: (m: number) => m / Math.sqrt(1 + m ** 2 / 4),
    log: piecewiseLog,
    power: (s: number, S: number) => 2 ** (S - 1 - s),
  },
};

/**
 * The parameter level once more, coordinate by coordinate in double precision, written from the paper's equations alone:
 * what the native core is compared with. Coordinates without a finite gradient are left out, gradients beyond 1e18 count
 * as 1e18.
 */
export class ReferenceParameterLevel {
  private readonly tensors = new Map<number, Cell[]>();
  private nextHandle = 0;

  constructor(private readonly options: NativeOptimizerOptions) {}

  addTensor(length: number, logLearningRate: number | FloatArray): number {
    const { weights, architecture } = this.options;
    this.tensors.set(
      this.nextHandle,
      Array.from({ length }, (_, i) => ({
        hidden: Array.from(weights.initialHidden),
        momentum: new Array<number>(architecture.timescales).fill(0),
        scale: new Array<number>(architecture.timescales).fill(0),
        logLearningRate: typeof logLearningRate === 'number' ? logLearningRate : logLearningRate[i],
        position: undefined,
        decay: 0,
        scaleDecay: 0,
      })),
    );
    return this.nextHandle++;
  }

  removeTensor(handle: number): void {
    this.tensors.delete(handle);
  }

  /** Steps 1 and 2 of the algorithm: momenta at S timescales, dynamic scaling. Returns m. */
  private scaledMomenta(cell: Cell, gradient: number): number[] {
    const { timescales: S, scaleDecayPerTimescale, inputScaling, activations } = this.options.architecture;
    const { squash, power } = ACTIVATIONS[activations];
    return cell.scale.map((_, s) => {
      const beta = cell.decay ** power(s, S);
      const average = S === 1 ? gradient : beta * cell.momentum[s] + (1 - beta) * gradient;
      if (S > 1) cell.momentum[s] = average;
      const betaScale = scaleDecayPerTimescale ? cell.scaleDecay ** power(s, S) : cell.scaleDecay;
      cell.scale[s] = betaScale * cell.scale[s] + (1 - betaScale) * (average ** 2 + 1e-12);
      return squash(inputScaling ? average / Math.sqrt(cell.scale[s] + 1e-16) : average);
    });
  }

  /** Step 3. */
  private inputs(cell: Cell, m: readonly number[], meanRate: number): number[] {
    const a = this.options.architecture;
    const x = [...m];
    if (a.gradientProducts) for (let s = 0; s + 1 < m.length; s++) x.push(m[s] * m[s + 1]);
    if (a.relativeLogMagnitude) {
      const logs = cell.scale.map((scale) => ACTIVATIONS[a.activations].log(scale + 1e-16));
      x.push(...logs.map((l) => l - mean(logs)));
    }
    const eta = cell.logLearningRate;
    if (a.relativeLearningRate) x.push(eta - meanRate);
    if (a.extremeRateIndicator) x.push(Math.max(eta, 0) - Math.max(Math.log(1e-6) - eta, 0));
    if (a.absoluteLearningRate) x.push(eta - Math.log(1e-3));
    return x;
  }

  /** Step 4. `matrix` is [inputs + hidden][columns]. */
  private recurrent(cell: Cell, x: readonly number[], bias: ArrayLike<number>): number[] {
    const { gateMatrix, candidateMatrix } = this.options.weights;
    const { gate, candidate } = ACTIVATIONS[this.options.architecture.activations];
    const H = cell.hidden.length;
    const affine = (matrix: ArrayLike<number>, row: readonly number[], columns: number, column: number): number =>
      row.reduce((sum, value, i) => sum + value * matrix[i * columns + column], 0);
    const gates = Array.from({ length: 2 * H }, (_, j) =>
      gate(affine(gateMatrix, [...x, ...cell.hidden], 2 * H, j) + bias[j]),
    );
    const resetHidden = cell.hidden.map((h, j) => gates[j] * h);
    return cell.hidden.map((h, j) => {
      const next = candidate(affine(candidateMatrix, [...x, ...resetHidden], H, j) + bias[2 * H + j]);
      return gates[H + j] * h + (1 - gates[H + j]) * next;
    });
  }

  step(request: NativeStepRequest & LevelExchange): NativeStepReport {
    const { weights: w, architecture: a } = this.options;
    const H = a.parameterHidden;
    const X = inputCount(a);
    const decayOf = ACTIVATIONS[a.activations].decay;
    const cells = request.tensors.map((handle) => this.tensors.get(handle)!);
    const active = request.gradients.map((g) => Array.from(g, (_, i) => i).filter((i) => Number.isFinite(g[i])));
    const skipped = request.gradients.reduce((sum, g, t) => sum + g.length - active[t].length, 0);
    const bounded = (g: number): number => Math.min(Math.max(g, -1e18), 1e18);

    let norm = NaN;
    let shrink = 1;
    if (Number.isFinite(request.clipNorm)) {
      norm = Math.sqrt(
        active.flatMap((list, t) => list.map((i) => bounded(request.gradients[t][i]) ** 2)).reduce((p, q) => p + q, 0),
      );
      shrink = norm > request.clipNorm ? request.clipNorm / norm : 1;
    }
    // A coordinate that is left out keeps its rate, and the rate counts in the mean.
    const ratesOf = (t: number): number[] => cells[t].map((cell) => cell.logLearningRate);
    const problemMean = mean(cells.flatMap((_, t) => ratesOf(t)));

    cells.forEach((tensor, t) => {
      const list = active[t];
      request.advanced[t] = list.length;
      request.means.fill(0, t * (H + X), (t + 1) * (H + X));
      if (list.length === 0) return;
      const meanRate = a.learningRateMean === 'problem' ? problemMean : mean(ratesOf(t));
      const bias = request.biases.subarray(t * 3 * H, (t + 1) * 3 * H);
      const stepRates: number[] = [];
      const directions: number[] = [];
      const ahead: number[] = [];
      for (const i of list) {
        const cell = tensor[i];
        const m = this.scaledMomenta(cell, bounded(request.gradients[t][i]) * shrink * a.gradientScale);
        const x = this.inputs(cell, m, meanRate);
        cell.hidden = this.recurrent(cell, x, bias);
        directions.push(dot(w.updateReadout, cell.hidden) + dot(w.updateShortcut, m));
        ahead.push(dot(w.attentionReadout, cell.hidden) + dot(w.attentionShortcut, m));
        const rate = cell.logLearningRate + dot(w.learningRateReadout, cell.hidden) + w.learningRateBias;
        const clipped = Math.min(Math.max(rate, -33), a.maxLogLearningRate);
        stepRates.push(clipped);
        cell.logLearningRate = w.learningRateMomentum * cell.logLearningRate + (1 - w.learningRateMomentum) * clipped;
        cell.decay = decayOf(dot(w.inputDecayReadout, cell.hidden) + w.inputDecayBias);
        cell.scaleDecay = decayOf(dot(w.scaleDecayReadout, cell.hidden) + w.scaleDecayBias);
        [...cell.hidden, ...x].forEach((value, j) => (request.means[t * (H + X) + j] += value / list.length));
      }
      const normaliser = (d: readonly number[]): number => Math.sqrt(mean(d.map((v) => v * v)) + 1e-16);
      const [rms, rmsAhead] = [normaliser(directions), normaliser(ahead)];
      list.forEach((i, k) => {
        const cell = tensor[i];
        const parameter = request.parameters[t];
        const theta = a.attention ? (cell.position ?? parameter[i]) : parameter[i];
        const decay = request.weightDecay * theta;
        const moved = (size: number): number => theta - request.multiplier * (size + decay);
        const next = moved((Math.exp(stepRates[k] + w.stepSizeOffset) * directions[k]) / rms);
        if (!a.attention) {
          parameter[i] = next;
        } else {
          cell.position = next;
          parameter[i] = moved((Math.exp(stepRates[k]) * ahead[k]) / rmsAhead);
        }
      });
    });
    return { gradientNorm: norm, skipped, lost: [] };
  }

  exportTensor(handle: number): CellState {
    const cells = this.tensors.get(handle)!;
    const flat = (pick: (cell: Cell) => number[]): Float64Array => Float64Array.from(cells.flatMap(pick));
    return {
      hidden: flat((c) => c.hidden),
      momentum: flat((c) => c.momentum),
      scale: flat((c) => c.scale),
      logLearningRate: flat((c) => [c.logLearningRate]),
      position: cells.every((c) => c.position !== undefined) ? flat((c) => [c.position!]) : undefined,
    };
  }

  resetPosition(handle: number): void {
    for (const cell of this.tensors.get(handle)!) cell.position = undefined;
  }
}
