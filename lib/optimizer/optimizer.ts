import type { FloatArray } from '../../bindings/types';
import { cudaPlace } from './cudaLibrary';
import { isDeviceTensor } from './deviceMemory';
import type { DeviceTensor } from './deviceMemory';
import { DeviceOptimizer } from './deviceOptimizer';
import type { StepReport, TensorUpdate } from './engine';
import { resolveOptions } from './options';
import type { OptimizerOptions, ResolvedOptions } from './options';
import { describe, OptimizerCore } from './optimizerCore';
import type { Entry, GradientSet, ParameterSet } from './optimizerCore';

/**
 * An optimizer over arrays of the caller. Made by `createOptimizer`.
 * @typeParam P the form of the parameters: a list, or a record by name
 */
export class LearnedOptimizer<
  A extends FloatArray = Float32Array,
  P extends A[] | Record<string, A> = A[] | Record<string, A>,
> extends OptimizerCore<A> {
  /** @internal Use `createOptimizer`. */
  constructor(parameters: ParameterSet<A>, options?: OptimizerOptions) {
    const resolved = resolveOptions(options);
    const entries = checkParameters(parameters);
    const double = entries[0].parameter instanceof Float64Array;
    if (double) refuseDouble(resolved);
    super(!Array.isArray(parameters), entries, resolved, {
      precision: double ? 'float64' : 'float32',
      cuda: cudaPlace(resolved),
    });
  }

  /** @internal */
  protected override requireFit(entry: Entry<A>, gradient: A): void {
    requireFit(entry, gradient);
  }

  /**
   * One step: reads the gradients, updates the parameters in place.
   *
   * Coordinates whose gradient is NaN or infinite are left alone, state and parameter, and counted in the report.
   * @throws TypeError or RangeError naming the argument when buffers do not fit; nothing has changed then
   */
  step(gradients: GradientSet<A>): StepReport {
    return this.withGradients(gradients, (updates) =>
      this.engine.step(updates as readonly TensorUpdate[], this.hyperparameters()),
    );
  }

  /**
   * The same step off the event loop. The gradients are copied before this returns; the parameters are written just before
   * the promise resolves. Until then every other call on this optimizer throws. With `device: 'cuda'` the parameters are read
   * before this returns, too: what you assign to them meanwhile is overwritten.
   */
  async stepAsync(gradients: GradientSet<A>): Promise<StepReport> {
    return this.withGradients(gradients, (updates) =>
      this.engine.stepAsync(updates as readonly TensorUpdate[], this.hyperparameters()),
    );
  }

  /**
   * Copies of the parameters to evaluate and to save, in the form of the parameters: θ. Without lookahead they equal the
   * arrays given to `createOptimizer`; with it those hold φ, the point of the next gradient (paper, section 3.2.1).
   */
  evaluationParameters(): P {
    const copies = this.entries.map(
      ({ tensor, parameter }) => (this.engine.position(tensor) as A | undefined) ?? (parameter.slice() as A),
    );
    return (this.named ? Object.fromEntries(this.entries.map((e, i) => [e.name, copies[i]])) : copies) as P;
  }
}

function requireFit<A extends FloatArray>({ name, parameter, length }: Entry<A>, gradient: A): void {
  if (parameter.length !== length) {
    throw new TypeError(
      `params.${name}: expected length ${length} as at the start, got ${parameter.length} (is its buffer detached?)`,
    );
  }
  if (gradient.constructor !== parameter.constructor || gradient.length !== length) {
    throw new TypeError(
      `gradients.${name}: expected ${parameter.constructor.name} of length ${length}, got ${describe(gradient)}`,
    );
  }
}

/** Options that double precision does not have. */
function refuseDouble({ stateBits, device }: ResolvedOptions): void {
  if (stateBits === 16) {
    throw new RangeError('stateBits: expected 32 with Float64Arrays, whose state is kept in double precision, got 16');
  }
  if (device === 'cuda') {
    throw new RangeError("device: expected 'cpu' with Float64Arrays, since CUDA runs in single precision, got 'cuda'");
  }
}

