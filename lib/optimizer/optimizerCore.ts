import type { FloatArray } from '../../bindings/types';
import type { DeviceTensor } from './deviceMemory';
import { Engine } from './engine';
import type { EngineOptions, StepHyperparameters } from './engine';
import { multiplierAt } from './options';
import type { ResolvedOptions } from './options';
import { decodeState, encodeState } from './state';

/** Parameters by position or by name. */
export type ParameterSet<A extends FloatArray | DeviceTensor = Float32Array> =
  readonly A[] | Readonly<Record<string, A>>;

/** Gradients in the form of the parameters, one for each; null or undefined: this tensor takes no part in the step. */
export type GradientSet<A extends FloatArray | DeviceTensor = Float32Array> =
  readonly (A | null | undefined)[] | Readonly<Record<string, A | null | undefined>>;

/** A parameter as an optimizer holds it. */
export interface Entry<A> {
  readonly name: string;
  readonly parameter: A;
  /** Of the parameter at the start; a detached one has none. */
  readonly length: number;
  /** Handle of its state. */
  tensor: number;
  /** Only while a step is being made. */
  gradient: A | undefined;
}

/** What optimizers over arrays and over device memory have in common: their state and the form of their gradients. */
export abstract class OptimizerCore<A extends FloatArray | DeviceTensor> {
  /** The options in force, completed. */
  readonly options: ResolvedOptions;
  /** @internal */
  protected readonly named: boolean;
  /** @internal */
  protected readonly entries: Entry<A>[];
  /** @internal */
  protected readonly engine: Engine;
  private readonly byName: ReadonlyMap<string, Entry<A>>;
  /** The parameters that take part in a step: a list that serves all steps. */
  private readonly updates: Entry<A>[] = [];

  /** @internal Use `createOptimizer`. */
  protected constructor(named: boolean, entries: Entry<A>[], options: ResolvedOptions, engine: EngineOptions) {
    this.options = options;
    this.named = named;
    this.entries = entries;
    this.byName = new Map(entries.map((entry) => [entry.name, entry]));
    this.engine = new Engine(options.weights, { threads: options.threads, stateBits: options.stateBits, ...engine });
    const rate = Math.log(options.initialLearningRate);
    for (const entry of entries) entry.tensor = this.engine.addTensor(entry.length, rate);
  }

  /** Number of steps done. */
  get iterations(): number {
    return this.engine.iterations;
  }

  /**
   * Bytes of native memory held; with the default preset about 64 per parameter, 36 with 16-bit state. With `device: 'cuda'`
   * bytes of device memory: the state and, for arrays of the host, 8 per parameter for gradients and parameters.
   */
  get bytes(): number {
    return this.engine.bytes;
  }

  /** Whether a gradient is one for this parameter. @internal */
  protected abstract requireFit(entry: Entry<A>, gradient: A): void;

  /** Calls `step` with the parameters that have a gradient. @internal */
  protected withGradients<R>(gradients: GradientSet<A>, step: (updates: readonly Entry<A>[]) => R): R {
    try {
      this.takeGradients(gradients);
      return step(this.updates);
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
      this.requireFit(entry, gradient);
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

  /** @internal */
  protected hyperparameters(): StepHyperparameters {
    return {
      multiplier: multiplierAt(this.options, this.engine.iterations),
      weightDecay: this.options.weightDecay,
      clipNorm: this.options.clipNorm,
    };
  }

  /** With lookahead: makes the next step start from the values now in the parameters, after you assigned new ones. */
  resetLookahead(): void {
    for (const { tensor } of this.entries) this.engine.resetPosition(tensor);
  }

  /**
   * The optimizer's whole state as the bytes of a safetensors file. Save the parameters (your arrays) with it; a run that
   * restores both continues bit for bit. The form is the same on the CPU and on a CUDA device, so a run can move between them; then it goes on
   * to within rounding.
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

/** A value as error messages show it. */
export function describe(value: unknown): string {
  if (ArrayBuffer.isView(value) && 'length' in value)
    return `${value.constructor.name} of length ${String(value.length)}`;
  if (Array.isArray(value)) return `an array of length ${value.length}`;
  if (value === null || typeof value !== 'object') return String(value);
  return `an object (${value.constructor?.name ?? 'no prototype'})`;
}
