import { createNativeOptimizer } from '../../bindings/index';
import type {
  CellState,
  FloatArray,
  NativeCudaOptimizer,
  NativeOptimizer,
  NativeOptimizerOptions,
  NativeStepReport,
  NativeStepRequest,
  CudaPlace,
  Precision,
  StateBits,
} from '../../bindings/index';
import { MIN_LOG_LEARNING_RATE } from './architecture';
import type { DeviceTensor } from './deviceMemory';
import { levelWeights, parameterCellWeights } from './weights';
import type { Weights } from './weights';

/** One tensor's part in a step. */
export interface TensorUpdate {
  /** Handle from `addTensor`. */
  readonly tensor: number;
  /** Updated in place. With lookahead it holds φ, the point at which the next gradient is wanted. */
  readonly parameter: FloatArray;
  readonly gradient: FloatArray;
}

/** One tensor's part in a step on a device. */
export interface DeviceUpdate {
  readonly tensor: number;
  readonly parameter: DeviceTensor;
  readonly gradient: DeviceTensor | undefined;
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
  readonly cell: CellState;
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
  /** On this CUDA device instead of the CPU; with precision `float32` only. */
  readonly cuda?: CudaPlace;
  /** Makes the native side; replaced in tests by an independent implementation. */
  readonly createNative?: (options: NativeOptimizerOptions) => NativeOptimizer;
}

/** What a step asks of the native side, in lists that serve all steps. */
interface Request extends NativeStepRequest {
  readonly tensors: number[];
  readonly parameters: FloatArray[];
  readonly gradients: FloatArray[];
  multiplier: number;
  weightDecay: number;
  clipNorm: number;
  iteration: number;
}

const NOTHING = new Float32Array(0);

/**
 * The optimizer for a changing set of tensors: one native call per step. The native side holds the state; the parameters
 * stay with the caller.
 */
export class Engine {
  iterations = 0;
  readonly precision: Precision;
  private readonly native: NativeOptimizer;
  private readonly request: Request = {
    tensors: [],
    parameters: [],
    gradients: [],
    multiplier: 1,
    weightDecay: 0,
    clipNorm: Infinity,
    iteration: 0,
  };
  private state: 'ready' | 'stepping' | 'disposed' = 'ready';

  /** @throws RangeError or TypeError on bad options; Error when the addon cannot be loaded. */
  constructor(
    readonly weights: Weights,
    options: EngineOptions = {},
  ) {
    this.precision = options.precision ?? 'float32';
    this.native = (options.createNative ?? createNativeOptimizer)({
      architecture: weights.architecture,
      precision: this.precision,
      stateBits: options.stateBits ?? 32,
      weights: parameterCellWeights(weights),
      levels: levelWeights(weights),
      threads: options.threads ?? 0,
      ...(options.cuda && { cuda: options.cuda }),
    });
  }

  private requireReady(): void {
    if (this.state === 'disposed') throw new Error('the optimizer was disposed; create a new one');
    if (this.state === 'stepping') {
      throw new Error('a step of this optimizer is in progress; await the promise of stepAsync first');
    }
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
    return this.native.addTensor(length, rate);
  }

  removeTensor(tensor: number): void {
    this.requireReady();
    this.native.removeTensor(tensor);
  }

  /** The native request for a step; `release` when it has been read. */
  private fill(updates: readonly TensorUpdate[], hyper: StepHyperparameters): NativeStepRequest {
    const { request } = this;
    const { tensors, parameters, gradients } = request;
    for (let t = 0; t < updates.length; t++) {
      tensors[t] = updates[t].tensor;
      parameters[t] = updates[t].parameter;
      gradients[t] = updates[t].gradient;
    }
    tensors.length = parameters.length = gradients.length = updates.length;
    request.multiplier = hyper.multiplier;
    request.weightDecay = hyper.weightDecay;
    request.clipNorm = hyper.clipNorm;
    request.iteration = this.iterations;
    return request;
  }