function checkParameters<A extends FloatArray>(parameters: ParameterSet<A>): Entry<A>[] {
  if (typeof parameters !== 'object' || parameters === null || ArrayBuffer.isView(parameters)) {
    throw new TypeError(`params: expected an array or an object of Float32Arrays, got ${describe(parameters)}`);
  }
  // Array.from sees the holes of a sparse array, which Object.entries leaves out.
  const source = Array.isArray(parameters) ? Array.from(parameters as readonly A[]) : parameters;
  const entries = Object.entries(source as Record<string, A>).map(([name, parameter]) => ({
    name,
    parameter,
    length: parameter?.length,
    tensor: -1,
    gradient: undefined,
  }));
  if (entries.length === 0) throw new RangeError('params: expected at least one array, got none');
  const type = entries[0].parameter?.constructor;
  for (const { name, parameter } of entries) {
    if (!(parameter instanceof Float32Array || parameter instanceof Float64Array)) {
      throw new TypeError(`params.${name}: expected a Float32Array, got ${describe(parameter)}`);
    }
    if (parameter.constructor !== type) {
      throw new TypeError(`params.${name}: expected ${type.name} like the first one, got ${describe(parameter)}`);
    }
    if (parameter.length === 0) {
      throw new RangeError(`params.${name}: expected at least one element, got none (is its buffer detached?)`);
    }
  }
  refuseOverlaps(entries);
  return entries;
}

function refuseOverlaps(entries: readonly { readonly name: string; readonly parameter: FloatArray }[]): void {
  const byBuffer = new Map<ArrayBufferLike, typeof entries>();
  for (const entry of entries) {
    const buffer = entry.parameter.buffer;
    byBuffer.set(buffer, [...(byBuffer.get(buffer) ?? []), entry]);
  }
  for (const group of byBuffer.values()) {
    const sorted = [...group].sort((a, b) => a.parameter.byteOffset - b.parameter.byteOffset);
    for (let i = 1; i < sorted.length; i++) {
      const before = sorted[i - 1];
      if (before.parameter.byteOffset + before.parameter.byteLength > sorted[i].parameter.byteOffset) {
        throw new RangeError(
          `params: expected arrays that share no memory, got ${before.name} and ${sorted[i].name} overlapping`,
        );
      }
    }
  }
}

/**
 * Creates an optimizer over arrays that you hold and that it updates in place.
 * @param params `Float32Array`s by position or by name, each one tensor of the model (a weight matrix, a bias). With
 * `Float64Array`s the step runs in double precision, slowly: the reference. Tensors in memory of a CUDA device are given as
 * `DeviceTensor`s, with `device: 'cuda'`.
 * @throws TypeError or RangeError naming the argument; Error when the native addon cannot be loaded, or,
 * with `code` (`CudaErrorCode`), when CUDA was asked for and cannot be used: why, and what to do
 */
export function createOptimizer(
  params: readonly Float32Array[],
  options?: OptimizerOptions,
): LearnedOptimizer<Float32Array, Float32Array[]>;
export function createOptimizer(
  params: Readonly<Record<string, Float32Array>>,
  options?: OptimizerOptions,
): LearnedOptimizer<Float32Array, Record<string, Float32Array>>;
export function createOptimizer(
  params: readonly Float64Array[],
  options?: OptimizerOptions,
): LearnedOptimizer<Float64Array, Float64Array[]>;
export function createOptimizer(
  params: Readonly<Record<string, Float64Array>>,
  options?: OptimizerOptions,
): LearnedOptimizer<Float64Array, Record<string, Float64Array>>;
export function createOptimizer(
  params: readonly DeviceTensor[],
  options: OptimizerOptions,
): DeviceOptimizer<Float32Array[]>;
export function createOptimizer(
  params: Readonly<Record<string, DeviceTensor>>,
  options: OptimizerOptions,
): DeviceOptimizer<Record<string, Float32Array>>;
export function createOptimizer(
  params: ParameterSet<Float32Array> | ParameterSet<Float64Array> | ParameterSet<DeviceTensor>,
  options?: OptimizerOptions,
): unknown {
  if (typeof params === 'object' && params !== null && Object.values(params).some(isDeviceTensor)) {
    return new DeviceOptimizer(params as ParameterSet<DeviceTensor>, options);
  }
  return new LearnedOptimizer(params as ParameterSet, options);
}
