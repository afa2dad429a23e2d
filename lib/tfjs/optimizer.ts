import * as tf from '@tensorflow/tfjs-core';
import type { FloatArray } from '../../bindings/index';
import { cudaPlace } from '../optimizer/cudaLibrary';
import { Engine } from '../optimizer/engine';
import type { StepReport, TensorUpdate } from '../optimizer/engine';
import { multiplierAt } from '../optimizer/options';
import { assignAndDispose, backendOf, CopiedAccess } from './access';
import type { VariableAccess } from './access';
import { AdoptedAccess } from './adoptedAccess';
import { lendingBackend, withBorrowedGradients } from './borrowedGradients';
import { fromConfig, toConfig } from './config';
import { GradientReader } from './gradients';
import { resolveTfOptions } from './options';
import type { ResolvedTfOptions, TfOptimizerOptions } from './options';
import { fromNamedTensors, toNamedTensors } from './savedState';
import type { NamedTensor, SavedState, SavedVariable } from './savedState';
import { asWasmBackend, WasmAccess } from './wasmAccess';

interface Tracked {
  readonly variable: tf.Variable;
  /** Handle in the engine. */
  readonly tensor: number;
  backend: tf.KernelBackend;
  access: VariableAccess;
  readonly gradients: GradientReader;
}

interface Work {
  readonly tracked: Tracked;
  readonly gradient: tf.Tensor;
}

/** The way to a variable's values that its backend allows. */
export function makeAccess(variable: tf.Variable, backend = backendOf(variable)): VariableAccess {
  const wasm = asWasmBackend(backend);
  if (wasm !== null) return new WasmAccess(variable, wasm);
  const name = tf
    .engine()
    .backendNames()
    .find((n) => tf.engine().findBackend(n) === backend);
  return name === 'cpu' || name === 'tensorflow' ? new AdoptedAccess(variable) : new CopiedAccess(variable);
}

