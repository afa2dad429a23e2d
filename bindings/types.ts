/** Number type of a native optimizer: `float32` is the product, `float64` the reference. */
export type Precision = 'float32' | 'float64';

/**
 * Bits per value in which a `float32` optimizer keeps its state: 16 halves the memory (the step still computes in float32).
 * λ and ḡ are then bfloat16, the hidden state fixed point, all rounded stochastically; η stays float32.
 */
export type StateBits = 32 | 16;

export type FloatArray = Float32Array | Float64Array;

/**
 * Shape of the hierarchical RNN optimizer (Wichrowska et al. 2017). Everything that changes the size or the meaning of
 * a meta-parameter is here; everything else is an option of a run.
 */
export interface Architecture {
  /** 1: parameter RNN only; 2: plus a tensor RNN; 3: plus a global RNN. */
  readonly levels: 1 | 2 | 3;
  /** Hidden units of the parameter RNN, 1–32. */
  readonly parameterHidden: number;
  /** Hidden units of the tensor RNN, 1–256; 0 with one level. */
  readonly tensorHidden: number;
  /** Hidden units of the global RNN, 1–256; 0 with fewer than three levels. */
  readonly globalHidden: number;
  /** Momentum timescales S, 1–5. With S = 1 the gradient is not averaged. */
  readonly timescales: number;
  /** Inputs m_s·m_{s+1}. */
  readonly gradientProducts: boolean;
  /** Inputs ln λ_s − mean over s. */
  readonly relativeLogMagnitude: boolean;
  /** Input η − mean η. */
  readonly relativeLearningRate: boolean;
  /** Input relu(η − ln 1) − relu(ln 1e-6 − η). */
  readonly extremeRateIndicator: boolean;
  /** Input η − ln 1e-3. */
  readonly absoluteLearningRate: boolean;
  /** Direction gets a learned linear term in the scaled gradients. */
  readonly gradientShortcut: boolean;
  /** Gradients are taken at a lookahead point. */
  readonly attention: boolean;
  /** The decay of λ is β_λ^(2^−s) instead of one β_λ for all timescales. */
  readonly scaleDecayPerTimescale: boolean;
  /**
   * m_s = asinh(ḡ_s/√(λ_s + 1e-16)): the dynamic input scaling of the paper (section 3.2.2). False, an ablation: m_s is that of
   * ḡ_s itself, and of λ only the relative log magnitude tells; then the step depends on the scale of the gradients.
   */
  readonly inputScaling: boolean;
  /**
   * Functions of the parameter RNN and of its inputs. `transcendental`: σ, tanh, asinh and ln of the paper and the released
   * code, and decays that are learned for the fastest timescale. `algebraic`: ½ + ½·softsign 2x, softsign x = x/(1 + |x|),
   * m/√(1 + ¼m²) and the piecewise-linear logarithm in their places, and decays that are learned for the slowest timescale:
   * as expressive, and about half the work.
   */
  readonly activations: 'transcendental' | 'algebraic';
  /** What mean η is subtracted in the relative learning rate. */
  readonly learningRateMean: 'problem' | 'tensor';
  /** Upper bound of η_step. */
  readonly maxLogLearningRate: number;
  /**
   * Multiplies every gradient before anything else but clipping, 1e-9 to 1e9. With `inputScaling` the step does not depend on
   * the scale of the gradients as long as their squares are far above the 1e-12 that the dynamic scaling adds to them
   * (released code); near a minimum, gradients below 1e-6 vanish in it unless they are scaled up.
   */
  readonly gradientScale: number;
}

/** Number of inputs of the parameter RNN. */
export function inputCount(a: Architecture): number {
  const s = a.timescales;
  return (
    s +
    (a.gradientProducts ? s - 1 : 0) +
    (a.relativeLogMagnitude ? s : 0) +
    (a.relativeLearningRate ? 1 : 0) +
    (a.extremeRateIndicator ? 1 : 0) +
    (a.absoluteLearningRate ? 1 : 0)
  );
}

/**
 * Meta-parameters that the native core needs, row-major, in double; the core rounds them to its precision. Gate columns
 * are [reset | update], rows [inputs, hidden]. The biases of the cell are with what is injected into it (`LevelWeights`).
 */
