import { batchSource, type DrawBatch } from '../../../problems/batches';
import { sizeOf, zerosLike, type Problem } from '../../../problems/problem';
import { createRandom } from '../../../random';

/** State of both LSTM layers for all coordinates, each [units][coordinates]. */
export interface LstmState {
  readonly cells: readonly Float32Array[];
  readonly hiddens: readonly Float32Array[];
}

/** One training of an optimizee by the optimizer: its parameters, batches and the LSTM state, between two steps. */
export class Trajectory {
  /** Values of all tensors together. */
  readonly coordinates: number;
  state: LstmState;
  readonly #parameters: Float32Array[];
  readonly #gradients: Float32Array[];
  readonly #batch: Int32Array;
  readonly #draw: DrawBatch;
  #loss: number;

  /**
   * @param seed determines start and batches, as in `train` (../../training)
   */
  constructor(
    readonly problem: Problem,
    units: number,
    seed: number,
  ) {
    this.coordinates = problem.parameters.reduce((sum, parameter) => sum + sizeOf(parameter), 0);
    const zeros = (): Float32Array[] => [0, 1].map(() => new Float32Array(units * this.coordinates));
    this.state = { cells: zeros(), hiddens: zeros() };
    this.#parameters = problem.initial(seed);
    this.#gradients = zerosLike(problem);
    this.#batch = new Int32Array(problem.sampleCount > 0 ? problem.batchSize : 0);
    this.#draw = batchSource(problem, 'replacement', createRandom(seed, 1));
    this.#loss = this.#evaluate();
  }

  /** Loss of the current parameters on the batch of the next step. */
  get loss(): number {
    return this.#loss;
  }

  /** Gradient of that loss, all tensors one after the other, copied. */
  gradient(): Float32Array {
    const flat = new Float32Array(this.coordinates);
    let offset = 0;
    for (const gradient of this.#gradients) {
      flat.set(gradient, offset);
      offset += gradient.length;
    }
    return flat;
  }

  /** Adds the update of every coordinate to the parameters and draws the batch of the next step. */
  move(update: Float32Array): void {
    let offset = 0;
    for (const parameter of this.#parameters) {
      for (let i = 0; i < parameter.length; i++) parameter[i] += update[offset + i];
      offset += parameter.length;
    }
    this.#loss = this.#evaluate();
  }

  get parameters(): readonly Float32Array[] {
    return this.#parameters;
  }

  /** Mean loss over all samples of the problem. */
  fullLoss(): number {
    return this.problem.fullLoss(this.#parameters);
  }

  #evaluate(): number {
    this.#draw(this.#batch);
    return this.problem.lossAndGradient(this.#parameters, this.#batch, this.#gradients);
  }
}
