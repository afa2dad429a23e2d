import { createNativeOptimizer } from '../../bindings/index';
import type {
  FloatArray,
  NativeOptimizer,
  NativeOptimizerOptions,
  NativeStepReport,
  NativeStepRequest,
  Precision,
  StateBits,
  TensorState,
} from '../../bindings/index';
import { MIN_LOG_LEARNING_RATE } from './architecture';
import { Levels } from './levels';
import { parameterCellWeights } from './weights';
import type { Weights } from './weights';

/** One tensor's part in a step. */
export interface TensorUpdate {
  /** Handle from `addTensor`. */
  readonly tensor: number;
  /** Updated in place. With lookahead it holds φ, the point at which the next gradient is wanted. */
  readonly parameter: FloatArray;
  readonly gradient: FloatArray;
}

export interface StepHyperparameters {
  /** Multiplies the step. */
  readonly multiplier: number;
  /** λ of θ ← θ − multiplier·(step + λ·θ) (Loshchilov & Hutter 2019, equation 2 of SGDW). */
  readonly weightDecay: number;
  /** Largest global gradient norm; `Infinity` for no clipping. */
  readonly clipNorm: number;
}

export interface StepReport {
  /** Number of steps done, this one included. */
  readonly iteration: number;
  /** Global gradient norm before clipping; NaN without clipping. */
  readonly gradientNorm: number;
  /** Coordinates that were left alone because their gradient was not finite. */
  readonly skipped: number;
}

/** Whole state of one tensor in canonical form. */
export interface TensorSnapshot {
  readonly cell: TensorState;
  /** [tensorHidden] */
  readonly tensorHidden: FloatArray;
}

export interface EngineOptions {
  /** Threads of the native step; 0 (default): as many as the process may use. */
  readonly threads?: number;
  /** `float64` is the reference, for tests and comparisons. */
  readonly precision?: Precision;
  /** Bits per value of the state, 32 (default) or 16; 16 with precision `float32` only. */
  readonly stateBits?: StateBits;
  /** Makes the parameter level; replaced in tests by an independent implementation. */
  readonly createNative?: (options: NativeOptimizerOptions) => NativeOptimizer;
}

/**
 * The optimizer for a changing set of tensors: one native call per step, then the tensor and global RNNs. It holds the
 * state; the parameters stay with the caller.
 */
export class Engine {
  iterations = 0;
  readonly precision: Precision;
  private readonly native: NativeOptimizer;
  private readonly levels: Levels;
  private readonly tensorHidden = new Map<number, FloatArray>();
  private global: FloatArray;
  private biases = new Float64Array(0);
  private means = new Float64Array(0);
  private advanced = new Float64Array(0);
  private state: 'ready' | 'stepping' | 'disposed' = 'ready';

  /** @throws RangeError or TypeError on bad options; Error when the addon cannot be loaded. */
  constructor(
    readonly weights: Weights,
    options: EngineOptions = {},
  ) {
    this.precision = options.precision ?? 'float32';
    this.levels = new Levels(weights, this.precision);
    this.global = this.levels.initialGlobalHidden();
    this.native = (options.createNative ?? createNativeOptimizer)({
      architecture: weights.architecture,
      precision: this.precision,
      stateBits: options.stateBits ?? 32,
      weights: parameterCellWeights(weights),
      threads: options.threads ?? 0,
    });
  }

  private requireReady(): void {
    if (this.state === 'disposed') throw new Error('the optimizer was disposed; create a new one');
    if (this.state === 'stepping') {
      throw new Error('a step of this optimizer is in progress; await the promise of stepAsync first');
    }
  }

  private makeArray(source: ArrayLike<number>): FloatArray {
    return this.precision === 'float32' ? Float32Array.from(source) : Float64Array.from(source);
  }

  /**
   * Adds a tensor of `length` coordinates in its initial state.
   * @param logLearningRate η, one for all or one per coordinate; default: of the weights' initial learning rate
   * @returns its handle
   */
  addTensor(length: number, logLearningRate?: number | FloatArray): number {
    this.requireReady();
    let rate = logLearningRate ?? Math.log(this.weights.metadata.initialLearningRate);
    if (typeof rate === 'number') {
      rate = Math.min(Math.max(rate, MIN_LOG_LEARNING_RATE), this.weights.architecture.maxLogLearningRate);
    }
    const handle = this.native.addTensor(length, rate);
    this.tensorHidden.set(handle, this.levels.initialTensorHidden());
    return handle;
  }

  removeTensor(tensor: number): void {
    this.requireReady();
    this.native.removeTensor(tensor);
    this.tensorHidden.delete(tensor);
  }

