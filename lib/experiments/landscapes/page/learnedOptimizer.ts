/**
 * The learned optimizer in plain JavaScript, for one tensor of a few coordinates: what the addon computes, in double
 * precision and with nothing of Node, so that it runs in a browser.
 */
import type { FloatArray, LevelWeights, ParameterCellWeights } from '../../../../bindings/types';
import { NO_ANNEALING, scheduleFactor } from '../../../optimizer/schedule';
import { fromBase64 } from '../codec';
import type { PagedOptimizer, PagedWeights } from '../pageData';
import { activationsOf, affine, dot, gru, mean } from './maths';

/** The state of one coordinate. */
interface Cell {
  hidden: number[];
  momentum: number[];
  scale: number[];
  logLearningRate: number;
  /** With lookahead: θ, once there was a step. */
  position: number | undefined;
  /** Of the last step's heads; 0 before the first step. */
  decay: number;
  scaleDecay: number;
}

/** The inverse of how the generation writes weights: base64 strings become arrays. */
function unpaged<T>(weights: PagedWeights): T {
  const entries = Object.entries(weights).map(([name, value]) => [
    name,
    typeof value === 'number' ? value : Float64Array.from(new Float32Array(fromBase64(value).buffer as ArrayBuffer)),
  ]);
  return Object.fromEntries(entries) as T;
}

/** Steps one parameter array, in place. */
export class LiveOptimizer {
  private readonly cells: Cell[];
  private readonly cell: ParameterCellWeights;
  private readonly levels: LevelWeights;
  private tensorHidden: number[];
  private globalHidden: number[];
  private iterations = 0;

  /**
   * @param parameter any length; with lookahead it holds φ, the point of the next gradient
   * @param initialRate held within the optimizer's range by the caller
   */
  constructor(
    private readonly optimizer: PagedOptimizer,
    private readonly parameter: FloatArray,
    initialRate: number,
  ) {
    const { architecture: a } = optimizer;
    this.cell = unpaged(optimizer.cell);
    this.levels = unpaged(optimizer.levels);
    this.tensorHidden = Array.from(this.levels.tensorInitialHidden ?? []);
    this.globalHidden = Array.from(this.levels.globalInitialHidden ?? []);
    this.cells = Array.from(parameter, () => ({
      hidden: Array.from(this.cell.initialHidden),
      momentum: new Array<number>(a.timescales).fill(0),
      scale: new Array<number>(a.timescales).fill(0),
      logLearningRate: Math.min(Math.max(Math.log(initialRate), -33), a.maxLogLearningRate),
      position: undefined,
      decay: 0,
      scaleDecay: 0,
    }));
  }

  /** η of every coordinate. */
  get logRates(): number[] {
    return this.cells.map((cell) => cell.logLearningRate);
  }

  /** ḡ/√λ of every coordinate at every timescale, [coordinates][S]; zeros before the first step. */
  get momenta(): number[] {
    return this.cells.flatMap(({ momentum, scale }) => momentum.map((g, s) => g / Math.sqrt(scale[s] + 1e-16)));
  }

  /** Where the optimizer is: θ. */
  get position(): number[] {
    return this.cells.map((cell, i) => cell.position ?? this.parameter[i]);
  }

  /** Steps 1 and 2 of the algorithm: momenta at all timescales, scaled by their own running magnitude unless the architecture is without. */
  private scaledMomenta(cell: Cell, gradient: number): number[] {
    const { timescales: S, scaleDecayPerTimescale, inputScaling, activations } = this.optimizer.architecture;
    const { squash, power } = activationsOf(activations);
    return cell.scale.map((_, s) => {
      const beta = cell.decay ** power(s, S);
      const average = S === 1 ? gradient : beta * cell.momentum[s] + (1 - beta) * gradient;
      if (S > 1) cell.momentum[s] = average;
      const betaScale = scaleDecayPerTimescale ? cell.scaleDecay ** power(s, S) : cell.scaleDecay;
      cell.scale[s] = betaScale * cell.scale[s] + (1 - betaScale) * (average ** 2 + 1e-12);
      return squash(inputScaling ? average / Math.sqrt(cell.scale[s] + 1e-16) : average);
    });
  }

  /** Step 3: what the cell sees. */
  private inputs(cell: Cell, m: readonly number[], meanRate: number): number[] {
    const a = this.optimizer.architecture;
    const x = [...m];
    if (a.gradientProducts) for (let s = 0; s + 1 < m.length; s++) x.push(m[s] * m[s + 1]);
    if (a.relativeLogMagnitude) {
      const logs = cell.scale.map((scale) => activationsOf(a.activations).log(scale + 1e-16));
      x.push(...logs.map((value) => value - mean(logs)));
    }
    const eta = cell.logLearningRate;
    if (a.relativeLearningRate) x.push(eta - meanRate);
    if (a.extremeRateIndicator) x.push(Math.max(eta, 0) - Math.max(Math.log(1e-6) - eta, 0));
    if (a.absoluteLearningRate) x.push(eta - Math.log(1e-3));
    return x;
  }