function shapeText(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`;
}

/**
 * The learned optimizer as a `tf.Optimizer`: for `model.compile`, `minimize` and `applyGradients`, on the cpu, wasm and
 * tfjs-node backends. Made by `learnedOptimizer`.
 *
 * On cpu and tfjs-node the variables are updated in place, on wasm they get a fresh tensor per step. Clones of a variable
 * keep their values. On the cpu backend `dataSync()` of a variable is the live storage: `slice()` it to keep it.
 */
export class TfLearnedOptimizer extends tf.Optimizer {
  /** Name in saved models. */
  static get className(): string {
    return 'LearnedOptimizer';
  }

  /** The options in force, completed. */
  readonly options: ResolvedTfOptions;
  /** Report of the last step: gradient norm, coordinates skipped because their gradient was not finite. */
  lastReport: StepReport | null = null;
  private readonly engine: Engine;
  private readonly tracked = new Map<tf.Variable, Tracked>();
  /** A loaded state whose variables have not appeared yet. */
  private pending: SavedVariable[] = [];
  /** Tensors handed out by the last `getWeights`. */
  private handedOut: tf.Tensor[] = [];

  constructor(options?: TfOptimizerOptions) {
    super();
    this.options = resolveTfOptions(options);
    this.engine = new Engine(this.options.weights, {
      threads: this.options.threads,
      stateBits: this.options.stateBits,
      cuda: cudaPlace(this.options),
    });
    this.iterations_ = 0;
  }

  /** Bytes of native memory held; with the default preset about 64 per trained parameter, 36 with 16-bit state. */
  get bytes(): number {
    return this.engine.bytes;
  }

  /**
   * Gradients of `f`; see `tf.Optimizer`.
   * @throws Error that says what to do where the wasm backend lacks the gradient of a convolution
   */
  override computeGradients(
    f: () => tf.Scalar,
    varList?: tf.Variable[],
  ): { value: tf.Scalar; grads: tf.NamedTensorMap } {
    try {
      return super.computeGradients(f, varList);
    } catch (error) {
      if (
        tf.getBackend() === 'wasm' &&
        error instanceof Error &&
        /Conv\w*Backprop\w*.*not registered/.test(error.message)
      ) {
        throw new Error(
          "the wasm backend of TensorFlow.js cannot train convolutions: it has no kernel for the gradient of their filters; use tfjs-node or tf.setBackend('cpu')",
          { cause: error },
        );
      }
      throw error;
    }
  }

  /**
   * One step. Variables whose gradient is null or missing keep their value and their state.
   * @param variableGradients gradients by the names of the variables
   * @throws RangeError or TypeError when a name, a shape or a type does not fit; no variable has changed then
   */
  applyGradients(variableGradients: tf.NamedTensorMap | NamedTensor[]): void {
    const pairs = this.pairs(variableGradients);
    this.forgetDisposed();
    this.requirePendingFits(pairs.map((pair) => pair.variable));
    const work = pairs.map(({ variable, gradient }) => ({ tracked: this.track(variable), gradient }));
    tf.tidy(() => this.update(work));
    this.iterations_ = this.engine.iterations;
  }

  private pairs(
    gradients: tf.NamedTensorMap | NamedTensor[],
  ): { readonly variable: tf.Variable; readonly gradient: tf.Tensor }[] {
    const entries: [string, tf.Tensor | null | undefined][] = Array.isArray(gradients)
      ? gradients.map(({ name, tensor }) => [name, tensor])
      : Object.entries(gradients);
    const seen = new Set<string>();
    return entries.flatMap(([name, gradient]) => {
      const variable = tf.engine().registeredVariables[name];
      if (variable === undefined) {
        throw new RangeError(
          `variableGradients: there is no variable named '${name}'; was it disposed, or is there a second copy of @tensorflow/tfjs-core?`,
        );
      }
      if (seen.has(name)) throw new RangeError(`variableGradients: expected each variable once, got '${name}' twice`);
      seen.add(name);
      if (gradient === null || gradient === undefined) return [];
      if (variable.dtype !== 'float32' || gradient.dtype !== 'float32') {
        throw new TypeError(
          `variableGradients['${name}']: expected float32, got a variable of ${variable.dtype} and a gradient of ${gradient.dtype}`,
        );
      }
      if (!tf.util.arraysEqual(variable.shape, gradient.shape)) {
        throw new RangeError(
          `variableGradients['${name}']: expected shape ${shapeText(variable.shape)}, got ${shapeText(gradient.shape)}`,
        );
      }
      // Variables without elements have nothing to learn.
      return variable.size === 0 ? [] : [{ variable, gradient }];
    });
  }

  private forgetDisposed(): void {
    for (const [variable, { tensor }] of this.tracked) {
      if (!variable.isDisposed) continue;
      this.engine.removeTensor(tensor);
      this.tracked.delete(variable);
    }
  }

  /** A loaded state that fits none of the variables of the first step belongs to another model. */
  private requirePendingFits(variables: readonly tf.Variable[]): void {
    if (this.pending.length === 0 || this.tracked.size > 0 || variables.length === 0) return;
    const shapes = new Set(this.pending.map(({ shape }) => shape.join()));
    if (variables.some((variable) => shapes.has(variable.shape.join()))) return;
    throw new RangeError(
      `the optimizer state that was loaded belongs to variables of shape ${this.pending.map(({ shape }) => shapeText(shape)).join(', ')}; ` +
        `got ${variables.map((v) => shapeText(v.shape)).join(', ')}`,
    );
  }

  private track(variable: tf.Variable): Tracked {
    const backend = backendOf(variable);
    let entry = this.tracked.get(variable);
    if (entry === undefined) {
      const tensor = this.addTensor(variable);
      entry = { variable, tensor, backend, access: makeAccess(variable, backend), gradients: new GradientReader() };
      this.tracked.set(variable, entry);
    } else {
      // Lookahead: what the user assigned is where θ goes on from.
      if (entry.access.reassigned && this.options.weights.architecture.attention) {
        this.engine.resetPosition(entry.tensor);
      }
      if (entry.backend !== backend) {
        entry.backend = backend;
        entry.access = makeAccess(variable, backend);
      }
    }
    return entry;
  }

  /** Adds a variable's state: the first loaded one of its shape, or a fresh one. */
  private addTensor(variable: tf.Variable): number {
    const tensor = this.engine.addTensor(variable.size, Math.log(this.options.initialLearningRate));
    const at = this.pending.findIndex(({ shape }) => tf.util.arraysEqual([...shape], variable.shape));
    if (at < 0) return tensor;
    try {
      this.engine.importTensor(tensor, this.pending[at].snapshot);
    } catch (error) {
      this.engine.removeTensor(tensor);
      throw error;
    }
    this.pending.splice(at, 1);
    return tensor;
  }

  private update(work: readonly Work[]): void {
    const multiplier = multiplierAt(this.options, this.engine.iterations);
    const opened: VariableAccess[] = [];
    try {
      // All allocations first: they may move the heap of the wasm backend.
      for (const { tracked } of work) {
        opened.push(tracked.access);
        tracked.access.prepare();
      }
      this.lastReport = this.withGradients(work, (gradients) => {
        const updates: TensorUpdate[] = work.map(({ tracked }, i) => ({
          tensor: tracked.tensor,
          parameter: tracked.access.open(),
          gradient: gradients[i],
        }));
        const { weightDecay, clipNorm } = this.options;
        return this.engine.step(updates, { multiplier, weightDecay, clipNorm });
      });
    } catch (error) {
      for (const access of opened) access.abandon();
      throw error;
    }
    for (const { tracked } of work) {
      tracked.access.close();
      tracked.access.acknowledge();
    }
  }

  private withGradients<R>(work: readonly Work[], use: (gradients: readonly Float32Array[]) => R): R {
    const tensors = work.map(({ gradient }) => gradient);
    const lender = this.options.zeroCopy ? lendingBackend(tensors) : null;
    if (lender !== null) return withBorrowedGradients(lender, tensors, use);
    return use(work.map(({ tracked, gradient }) => tracked.gradients.read(gradient)));
  }

  /**
   * The parameters to evaluate and to save, θ, by the names of the variables; the caller disposes them. Without lookahead
   * they equal the variables; with it those hold φ, the point of the next gradient (paper, section 3.2.1).
   */
  evaluationParameters(): tf.NamedTensorMap {
    const result: tf.NamedTensorMap = {};
    for (const { variable, tensor } of this.tracked.values()) {
      if (variable.isDisposed) continue;
      const position = this.position(tensor, variable);
      result[variable.name] =
        position === undefined ? variable.clone() : tf.tensor(position, variable.shape, 'float32');
    }
    return result;
  }

  private position(tensor: number, variable: tf.Variable): FloatArray | undefined {
    return this.tracked.get(variable)?.access.reassigned ? undefined : this.engine.position(tensor);
  }

  /**
   * Runs `body` while the variables hold the evaluation parameters, then puts them back: to evaluate or save a model that
   * is trained with lookahead. Without lookahead it only runs `body`.
   */
  async withEvaluationParameters<T>(body: () => T | Promise<T>): Promise<T> {
    if (!this.options.weights.architecture.attention) return body();
    const entries = [...this.tracked.values()].filter(({ variable }) => !variable.isDisposed);
    const lookahead = entries.map(({ variable }) => variable.clone());
    const positions = this.evaluationParameters();
    for (const { variable } of entries) assignAndDispose(variable, positions[variable.name]);
    try {
      return await body();
    } finally {
      entries.forEach(({ variable, access }, i) => {
        if (!variable.isDisposed) {
          variable.assign(lookahead[i]);
          access.acknowledge();
        }
        lookahead[i].dispose();
      });
    }
  }

  /**
   * The optimizer's state as tensors: iterations first, then the global state, then each variable's state in the order in
   * which the variables first got a gradient. The tensors are copies that belong to the optimizer; they live until the
   * next `getWeights` or `dispose`.
   */
  override async getWeights(): Promise<NamedTensor[]> {
    tf.dispose(this.handedOut);
    this.handedOut = [];
    const variables = [...this.tracked.values()]
      .filter(({ variable }) => !variable.isDisposed)
      .map(({ variable, tensor }) => ({ variable, snapshot: this.engine.exportTensor(tensor) }));
    const state = toNamedTensors(
      this.options.weights.architecture,
      Float32Array.from(this.engine.globalHidden),
      variables,
    );
    const weights = [await this.saveIterations(), ...state];
    this.handedOut = weights.map(({ tensor }) => tf.keep(tensor));
    return weights;
  }

  /**
   * Restores a state of `getWeights`; the tensors are copied and stay the caller's. Before the first step the state waits
   * for its variables and is matched with them by order and shape; afterwards it must fit the variables seen so far.
   * @throws RangeError when it does not fit; the optimizer is as it was then
   */
  override async setWeights(weightValues: NamedTensor[]): Promise<void> {
    if (weightValues.length === 0) throw new RangeError('weightValues: expected the iterations first, got no tensors');
    const iterations = (await weightValues[0].tensor.data())[0];
    if (weightValues[0].tensor.size !== 1 || !Number.isSafeInteger(iterations) || iterations < 0) {
      throw new RangeError('weightValues[0]: expected the iterations, a whole number of at least 0');
    }
    const state = await fromNamedTensors(this.options.weights.architecture, weightValues.slice(1));
    this.forgetDisposed();
    if (this.tracked.size === 0) {
      this.restoreGlobal(state, iterations);
      this.pending = [...state.variables];
    } else {
      this.restoreTracked(state, iterations);
    }
  }

  private restoreGlobal(state: SavedState, iterations: number): void {
    this.engine.globalHidden = state.globalHidden;
    this.engine.iterations = iterations;
    this.iterations_ = iterations;
  }

  private restoreTracked(state: SavedState, iterations: number): void {
    const entries = [...this.tracked.values()];
    const have = entries.map(({ variable }) => shapeText(variable.shape)).join(', ');
    const given = state.variables.map(({ shape }) => shapeText(shape)).join(', ');
    if (have !== given) throw new RangeError(`weightValues: expected the state of variables ${have}, got ${given}`);
    const before = entries.map(({ tensor }) => this.engine.exportTensor(tensor));
    try {
      entries.forEach(({ tensor }, i) => this.engine.importTensor(tensor, state.variables[i].snapshot));
      this.restoreGlobal(state, iterations);
    } catch (error) {
      entries.forEach(({ tensor }, i) => this.engine.importTensor(tensor, before[i]));
      throw error;
    }
  }

  /** Options for a saved model. */
  getConfig(): tf.serialization.ConfigDict {
    return toConfig(this.options);
  }

  /** @throws RangeError or TypeError when the configuration does not fit */
  static override fromConfig<T extends tf.serialization.Serializable>(
    cls: tf.serialization.SerializableConstructor<T>,
    config: tf.serialization.ConfigDict,
  ): T {
    return new cls(fromConfig(config));
  }

  /** Frees the optimizer's state; the variables stay. Safe to call twice; a step afterwards throws. */
  override dispose(): void {
    tf.dispose(this.handedOut);
    this.handedOut = [];
    this.pending = [];
    this.tracked.clear();
    this.engine.dispose();
  }
}

tf.serialization.registerClass(TfLearnedOptimizer);