  /** Sets `biases` for the tensors of a step and returns the native request. */
  private prepare(
    updates: readonly TensorUpdate[],
    hidden: readonly FloatArray[],
    hyper: StepHyperparameters,
    fresh: boolean,
  ): NativeStepRequest {
    const count = updates.length;
    const { biasWidth, meansWidth } = this.levels;
    if (fresh || this.advanced.length !== count) {
      this.biases = new Float64Array(count * biasWidth);
      this.means = new Float64Array(count * meansWidth);
      this.advanced = new Float64Array(count);
    }
    this.levels.biases(hidden, this.global, this.biases);
    return {
      tensors: updates.map((u) => u.tensor),
      parameters: updates.map((u) => u.parameter),
      gradients: updates.map((u) => u.gradient),
      biases: this.biases,
      means: this.means,
      advanced: this.advanced,
      iteration: this.iterations,
      ...hyper,
    };
  }

  private hiddenOf(updates: readonly TensorUpdate[]): FloatArray[] {
    return updates.map((u) => {
      const hidden = this.tensorHidden.get(u.tensor);
      if (hidden === undefined)
        throw new RangeError(`tensor: expected the handle of a tensor, got ${String(u.tensor)}`);
      return hidden;
    });
  }

  private finish(hidden: readonly FloatArray[], request: NativeStepRequest, report: NativeStepReport): StepReport {
    this.levels.advance(hidden, this.global, request.means, request.advanced);
    this.iterations++;
    return { iteration: this.iterations, gradientNorm: report.gradientNorm, skipped: report.skipped };
  }

  /**
   * One step of the given tensors. Tensors that are not given keep their state.
   * @throws TypeError or RangeError on bad buffers; nothing has changed then.
   */
  step(updates: readonly TensorUpdate[], hyper: StepHyperparameters): StepReport {
    this.requireReady();
    const hidden = this.hiddenOf(updates);
    const request = this.prepare(updates, hidden, hyper, false);
    return this.finish(hidden, request, this.native.step(request));
  }

  /**
   * The same step off the event loop. Gradients are copied before this returns; parameters are written when the promise
   * resolves. Until then the optimizer accepts no other call.
   * @throws (rejects) Error when a parameter's buffer was detached meanwhile; the other parameters are updated.
   */
  async stepAsync(updates: readonly TensorUpdate[], hyper: StepHyperparameters): Promise<StepReport> {
    this.requireReady();
    const hidden = this.hiddenOf(updates);
    const request = this.prepare(updates, hidden, hyper, true);
    const pending = this.native.stepAsync(request);
    this.state = 'stepping';
    let report: NativeStepReport;
    try {
      report = await pending;
    } finally {
      this.state = 'ready';
    }
    const result = this.finish(hidden, request, report);
    if (report.lost.length > 0) {
      throw new Error(
        `stepAsync: the buffer of parameter ${report.lost.join(', ')} was detached or resized while the step was running, ` +
          'so its update is lost; keep parameter buffers in place until the promise resolves',
      );
    }
    return result;
  }

  /** @throws Error while a step is pending or after dispose; RangeError on an unknown handle. */
  exportTensor(tensor: number): TensorSnapshot {
    this.requireReady();
    const cell = this.native.exportTensor(tensor);
    return { cell, tensorHidden: this.tensorHidden.get(tensor)!.slice() };
  }

  /** @throws TypeError or RangeError when the state does not fit the tensor; it is unchanged then. */
  importTensor(tensor: number, snapshot: TensorSnapshot): void {
    this.requireReady();
    const own = this.tensorHidden.get(tensor);
    if (own !== undefined) this.checkState('tensorHidden', snapshot.tensorHidden, own.length);
    this.native.importTensor(tensor, snapshot.cell);
    own!.set(snapshot.tensorHidden);
  }

  private checkState(name: string, value: ArrayLike<number>, length: number): void {
    if (value.length !== length) throw new RangeError(`${name}: expected length ${length}, got ${value.length}`);
    for (let i = 0; i < length; i++) {
      if (!(Math.abs(value[i]) <= 1e6)) {
        throw new RangeError(`${name}[${i}]: expected a number from -1e6 to 1e6, got ${value[i]}`);
      }
    }
  }

  /** Copy of the global RNN's state, [globalHidden]. */
  get globalHidden(): FloatArray {
    return this.global.slice();
  }

  set globalHidden(value: ArrayLike<number>) {
    this.requireReady();
    this.checkState('globalHidden', value, this.global.length);
    this.global = this.makeArray(value);
  }

  /** θ of a tensor with lookahead, after its first step; undefined otherwise. */
  position(tensor: number): FloatArray | undefined {
    this.requireReady();
    return this.weights.architecture.attention ? this.native.position(tensor) : undefined;
  }

  /** Makes the next step take θ from the parameters given to it (after the caller assigned new values). */
  resetPosition(tensor: number): void {
    this.requireReady();
    this.native.resetPosition(tensor);
  }

  /** Bytes of native memory held. */
  get bytes(): number {
    return this.native.bytes;
  }

  /** Frees native memory. Safe to call twice. */
  dispose(): void {
    if (this.state === 'disposed') return;
    this.requireReady();
    this.native.dispose();
    this.state = 'disposed';
  }
}
