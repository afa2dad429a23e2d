import type { StateBits } from '../../bindings/types';
import { DEFAULT_PRESET, loadWeights } from './presets';
import { heldInitialRate, NO_ANNEALING, NO_WARMUP, scheduleFactor } from './schedule';
import type { Annealing, Warmup } from './schedule';
import type { Weights } from './weights';

/** Options of `createOptimizer` and of `learnedOptimizer` in `learned-optimizer/tfjs`. */
export interface OptimizerOptions {
  /** Weights that ship with the package, or the path of a `.safetensors` file. Default: see `presets()`. */
  readonly preset?: string;
  /** Weights of your own, instead of a preset. */
  readonly weights?: Weights;
  /**
   * Where every parameter's learning rate starts, 1e-14 to 1e14; held within the weights' range, if they have one. The
   * optimizer moves it from there. Default: the weights'.
   */
  readonly initialLearningRate?: number;
  /**
   * Over how many steps, from 0, the steps grow to their full length. Deep networks need it, fine-tuning may not. It
   * counts from the optimizer's first step; weight decay grows with them. Default: the weights'.
   */
  readonly warmupSteps?: number;
  /**
   * From which step on, 1 or more, the steps shrink as the weights say (for those that ship: with step^-1.5); Infinity: never.
   * It keeps long runs from leaving a loss near zero again. Default: the weights'.
   */
  readonly annealAfter?: number;
  /** Multiplies every step: a number ≥ 0, or a function of the 0-based index of the step. Default 1. */
  readonly learningRateMultiplier?: number | ((step: number) => number);
  /**
   * Decoupled weight decay λ ≥ 0: θ ← θ − multiplier·(step + λ·θ), so λ is the share that decays per step (AdamW's
   * learning rate times its weight decay). Default 0.
   */
  readonly weightDecay?: number;
  /** Largest norm of all gradients together, > 0; longer gradients are scaled down to it. Default: no clipping. */
  readonly clipNorm?: number;
  /** Threads of the native step, 1–256; 0 (default): as many as the process may use. The result does not depend on it. */
  readonly threads?: number;
  /**
   * Bits per value in which the optimizer keeps its state, 32 (default) or 16. With 16 it takes 36 bytes per parameter
   * instead of 64 (default preset). The step still computes in float32, but its results differ a little: docs/evaluation.md
   * says by how much. Not for Float64Arrays.
   */
  readonly stateBits?: StateBits;
  /**
   * Where the step is computed and the state is kept: 'cpu' (default), or 'cuda', a CUDA device, for which a library must be
   * there (docs/cuda.md). Nothing falls back: where CUDA cannot be used `createOptimizer` throws and says why;
   * `info().cuda.available` says it beforehand. Not for Float64Arrays. Not saved with a model.
   */
  readonly device?: Device;
  /** Number of the CUDA device, 0 (default) or more, of those that `info().cuda.devices` lists. Only with `device: 'cuda'`. */
  readonly deviceIndex?: number;
}

/** Where an optimizer computes. */
export type Device = 'cpu' | 'cuda';

/** Options checked and completed. */
export interface ResolvedOptions {
  readonly weights: Weights;
  /** Preset name or path that the weights came from; undefined for `weights`. */
  readonly preset: string | undefined;
  /** Within the weights' range. */
  readonly initialLearningRate: number;
  readonly warmup: Warmup;
  readonly annealing: Annealing;
  readonly learningRateMultiplier: number | ((step: number) => number);
  readonly weightDecay: number;
  readonly clipNorm: number;
  readonly threads: number;
  readonly stateBits: StateBits;
  readonly device: Device;
  readonly deviceIndex: number;
}

/** Names of all options. */
export const OPTION_NAMES = [
  'preset',
  'weights',
  'initialLearningRate',
  'warmupSteps',
  'annealAfter',
  'learningRateMultiplier',
  'weightDecay',
  'clipNorm',
  'threads',
  'stateBits',
  'device',
  'deviceIndex',
] as const;

