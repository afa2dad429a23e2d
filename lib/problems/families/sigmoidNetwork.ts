import type { Random } from '../../random';
import { checkPositiveInteger } from '../checks';
import { softmaxCrossEntropy } from '../dense';
import type { Family } from '../family';
import { addProduct, addProductTransposed, addTransposedProduct } from '../matrix';
import type { ClassificationSamples } from '../mlp';
import { tensorsOf, type Batch, type Objective } from '../objective';
import type { ParameterShape } from '../problem';
import { randomReluLabels } from './reluLabels';
import { addL2, checkSamples, L2_SCALE, scaledNormalStart } from './classifier';

const CLASSES = 2;

/** Arrays [rows][units] per layer, the input first. */
interface Pass {
  readonly rows: number;
  readonly labels: Uint8Array;
  /** Input, activations of the hidden layers, logits. */
  readonly values: Float64Array[];
  /** ∂f/∂(pre-activations). */
  readonly deltas: Float64Array[];
  /** Derivatives of both along v. */
  readonly valueTangents: Float64Array[];
  readonly deltaTangents: Float64Array[];
}

/**
 * Small classifier with sigmoid hidden layers and two classes: mean softmax cross entropy + 1e-3 · mean over the tensors of
 * their sums of squares. Hessian–vector product by the R-operator (Pearlmutter 1994). Start: N(0, 1)·1.2/√(first dimension
 * of the tensor).
 */
export class SigmoidNetwork implements Objective {
  readonly name: string;
  readonly parameters: readonly ParameterShape[];
  readonly sampleCount: number;
  private readonly sizes: readonly number[];
  /** One for the minibatches, one for all samples. */
  private readonly passes = new Map<number, Pass>();

  /** @throws {RangeError} if a label, the data, a layer or the minibatch does not fit */
  constructor(
    readonly samples: ClassificationSamples,
    hidden: readonly number[],
    readonly batchSize: number,
  ) {
    checkSamples(samples, CLASSES, batchSize);
    hidden.forEach((units, layer) => checkPositiveInteger(`hidden[${layer}]`, units));
    this.name = networkName(samples.featureCount, hidden, batchSize);
    this.parameters = networkParameters(samples.featureCount, hidden);
    this.sampleCount = samples.labels.length;
    this.sizes = [samples.featureCount, ...hidden, CLASSES];
  }

  start(random: Random): Float64Array {
    return scaledNormalStart(this.parameters, random);
  }

  value(theta: Float64Array, batch: Batch): number {
    const pass = this.forward(theta, batch);
    const loss = softmaxCrossEntropy(pass.values.at(-1)!, pass.labels, pass.rows, CLASSES) / pass.rows;
    return loss + addL2(this.parameters, L2_SCALE, theta, null, null);
  }

  gradient(theta: Float64Array, out: Float64Array, batch: Batch): number {
    const pass = this.forward(theta, batch);
    const loss = this.backward(theta, pass);
    const gradients = tensorsOf(this, out);
    out.fill(0);
    this.sizes.slice(1).forEach((units, layer) => {
      addTransposedProduct(
        pass.values[layer],
        pass.deltas[layer + 1],
        gradients[2 * layer],
        pass.rows,
        this.sizes[layer],
        units,
      );
      addRows(pass.deltas[layer + 1], gradients[2 * layer + 1], pass.rows);
    });
    return loss + addL2(this.parameters, L2_SCALE, theta, theta, out);
  }

  hessianVectorProduct(theta: Float64Array, v: Float64Array, out: Float64Array, batch: Batch): void {
    const { sizes } = this;
    const pass = this.forward(theta, batch);
    this.forwardTangents(theta, v, pass);
    this.backward(theta, pass);
    this.backwardTangents(theta, v, pass);
    const products = tensorsOf(this, out);
    out.fill(0);
    for (let layer = 0; layer + 1 < sizes.length; layer++) {
      const [rows, inputs, units] = [pass.rows, sizes[layer], sizes[layer + 1]];
      const weights = products[2 * layer];
      addTransposedProduct(pass.valueTangents[layer], pass.deltas[layer + 1], weights, rows, inputs, units);
      addTransposedProduct(pass.values[layer], pass.deltaTangents[layer + 1], weights, rows, inputs, units);
      addRows(pass.deltaTangents[layer + 1], products[2 * layer + 1], rows);
    }
    addL2(this.parameters, L2_SCALE, theta, v, out);
  }

  private forward(theta: Float64Array, batch: Batch): Pass {
    const { samples, sizes } = this;
    const rows = batch?.length ?? this.sampleCount;
    const pass = this.passes.get(rows) ?? this.allocate(rows);
    this.passes.set(rows, pass);
    const d = samples.featureCount;
    for (let r = 0; r < rows; r++) {
      const sample = batch === null ? r : batch[r];
      pass.labels[r] = samples.labels[sample];
      for (let i = 0; i < d; i++) pass.values[0][r * d + i] = samples.features[sample * d + i];
    }
    const tensors = tensorsOf(this, theta);
    for (let layer = 0; layer + 1 < sizes.length; layer++) {
      const units = sizes[layer + 1];
      const output = pass.values[layer + 1];
      setRows(tensors[2 * layer + 1], output, rows);
      addProduct(pass.values[layer], tensors[2 * layer], output, rows, sizes[layer], units);
      if (layer + 2 === sizes.length) break;
      for (let i = 0; i < output.length; i++) output[i] = 1 / (1 + Math.exp(-output[i]));
    }
    return pass;
  }