export interface ParameterCellWeights {
  /** [inputs + hidden][2·hidden] */
  readonly gateMatrix: Float64Array;
  /** [inputs + hidden][hidden] */
  readonly candidateMatrix: Float64Array;
  /** [hidden] */
  readonly initialHidden: Float64Array;
  /** [hidden]: readout of the direction. */
  readonly updateReadout: Float64Array;
  /** [timescales]; zeros without the gradient shortcut. */
  readonly updateShortcut: Float64Array;
  /** [hidden] and [timescales]; zeros without attention. */
  readonly attentionReadout: Float64Array;
  readonly attentionShortcut: Float64Array;
  /** [hidden] and scalar: σ(w·h + b) is the decay of λ. */
  readonly scaleDecayReadout: Float64Array;
  readonly scaleDecayBias: number;
  /** [hidden] and scalar: σ(w·h + b) is the decay of the momenta. */
  readonly inputDecayReadout: Float64Array;
  readonly inputDecayBias: number;
  /** [hidden] and scalar: change of the log learning rate. */
  readonly learningRateReadout: Float64Array;
  readonly learningRateBias: number;
  /** γ_η itself (after the sigmoid), in [0, 1]. */
  readonly learningRateMomentum: number;
  /** o, added to η_step in the exponent of the step size. */
  readonly stepSizeOffset: number;
}

/**
 * Meta-parameters of the levels above the parameters, row-major, in double. Matrices are [inputs][outputs], rows of a cell
 * [inputs, hidden], its gate columns [reset | update]. P, T and G are the hidden units of the parameter, tensor and global
 * level. Fields of a level that the architecture does not have are not looked at.
 */
export interface LevelWeights {
  /** [3·P]: the parameter cell's own bias, columns [reset | update | candidate]. */
  readonly cellBias: Float64Array;
  /** [T][3·P] and [3·P]: bias that a tensor's state injects into the parameter cell. */
  readonly tensorToParameterMatrix?: Float64Array;
  readonly tensorToParameterBias?: Float64Array;
  /** The tensor cell. Its inputs are the means of the hidden states and, where there are any besides m_s, of the inputs. */
  readonly tensorGatesMatrix?: Float64Array;
  readonly tensorGatesBias?: Float64Array;
  readonly tensorCandidateMatrix?: Float64Array;
  readonly tensorCandidateBias?: Float64Array;
  /** [T] */
  readonly tensorInitialHidden?: Float64Array;
  /** [G][3·P] and [3·P]: bias that the global state injects into the parameter cell. */
  readonly globalToParameterMatrix?: Float64Array;
  readonly globalToParameterBias?: Float64Array;
  /** [G][3·T] and [3·T]: bias that the global state injects into the tensor cell. */
  readonly globalToTensorMatrix?: Float64Array;
  readonly globalToTensorBias?: Float64Array;
  /** The global cell. Its input is the mean of the tensor states. */
  readonly globalGatesMatrix?: Float64Array;
  readonly globalGatesBias?: Float64Array;
  readonly globalCandidateMatrix?: Float64Array;
  readonly globalCandidateBias?: Float64Array;
  /** [G] */
  readonly globalInitialHidden?: Float64Array;
}

/** Canonical per-coordinate state of one tensor: independent of block size, instruction set and thread count. */
export interface CellState {
  /** [length][hidden] */
  readonly hidden: FloatArray;
  /** ḡ: [length][timescales]; all zero with one timescale. */
  readonly momentum: FloatArray;
  /** λ: [length][timescales]; 0 marks a coordinate that has never been advanced. */
  readonly scale: FloatArray;
  /** η: [length] */
  readonly logLearningRate: FloatArray;
  /** θ: [length]; only with attention, and only after the tensor's first step. */
  readonly position?: FloatArray;
}

/** Whole state of one tensor. */
export interface TensorState extends CellState {
  /** [tensorHidden]; empty with one level. */
  readonly tensorHidden: FloatArray;
}

/**
 * One step of several tensors. All arrays are indexed alike; `T` is the number of tensors in this step. Parameters
 * share no memory with each other or with a gradient.
 */
export interface NativeStepRequest {
  /** Handles from `addTensor`, without repetition. */
  readonly tensors: readonly number[];
  /** Updated in place. With attention these hold φ. */
  readonly parameters: readonly FloatArray[];
  /** Arrays, or stand-ins for borrowed tensors (borrowed.ts); of these, such as share memory with a parameter are copied. */
  readonly gradients: readonly FloatArray[];
  /** Multiplies the step (not the state). Finite, ≥ 0. */
  readonly multiplier: number;
  /** λ of θ ← θ − multiplier·(step + λ·θ). Finite, ≥ 0. */
  readonly weightDecay: number;
  /** Largest global gradient norm; `Infinity`: no clipping. */
  readonly clipNorm: number;
  /**
   * Number of steps before this one, from 0 to 2^53 − 1. State in 16 bits is rounded by pseudo-random numbers that depend on
   * it; with 32 it changes nothing.
   */
  readonly iteration: number;
}

export interface NativeStepReport {
  /** Norm of all finite gradient entries before clipping; NaN unless `clipNorm` is finite. */
  readonly gradientNorm: number;
  /** Coordinates skipped because their gradient was not finite. */
  readonly skipped: number;
  /**
   * Indices (into the request) of parameters that could not be written because their buffer was detached or resized
   * while an asynchronous step was running; their state has advanced all the same. Empty after a synchronous step.
   */
  readonly lost: readonly number[];
}