  /** Lets go of the caller's arrays, so that none is kept alive until the next step. The lists keep their memory. */
  private release(): void {
    this.request.parameters.fill(NOTHING);
    this.request.gradients.fill(NOTHING);
  }

  private finish(report: NativeStepReport): StepReport {
    this.iterations++;
    return { iteration: this.iterations, gradientNorm: report.gradientNorm, skipped: report.skipped };
  }

  /**
   * One step of the given tensors. Tensors that are not given keep their state.
   * @throws TypeError or RangeError on bad buffers; nothing has changed then.
   */
  step(updates: readonly TensorUpdate[], hyper: StepHyperparameters): StepReport {
    this.requireReady();
    try {
      return this.finish(this.native.step(this.fill(updates, hyper)));
    } finally {
      this.release();
    }
  }

  /**
   * The same step off the event loop. Gradients are copied before this returns; parameters are written when the promise
   * resolves. Until then the optimizer accepts no other call.
   * @throws (rejects) Error when a parameter's buffer was detached meanwhile; the other parameters are updated.
   */
  async stepAsync(updates: readonly TensorUpdate[], hyper: StepHyperparameters): Promise<StepReport> {
    this.requireReady();
    let pending: Promise<NativeStepReport>;
    try {
      pending = this.native.stepAsync(this.fill(updates, hyper));
    } finally {
      this.release();
    }
    this.state = 'stepping';
    let report: NativeStepReport;
    try {
      report = await pending;
    } finally {
      this.state = 'ready';
    }
    const result = this.finish(report);
    if (report.lost.length > 0) {
      throw new Error(
        `stepAsync: the buffer of parameter ${report.lost.join(', ')} was detached or resized while the step was running, ` +
          'so its update is lost; keep parameter buffers in place until the promise resolves',
      );
    }
    return result;
  }

  /**
   * Puts a step of tensors in device memory into a stream. Its report is `lastReport`'s.
   * @returns the number of steps done, this one included
   * @throws RangeError on bad addresses; nothing has changed then
   */
  stepOnDevice(updates: readonly DeviceUpdate[], hyper: StepHyperparameters, stream: bigint | undefined): number {
    this.requireReady();
    (this.native as NativeCudaOptimizer).stepOnDevice({
      tensors: updates.map((u) => u.tensor),
      parameters: BigUint64Array.from(updates, (u) => u.parameter.deviceAddress),
      gradients: BigUint64Array.from(updates, (u) => u.gradient!.deviceAddress),
      multiplier: hyper.multiplier,
      weightDecay: hyper.weightDecay,
      clipNorm: hyper.clipNorm,
      iteration: this.iterations,
      stream,
    });
    return ++this.iterations;
  }

  /** Report of the last `stepOnDevice`; waits for it. */
  lastReport(): StepReport {
    this.requireReady();
    const { gradientNorm, skipped } = (this.native as NativeCudaOptimizer).lastReport();
    return { iteration: this.iterations, gradientNorm, skipped };
  }

  /** @throws Error while a step is pending or after dispose; RangeError on an unknown handle. */
  exportTensor(tensor: number): TensorSnapshot {
    this.requireReady();
    const { tensorHidden, ...cell } = this.native.exportTensor(tensor);
    return { cell, tensorHidden };
  }

  /** @throws TypeError or RangeError when the state does not fit the tensor; it is unchanged then. */
  importTensor(tensor: number, snapshot: TensorSnapshot): void {
    this.requireReady();
    this.native.importTensor(tensor, { ...snapshot.cell, tensorHidden: snapshot.tensorHidden });
  }

  /** Copy of the global RNN's state, [globalHidden]. */
  get globalHidden(): FloatArray {
    this.requireReady();
    return this.native.globalHidden();
  }

  set globalHidden(value: FloatArray) {
    this.requireReady();
    this.native.setGlobalHidden(value);
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
