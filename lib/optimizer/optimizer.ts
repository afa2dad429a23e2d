import type { FloatArray } from '../../bindings/types';
import { Engine } from './engine';
import type { StepHyperparameters, StepReport, TensorUpdate } from './engine';
import { multiplierAt, resolveOptions } from './options';
import type { OptimizerOptions, ResolvedOptions } from './options';
import { decodeState, encodeState } from './state';

/** Parameters by position or by name. */
export type ParameterSet<A extends FloatArray = Float32Array> = readonly A[] | Readonly<Record<string, A>>;

/** Gradients in the form of the parameters, one for each; null or undefined: this tensor takes no part in the step. */
export type GradientSet<A extends FloatArray = Float32Array> =
  readonly (A | null | undefined)[] | Readonly<Record<string, A | null | undefined>>;

interface Entry<A extends FloatArray> {
  readonly name: string;
  readonly parameter: A;
  /** Of the parameter at the start; a detached one has none. */
  readonly length: number;
  tensor: number;
  /** Only while a step is being made. */
  gradient: A | undefined;
}

/**
 * An optimizer over arrays of the caller. Made by `createOptimizer`.
 * @typeParam P the form of the parameters: a list, or a record by name
 */
export class LearnedOptimizer<
  A extends FloatArray = Float32Array,
  P extends A[] | Record<string, A> = A[] | Record<string, A>,
