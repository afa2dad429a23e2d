import { createRandom } from '../random';
import {
  activate,
  activationGradient,
  denseForward,
  denseInputGradient,
  denseParameterGradients,
  softmaxCrossEntropy,
  type Activation,
} from './dense';
import type { ParameterShape, Problem } from './problem';
import { startWeights, type Start } from './start';

/** Samples with a class each. */
export interface ClassificationSamples {
  /** [labels.length][featureCount], row-major. */
  readonly features: Float32Array;
  readonly featureCount: number;
  /** Class of each sample. */
  readonly labels: Uint8Array;
}

export interface MlpOptions {
  readonly name: string;
  readonly samples: ClassificationSamples;
  readonly classes: number;
  /** Units of each hidden layer; none gives softmax regression. */
  readonly hidden: readonly number[];
  readonly activation: Activation;
  /** Of the weights; biases start at 0. */
  readonly start: Start;
  readonly batchSize: number;
}

const EVALUATION_ROWS = 256;

/** Arrays for one pass over at most `rows` samples. */
interface Workspace {
  readonly rows: number;
  /** Input of each layer, then the logits. */
  readonly values: Float64Array[];
  /** Gradient with respect to each of `values`. */
  readonly gradients: Float64Array[];
  readonly labels: Uint8Array;
}

/** A network of dense layers that classifies by softmax, as a {@link Problem}: mean cross entropy, exact gradient. */
export class Mlp implements Problem {
  readonly name: string;
  readonly parameters: readonly ParameterShape[];
  readonly sampleCount: number;
  readonly batchSize: number;
  readonly #options: MlpOptions;
  readonly #sizes: readonly number[];
  readonly #sums: Float64Array;
  #workspace: Workspace;

  /** @throws {RangeError} if features and labels do not fit each other, or a size is not a positive integer. */
  constructor(options: MlpOptions) {
    const { samples, classes, hidden, batchSize } = options;
    if (samples.features.length !== samples.labels.length * samples.featureCount) {
      throw new RangeError(
        `samples.features: expected ${samples.labels.length} × ${samples.featureCount} values, got ${samples.features.length}`,
      );
    }
    const badLabel = samples.labels.findIndex((label) => label >= classes);
    if (badLabel >= 0) {
      throw new RangeError(
        `samples.labels[${badLabel}]: expected less than ${classes}, got ${samples.labels[badLabel]}`,
      );
    }
    const sizes: [string, number][] = [
      ['classes', classes],
      ['batchSize', batchSize],
    ];
    hidden.forEach((units, layer) => sizes.push([`hidden[${layer}]`, units]));
    for (const [name, value] of sizes) {
      if (!Number.isInteger(value) || value < 1) {
        throw new RangeError(`${name}: expected a positive integer, got ${value}`);
      }
    }
    this.name = options.name;
    this.sampleCount = samples.labels.length;
    this.batchSize = batchSize;
    this.#options = options;
    this.#sizes = [samples.featureCount, ...hidden, classes];
    this.parameters = this.#sizes.slice(1).flatMap((outputs, layer) => [
      { name: `dense${layer}/weights`, shape: [this.#sizes[layer], outputs] },
      { name: `dense${layer}/bias`, shape: [outputs] },
    ]);
    this.#sums = new Float64Array(Math.max(...this.#sizes.slice(1).map((size, layer) => size * this.#sizes[layer])));
    this.#workspace = this.#allocate(Math.max(batchSize, Math.min(EVALUATION_ROWS, this.sampleCount)));
  }