export interface NativeOptimizerOptions {
  readonly architecture: Architecture;
  readonly precision: Precision;
  /** Default 32; 16 with precision `float32` only. */
  readonly stateBits?: StateBits;
  readonly weights: ParameterCellWeights;
  readonly levels: LevelWeights;
  /** 0: as many as the process may use. */
  readonly threads: number;
  /** On this device instead of the CPU; with precision `float32` only. */
  readonly cuda?: CudaPlace;
}

/** Where an optimizer on a CUDA device is made. */
export interface CudaPlace {
  /** Path of the CUDA library. */
  readonly library: string;
  /** Number of the device, from 0. */
  readonly device: number;
}

/** A step of tensors in device memory. All arrays are indexed alike. */
export interface NativeDeviceStepRequest {
  /** Handles from `addTensor`, without repetition. */
  readonly tensors: readonly number[];
  /** Addresses of device memory, [length of the tensor] floats each, updated in place. */
  readonly parameters: BigUint64Array;
  /** Addresses of as many floats, which share no memory with a parameter. */
  readonly gradients: BigUint64Array;
  readonly multiplier: number;
  readonly weightDecay: number;
  readonly clipNorm: number;
  readonly iteration: number;
  /** A `cudaStream_t`; undefined: the default stream. */
  readonly stream: bigint | undefined;
}

/**
 * `code` of an error about CUDA. `ERR_CUDA_UNAVAILABLE`: no library, driver or device. `ERR_CUDA_INVALID`: an argument.
 * `ERR_CUDA_OUT_OF_MEMORY`: nothing has changed. `ERR_CUDA_FAILED`: a step's state is undefined. `ERR_CUDA_LOST`: the device's
 * context is gone, for all of the process.
 */
export type CudaErrorCode =
  'ERR_CUDA_UNAVAILABLE' | 'ERR_CUDA_INVALID' | 'ERR_CUDA_OUT_OF_MEMORY' | 'ERR_CUDA_FAILED' | 'ERR_CUDA_LOST';

export interface CudaDevice {
  /** Its number, for the option `deviceIndex`. */
  readonly index: number;
  readonly name: string;
  /** Such as '9.0'. */
  readonly computeCapability: string;
  readonly multiprocessors: number;
  /** Bytes of memory, and how many of them were free. */
  readonly memory: number;
  readonly freeMemory: number;
}

/** The native optimizer: state and step of all levels. One per optimizer; not usable from two places at once. */
export interface NativeOptimizer {
  /** Adds a tensor of `length` coordinates in its initial state; returns its handle. `logLearningRate` is η, one or per coordinate. */
  addTensor(length: number, logLearningRate: number | FloatArray): number;
  removeTensor(handle: number): void;
  step(request: NativeStepRequest): NativeStepReport;
  /**
   * The same step off the event loop. Gradients are copied before it returns; parameters are written on the event loop
   * when the step is complete, so the caller's buffers are never touched from another thread.
   */
  stepAsync(request: NativeStepRequest): Promise<NativeStepReport>;
  exportTensor(handle: number): TensorState;
  /** State in 16 bits takes the nearest values that it can hold; those of `exportTensor` it holds exactly. */
  importTensor(handle: number, state: TensorState): void;
  /** Copy of θ, [length]; undefined without attention and before the tensor's first step. */
  position(handle: number): FloatArray | undefined;
  /** Forgets θ of a tensor (attention): the next step starts from the parameters given to it. */
  resetPosition(handle: number): void;
  /** Copy of the global state, [globalHidden]; empty with fewer than three levels. */
  globalHidden(): FloatArray;
  setGlobalHidden(values: FloatArray): void;
  /** Bytes of native memory held; with `cuda` of device memory. */
  readonly bytes: number;
  dispose(): void;
}

/** One that was made with `cuda`. */
export interface NativeCudaOptimizer extends NativeOptimizer {
  /** Puts a step into a stream and returns. That the addresses are device memory cannot be checked. */
  stepOnDevice(request: NativeDeviceStepRequest): void;
  /** Report of the last `stepOnDevice`; waits for it. */
  lastReport(): NativeStepReport;
}

export interface NativeInfo {
  /** Version of the addon. */
  readonly version: string;
  /** Instruction set in use: 'baseline', 'avx2', 'avx512', 'neon'. */
  readonly isa: string;
  /** Compiled in and runnable on this machine. */
  readonly isaAvailable: readonly string[];
  /** Threads that `threads: 0` means. */
  readonly threads: number;
  /** Compiler and build type. */
  readonly build: string;
}