  private forwardTangents(theta: Float64Array, v: Float64Array, pass: Pass): void {
    const { sizes } = this;
    const [tensors, directions] = [tensorsOf(this, theta), tensorsOf(this, v)];
    for (let layer = 0; layer + 1 < sizes.length; layer++) {
      const [inputs, units] = [sizes[layer], sizes[layer + 1]];
      const [output, tangent] = [pass.values[layer + 1], pass.valueTangents[layer + 1]];
      setRows(directions[2 * layer + 1], tangent, pass.rows);
      addProduct(pass.values[layer], directions[2 * layer], tangent, pass.rows, inputs, units);
      addProduct(pass.valueTangents[layer], tensors[2 * layer], tangent, pass.rows, inputs, units);
      if (layer + 2 === sizes.length) break;
      for (let i = 0; i < tangent.length; i++) tangent[i] *= output[i] * (1 - output[i]);
    }
  }

  /** Fills `deltas`; returns the mean cross entropy. */
  private backward(theta: Float64Array, pass: Pass): number {
    const { sizes } = this;
    const tensors = tensorsOf(this, theta);
    const last = sizes.length - 1;
    pass.deltas[last].set(pass.values[last]);
    const loss = softmaxCrossEntropy(pass.deltas[last], pass.labels, pass.rows, CLASSES, 1 / pass.rows) / pass.rows;
    for (let layer = last - 1; layer > 0; layer--) {
      const [delta, h] = [pass.deltas[layer], pass.values[layer]];
      delta.fill(0);
      addProductTransposed(
        pass.deltas[layer + 1],
        tensors[2 * layer],
        delta,
        pass.rows,
        sizes[layer + 1],
        sizes[layer],
      );
      for (let i = 0; i < delta.length; i++) delta[i] *= h[i] * (1 - h[i]);
    }
    return loss;
  }

  /** The derivative of `backward` along v; after it. */
  private backwardTangents(theta: Float64Array, v: Float64Array, pass: Pass): void {
    const { sizes } = this;
    const [tensors, directions] = [tensorsOf(this, theta), tensorsOf(this, v)];
    const last = sizes.length - 1;
    for (let r = 0; r < pass.rows; r++) {
      // deltas = (probabilities − labels) / rows
      const probability = (c: number): number =>
        pass.rows * pass.deltas[last][r * CLASSES + c] + (pass.labels[r] === c ? 1 : 0);
      let mean = 0;
      for (let c = 0; c < CLASSES; c++) mean += probability(c) * pass.valueTangents[last][r * CLASSES + c];
      for (let c = 0; c < CLASSES; c++) {
        const change = pass.valueTangents[last][r * CLASSES + c] - mean;
        pass.deltaTangents[last][r * CLASSES + c] = (probability(c) * change) / pass.rows;
      }
    }
    for (let layer = last - 1; layer > 0; layer--) {
      const [rows, units, inputs] = [pass.rows, sizes[layer + 1], sizes[layer]];
      const [tangent, h] = [pass.deltaTangents[layer], pass.values[layer]];
      tangent.fill(0);
      addProductTransposed(pass.deltaTangents[layer + 1], tensors[2 * layer], tangent, rows, units, inputs);
      addProductTransposed(pass.deltas[layer + 1], directions[2 * layer], tangent, rows, units, inputs);
      for (let i = 0; i < tangent.length; i++) {
        const slope = h[i] * (1 - h[i]);
        // Derivative of h(1 − h), for the delta before that factor; 0 where the unit is saturated.
        const back = slope === 0 ? 0 : pass.deltas[layer][i] / slope;
        tangent[i] = tangent[i] * slope + back * (1 - 2 * h[i]) * pass.valueTangents[layer][i];
      }
    }
  }

  private allocate(rows: number): Pass {
    const arrays = (): Float64Array[] => this.sizes.map((units) => new Float64Array(rows * units));
    return {
      rows,
      labels: new Uint8Array(rows),
      values: arrays(),
      deltas: arrays(),
      valueTangents: arrays(),
      deltaTangents: arrays(),
    };
  }
}

/** Every row of `out` = row */
function setRows(row: Float64Array, out: Float64Array, rows: number): void {
  for (let r = 0; r < rows; r++) out.set(row, r * row.length);
}

/** out += sum of the rows */
function addRows(values: Float64Array, out: Float64Array, rows: number): void {
  const n = out.length;
  for (let r = 0; r < rows; r++) {
    for (let i = 0; i < n; i++) out[i] += values[r * n + i];
  }
}

function networkParameters(features: number, hidden: readonly number[]): readonly ParameterShape[] {
  const sizes = [features, ...hidden, CLASSES];
  return sizes.slice(1).flatMap((units, layer) => [
    { name: `dense${layer}/weights`, shape: [sizes[layer], units] },
    { name: `dense${layer}/bias`, shape: [units] },
  ]);
}

function networkName(features: number, hidden: readonly number[], batchSize: number): string {
  return `sigmoid-network-${[features, ...hidden].join('-')}-batch-${batchSize}`;
}

/** Networks on 1000 normal samples that a random ReLU network has labelled. */
export function sigmoidNetworkFamily(features: number, hidden: readonly number[], batchSize: number): Family {
  return {
    name: networkName(features, hidden, batchSize),
    parameters: networkParameters(features, hidden),
    sample: (random) => new SigmoidNetwork(randomReluLabels(features, 1000, random), hidden, batchSize),
  };
}