  initial(seed: number): Float32Array[] {
    const random = createRandom(seed);
    return this.parameters.map(({ shape }) => {
      if (shape.length === 1) return new Float32Array(shape[0]);
      const [inputs, outputs] = shape;
      return startWeights(inputs, outputs, this.#options.start, random);
    });
  }

  lossAndGradient(parameters: readonly Float32Array[], batch: Int32Array, gradients: readonly Float32Array[]): number {
    const rows = batch.length;
    const workspace = this.#reserve(rows);
    this.#gather(workspace, this.#options.samples, rows, (row) => batch[row]);
    this.#forward(parameters, workspace, rows);
    const layers = this.#sizes.length - 1;
    const classes = this.#sizes[layers];
    const logits = workspace.values[layers];
    const loss = softmaxCrossEntropy(logits, workspace.labels, rows, classes, 1 / rows) / rows;
    let outputGradient = logits;
    for (let layer = layers - 1; layer >= 0; layer--) {
      const [inputs, outputs] = [this.#sizes[layer], this.#sizes[layer + 1]];
      const input = workspace.values[layer];
      const [weights, weightsGradient, biasGradient] = [
        parameters[2 * layer],
        gradients[2 * layer],
        gradients[2 * layer + 1],
      ];
      denseParameterGradients(input, outputGradient, weightsGradient, biasGradient, this.#sums, rows, inputs, outputs);
      if (layer === 0) break;
      const inputGradient = workspace.gradients[layer];
      denseInputGradient(outputGradient, weights, inputGradient, rows, inputs, outputs);
      activationGradient(input, inputGradient, this.#options.activation, rows * inputs);
      outputGradient = inputGradient;
    }
    return loss;
  }

  fullLoss(parameters: readonly Float32Array[]): number {
    let total = 0;
    this.#overSamples(parameters, this.#options.samples, (logits, labels, rows, classes) => {
      total += softmaxCrossEntropy(logits, labels, rows, classes);
    });
    return total / this.sampleCount;
  }

  /** Share of samples whose largest logit is that of their class; of the training samples unless others are given. */
  accuracy(parameters: readonly Float32Array[], samples: ClassificationSamples = this.#options.samples): number {
    let correct = 0;
    this.#overSamples(parameters, samples, (logits, labels, rows, classes) => {
      for (let r = 0; r < rows; r++) {
        const row = logits.subarray(r * classes, (r + 1) * classes);
        if (row.every((value) => value <= row[labels[r]])) correct++;
      }
    });
    return correct / samples.labels.length;
  }

  #overSamples(
    parameters: readonly Float32Array[],
    samples: ClassificationSamples,
    visit: (logits: Float64Array, labels: Uint8Array, rows: number, classes: number) => void,
  ): void {
    const layers = this.#sizes.length - 1;
    const workspace = this.#workspace;
    for (let start = 0; start < samples.labels.length; start += workspace.rows) {
      const rows = Math.min(workspace.rows, samples.labels.length - start);
      this.#gather(workspace, samples, rows, (row) => start + row);
      this.#forward(parameters, workspace, rows);
      visit(workspace.values[layers], workspace.labels, rows, this.#sizes[layers]);
    }
  }

  #gather(workspace: Workspace, samples: ClassificationSamples, rows: number, index: (row: number) => number): void {
    const size = samples.featureCount;
    const input = workspace.values[0];
    for (let row = 0; row < rows; row++) {
      const sample = index(row);
      const from = sample * size;
      const to = row * size;
      for (let i = 0; i < size; i++) input[to + i] = samples.features[from + i];
      workspace.labels[row] = samples.labels[sample];
    }
  }

  #forward(parameters: readonly Float32Array[], workspace: Workspace, rows: number): void {
    const layers = this.#sizes.length - 1;
    for (let layer = 0; layer < layers; layer++) {
      const [inputs, outputs] = [this.#sizes[layer], this.#sizes[layer + 1]];
      const output = workspace.values[layer + 1];
      denseForward(
        workspace.values[layer],
        parameters[2 * layer],
        parameters[2 * layer + 1],
        output,
        rows,
        inputs,
        outputs,
      );
      if (layer < layers - 1) activate(output, this.#options.activation, rows * outputs);
    }
  }

  #reserve(rows: number): Workspace {
    if (rows > this.#workspace.rows) this.#workspace = this.#allocate(rows);
    return this.#workspace;
  }

  #allocate(rows: number): Workspace {
    const arrays = (): Float64Array[] => this.#sizes.map((size) => new Float64Array(rows * size));
    return { rows, values: arrays(), gradients: arrays(), labels: new Uint8Array(rows) };
  }
}