function describe(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`;
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

function requireNumber(name: string, value: unknown, test: (v: number) => boolean, expected: string): number {
  if (typeof value !== 'number') throw new TypeError(`${name}: expected ${expected}, got ${describe(value)}`);
  if (!test(value)) throw new RangeError(`${name}: expected ${expected}, got ${value}`);
  return value;
}

/**
 * Checks options and loads the weights.
 * @throws TypeError or RangeError naming the option, what was expected and what came
 */
export function resolveOptions(options: OptimizerOptions = {}): ResolvedOptions {
  if (typeof options !== 'object' || options === null) {
    throw new TypeError(`options: expected an object, got ${describe(options)}`);
  }
  for (const key of Object.keys(options)) {
    if (!(OPTION_NAMES as readonly string[]).includes(key)) {
      throw new RangeError(`options.${key}: unknown option; known: ${OPTION_NAMES.join(', ')}`);
    }
  }
  if (options.weights !== undefined && options.preset !== undefined) {
    throw new RangeError('options: expected preset or weights, got both');
  }
  if (options.weights !== undefined && !(options.weights?.tensors instanceof Map)) {
    throw new TypeError(`weights: expected weights made by loadWeights, got ${describe(options.weights)}`);
  }
  if (options.preset !== undefined && typeof options.preset !== 'string') {
    throw new TypeError(
      `preset: expected the name of a preset or the path of a .safetensors file, got ${describe(options.preset)}`,
    );
  }
  const preset = options.weights === undefined ? (options.preset ?? DEFAULT_PRESET) : undefined;
  const weights = options.weights ?? loadWeights(preset!);
  const warmup = weights.metadata.warmup ?? NO_WARMUP;
  const annealing = weights.metadata.annealing ?? NO_ANNEALING;
  const multiplier = options.learningRateMultiplier ?? 1;
  if (typeof multiplier !== 'function') checkMultiplier(multiplier);
  return {
    weights,
    preset,
    initialLearningRate: heldInitialRate(
      weights.metadata,
      requireNumber(
        'initialLearningRate',
        options.initialLearningRate ?? weights.metadata.initialLearningRate,
        (v) => v >= 1e-14 && v <= 1e14,
        'a number from 1e-14 to 1e14',
      ),
    ),
    warmup: {
      ...warmup,
      steps: requireNumber(
        'warmupSteps',
        options.warmupSteps ?? warmup.steps,
        (v) => Number.isInteger(v) && v >= 0,
        'a whole number of at least 0',
      ),
    },
    annealing: {
      ...annealing,
      after: requireNumber(
        'annealAfter',
        options.annealAfter ?? annealing.after,
        (v) => v >= 1,
        'a number of at least 1',
      ),
    },
    learningRateMultiplier: multiplier,
    weightDecay: requireNumber(
      'weightDecay',
      options.weightDecay ?? 0,
      (v) => v >= 0 && Number.isFinite(v),
      'a finite number of at least 0',
    ),
    clipNorm: requireNumber('clipNorm', options.clipNorm ?? Infinity, (v) => v > 0, 'a number above 0'),
    threads: requireNumber(
      'threads',
      options.threads ?? 0,
      (v) => Number.isInteger(v) && v >= 0 && v <= 256,
      'an integer from 0 to 256',
    ),
    stateBits: requireNumber(
      'stateBits',
      options.stateBits ?? 32,
      (v) => v === 32 || v === 16,
      '32 or 16',
    ) as StateBits,
    ...resolveDevice(options),
  };
}

function resolveDevice({ device = 'cpu', deviceIndex }: OptimizerOptions): { device: Device; deviceIndex: number } {
  if (device !== 'cpu' && device !== 'cuda') {
    const Kind = typeof device === 'string' ? RangeError : TypeError;
    throw new Kind(`device: expected 'cpu' or 'cuda', got ${describe(device)}`);
  }
  if (device === 'cpu' && deviceIndex !== undefined) {
    throw new RangeError(`deviceIndex: expected none without device: 'cuda', got ${describe(deviceIndex)}`);
  }
  const index = requireNumber(
    'deviceIndex',
    deviceIndex ?? 0,
    (v) => Number.isInteger(v) && v >= 0 && v < 2 ** 31,
    'a whole number of at least 0',
  );
  return { device, deviceIndex: index };
}

function checkMultiplier(value: unknown): number {
  return requireNumber(
    'learningRateMultiplier',
    value,
    (v) => v >= 0 && Number.isFinite(v),
    'a finite number of at least 0, or a function of the step that returns one',
  );
}

/**
 * Multiplier of the step with the given 0-based index: the caller's times those of warm-up and annealing.
 * @throws when the caller's function returns something else than a multiplier
 */
export function multiplierAt(options: ResolvedOptions, step: number): number {
  const { learningRateMultiplier: m, warmup, annealing } = options;
  const own = typeof m === 'function' ? checkMultiplier(m(step)) : m;
  return own * scheduleFactor(warmup, annealing, step);
}