  /** The bias of the parameter cell: its own, and what the tensor's and the global state inject. */
  private bias(): number[] {
    const { levels: w } = this;
    const parts = [Array.from(w.cellBias)];
    if (this.optimizer.architecture.levels > 1) {
      parts.push(affine(w.tensorToParameterMatrix!, w.tensorToParameterBias!, this.tensorHidden));
    }
    if (this.optimizer.architecture.levels > 2) {
      parts.push(affine(w.globalToParameterMatrix!, w.globalToParameterBias!, this.globalHidden));
    }
    return parts[0].map((_, i) => parts.reduce((sum, part) => sum + part[i], 0));
  }

  /** The tensor's RNN sees the mean of [h', x], the global RNN its new state. */
  private advanceLevels(seen: readonly number[]): void {
    const { levels: w } = this;
    const { levels, tensorHidden, globalHidden, parameterHidden, timescales } = this.optimizer.architecture;
    if (levels === 1) return;
    const injected =
      levels > 2
        ? affine(w.globalToTensorMatrix!, w.globalToTensorBias!, this.globalHidden)
        : new Array<number>(3 * tensorHidden).fill(0);
    // It sees x only where x is more than the scaled gradients.
    const withInputs = seen.length - parameterHidden > timescales;
    const sees = withInputs ? seen : seen.slice(0, parameterHidden);
    this.tensorHidden = gru(
      { gates: w.tensorGatesMatrix!, gatesBias: w.tensorGatesBias! },
      { candidate: w.tensorCandidateMatrix!, candidateBias: w.tensorCandidateBias! },
      sees,
      this.tensorHidden,
      injected,
    );
    if (levels === 2) return;
    this.globalHidden = gru(
      { gates: w.globalGatesMatrix!, gatesBias: w.globalGatesBias! },
      { candidate: w.globalCandidateMatrix!, candidateBias: w.globalCandidateBias! },
      this.tensorHidden,
      this.globalHidden,
      new Array<number>(3 * globalHidden).fill(0),
    );
  }

  /** One step. Without a finite gradient a coordinate is left alone. */
  step(gradient: ArrayLike<number>): void {
    const { cell: w, cells, parameter } = this;
    const { architecture: a, warmup, annealing } = this.optimizer;
    const multiplier = scheduleFactor(warmup, annealing ?? NO_ANNEALING, this.iterations++);
    const active = cells.map((_, i) => i).filter((i) => Number.isFinite(gradient[i]));
    if (active.length === 0) return;
    const decayOf = activationsOf(a.activations).decay;
    const meanRate = mean(this.logRates);
    const bias = this.bias();
    const moves = active.map((i) => {
      const cell = cells[i];
      const m = this.scaledMomenta(cell, Math.min(Math.max(gradient[i], -1e18), 1e18) * a.gradientScale);
      const x = this.inputs(cell, m, meanRate);
      cell.hidden = this.recurrent(cell.hidden, x, bias);
      const rate = cell.logLearningRate + dot(w.learningRateReadout, cell.hidden) + w.learningRateBias;
      const clipped = Math.min(Math.max(rate, -33), a.maxLogLearningRate);
      cell.logLearningRate = w.learningRateMomentum * cell.logLearningRate + (1 - w.learningRateMomentum) * clipped;
      cell.decay = decayOf(dot(w.inputDecayReadout, cell.hidden) + w.inputDecayBias);
      cell.scaleDecay = decayOf(dot(w.scaleDecayReadout, cell.hidden) + w.scaleDecayBias);
      return {
        i,
        seen: [...cell.hidden, ...x],
        rate: clipped,
        direction: dot(w.updateReadout, cell.hidden) + dot(w.updateShortcut, m),
        ahead: dot(w.attentionReadout, cell.hidden) + dot(w.attentionShortcut, m),
      };
    });
    const rms = (d: readonly number[]): number => Math.sqrt(mean(d.map((v) => v * v)) + 1e-16);
    const lengths = [rms(moves.map((move) => move.direction)), rms(moves.map((move) => move.ahead))];
    for (const { i, rate, direction, ahead } of moves) {
      const theta = cells[i].position ?? parameter[i];
      const next = theta - (multiplier * (Math.exp(rate + w.stepSizeOffset) * direction)) / lengths[0];
      if (a.attention) {
        cells[i].position = next;
        parameter[i] = theta - (multiplier * (Math.exp(rate) * ahead)) / lengths[1];
      } else {
        parameter[i] = next;
      }
    }
    this.advanceLevels(moves[0].seen.map((_, j) => mean(moves.map(({ seen }) => seen[j]))));
  }

  /** Step 4. Matrices are [inputs + hidden][columns]. */
  private recurrent(hidden: readonly number[], x: readonly number[], bias: readonly number[]): number[] {
    const { gate, candidate } = activationsOf(this.optimizer.architecture.activations);
    const H = hidden.length;
    const none = new Float64Array(3 * H);
    return gru(
      { gates: this.cell.gateMatrix, gatesBias: none.subarray(H) },
      { candidate: this.cell.candidateMatrix, candidateBias: none.subarray(2 * H) },
      x,
      hidden,
      bias,
      gate,
      candidate,
    );
  }
}