> {
  /** The options in force, completed. */
  readonly options: ResolvedOptions;
  private readonly named: boolean;
  private readonly entries: Entry<A>[];
  private readonly byName: ReadonlyMap<string, Entry<A>>;
  /** The parameters that take part in a step: a list that serves all steps. */
  private readonly updates: Entry<A>[] = [];
  private readonly engine: Engine;

  /** @internal Use `createOptimizer`. */
  constructor(parameters: ParameterSet<A>, options?: OptimizerOptions) {
    this.options = resolveOptions(options);
    this.named = !Array.isArray(parameters);
    this.entries = checkParameters(parameters);
    this.byName = new Map(this.entries.map((entry) => [entry.name, entry]));
    if (this.options.stateBits === 16 && this.entries[0].parameter instanceof Float64Array) {
      throw new RangeError(
        'stateBits: expected 32 with Float64Arrays, whose state is kept in double precision, got 16',
      );
    }
    this.engine = new Engine(this.options.weights, {
      threads: this.options.threads,
      stateBits: this.options.stateBits,
      precision: this.entries[0].parameter instanceof Float64Array ? 'float64' : 'float32',
    });
    const rate = Math.log(this.options.initialLearningRate);
    for (const entry of this.entries) entry.tensor = this.engine.addTensor(entry.parameter.length, rate);
  }

  /** Number of steps done. */
  get iterations(): number {
    return this.engine.iterations;
  }

  /** Bytes of native memory held; with the default preset about 64 per parameter, 36 with 16-bit state. */
  get bytes(): number {
    return this.engine.bytes;
  }

  /** Calls `step` with the parameters that have a gradient. */
  private withGradients<R>(gradients: GradientSet<A>, step: (updates: readonly TensorUpdate[]) => R): R {
    try {
      this.takeGradients(gradients);
      return step(this.updates as TensorUpdate[]);
    } finally {
      // The caller's gradients are not kept alive. By index: an iterator makes an object for every entry.
      for (let i = 0; i < this.entries.length; i++) this.entries[i].gradient = undefined;
    }
  }

  private takeGradients(gradients: GradientSet<A>): void {
    this.requireGradients(gradients);
    const { entries, updates, named } = this;
    let count = 0;
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i];
      const gradient = named
        ? this.ownGradient(gradients as Readonly<Record<string, A | null | undefined>>, entry.name)
        : (gradients as readonly (A | null | undefined)[])[i];
      if (gradient === null || gradient === undefined) continue;
      requireFit(entry, gradient);
      entry.gradient = gradient;
      updates[count++] = entry;
    }
    updates.length = count;
  }

  /** Checks the form of the set: a list of the right length, or an object without unknown names. */
  private requireGradients(gradients: GradientSet<A>): void {
    if (typeof gradients !== 'object' || gradients === null || ArrayBuffer.isView(gradients)) {
      throw new TypeError(
        `gradients: expected ${this.named ? 'an object' : 'an array'} of arrays, got ${describe(gradients)}`,
      );
    }
    if (!this.named) {
      if (!Array.isArray(gradients) || gradients.length !== this.entries.length) {
        throw new RangeError(
          `gradients: expected an array of length ${this.entries.length}, one entry per parameter, got ${describe(gradients)}`,
        );
      }
      return;
    }
    if (Array.isArray(gradients)) {
      throw new TypeError('gradients: expected an object with the names of the parameters, got an array');
    }
    for (const name of Object.keys(gradients)) {
      if (!this.byName.has(name)) {
        throw new RangeError(
          `gradients.${name}: no parameter has this name; expected ${this.entries.map((e) => e.name).join(', ')}`,
        );
      }
    }
  }

  private ownGradient(record: Readonly<Record<string, A | null | undefined>>, name: string): A | null | undefined {
    if (!Object.hasOwn(record, name)) {
      throw new RangeError(
        `gradients.${name}: expected an array, or null when this parameter takes no part in the step, got no entry`,
      );
    }
    return record[name];
  }

  private hyperparameters(): StepHyperparameters {
    return {
      multiplier: multiplierAt(this.options, this.engine.iterations),
      weightDecay: this.options.weightDecay,
      clipNorm: this.options.clipNorm,
    };
  }

  /**
   * One step: reads the gradients, updates the parameters in place.
   *
   * Coordinates whose gradient is NaN or infinite are left alone, state and parameter, and counted in the report.
   * @throws TypeError or RangeError naming the argument when buffers do not fit; nothing has changed then
   */
  step(gradients: GradientSet<A>): StepReport {
    return this.withGradients(gradients, (updates) => this.engine.step(updates, this.hyperparameters()));
  }

  /**
   * The same step off the event loop. The gradients are copied before this returns; the parameters are written just before
   * the promise resolves. Until then every other call on this optimizer throws.
   */
  async stepAsync(gradients: GradientSet<A>): Promise<StepReport> {
    return this.withGradients(gradients, (updates) => this.engine.stepAsync(updates, this.hyperparameters()));
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

  /** With lookahead: makes the next step start from the values now in the parameters, after you assigned new ones. */
  resetLookahead(): void {
    for (const { tensor } of this.entries) this.engine.resetPosition(tensor);
  }

  /**
   * The optimizer's whole state as the bytes of a safetensors file. Save the parameters (your arrays) with it; a run that
   * restores both continues bit for bit.
   */
  saveState(): Uint8Array {
    return encodeState(
      {
        iterations: this.engine.iterations,
        globalHidden: this.engine.globalHidden,
        tensors: this.entries.map(({ name, tensor }) => ({ name, snapshot: this.engine.exportTensor(tensor) })),
      },
      this.options.weights,
      this.options.stateBits,
    );
  }

  /**
   * Restores a state of `saveState`. All or nothing: on an error the optimizer is as it was.
   * @throws SafetensorsError or RangeError when the bytes are no state of this optimizer's weights and parameters
   */
  loadState(bytes: Uint8Array): void {
    if (!(bytes instanceof Uint8Array)) throw new TypeError(`bytes: expected a Uint8Array, got ${describe(bytes)}`);
    const state = decodeState(bytes, this.options.weights, {
      lengths: this.entries.map((e) => e.length),
      names: this.entries.map((e) => e.name),
      float64: this.engine.precision === 'float64',
    });
    const fresh: number[] = [];
    try {
      for (const { snapshot } of state.tensors) {
        fresh.push(this.engine.addTensor(snapshot.cell.logLearningRate.length));
        this.engine.importTensor(fresh[fresh.length - 1], snapshot);
      }
      this.engine.globalHidden = state.globalHidden;
    } catch (error) {
      for (const tensor of fresh) this.engine.removeTensor(tensor);
      throw error;
    }
    this.entries.forEach((entry, i) => {
      this.engine.removeTensor(entry.tensor);
      entry.tensor = fresh[i];
    });
    this.engine.iterations = state.iterations;
  }

  /** Frees native memory now instead of at garbage collection. Safe to call twice. */
  dispose(): void {
    this.engine.dispose();
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

function describe(value: unknown): string {
  if (ArrayBuffer.isView(value) && 'length' in value)
    return `${value.constructor.name} of length ${String(value.length)}`;
  if (Array.isArray(value)) return `an array of length ${value.length}`;
  if (value === null || typeof value !== 'object') return String(value);
  return `an object (${value.constructor?.name ?? 'no prototype'})`;
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
 * `Float64Array`s the step runs in double precision, slowly: the reference.
 * @throws TypeError or RangeError naming the argument; Error when the native addon cannot be loaded
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
  params: ParameterSet<Float32Array> | ParameterSet<Float64Array>,
  options?: OptimizerOptions,
): unknown {
  return new LearnedOptimizer(params as ParameterSet, options);
}
