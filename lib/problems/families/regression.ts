import type { Random } from '../../random';
import type { Family } from '../family';
import type { ClassificationSamples } from '../mlp';
import type { Batch, Objective } from '../objective';
import type { ParameterShape } from '../problem';
import { gaussianClusters, type ClusterOptions } from './clusters';
import { addL2, checkSamples, L2_SCALE, scaledNormalStart } from './classifier';

/** `logistic`: one logit, two classes. `softmax`: a logit per class. */
export type Link = 'logistic' | 'softmax';

export interface RegressionData {
  readonly samples: ClassificationSamples;
  readonly classes: number;
}

/**
 * Logistic or softmax regression: mean cross entropy + 1e-3 · mean over the two tensors of their sums of squares. Analytic
 * Hessian–vector product. Start: N(0, 1)·1.2/√(first dimension of the tensor).
 *
 * The released code calls its problem softmax, gives it two logits and takes the logistic loss of the first; `logistic` is
 * that without the idle second one.
 */
export class Regression implements Objective {
  readonly name: string;
  readonly parameters: readonly ParameterShape[];
  readonly sampleCount: number;
  /** Logits per sample. */
  readonly outputs: number;
  private readonly logits: Float64Array;
  private readonly tangents: Float64Array;

  /** @throws {RangeError} if a label, the number of classes, the data or the minibatch does not fit */
  constructor(
    readonly link: Link,
    readonly data: RegressionData,
    readonly batchSize: number,
  ) {
    const { samples, classes } = data;
    if (link === 'logistic' && classes !== 2) throw new RangeError(`classes: expected 2 for a logit, got ${classes}`);
    checkSamples(samples, classes, batchSize);
    this.name = `${link}-regression-${samples.featureCount}`;
    this.sampleCount = samples.labels.length;
    this.outputs = link === 'logistic' ? 1 : classes;
    this.parameters = regressionParameters(samples.featureCount, this.outputs);
    this.logits = new Float64Array(this.outputs);
    this.tangents = new Float64Array(this.outputs);
  }

  start(random: Random): Float64Array {
    return scaledNormalStart(this.parameters, random);
  }

  value(theta: Float64Array, batch: Batch): number {
    const count = batch?.length ?? this.sampleCount;
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const sample = batch === null ? i : batch[i];
      this.linear(theta, sample, this.logits);
      sum += this.loss(sample);
    }
    return sum / count + addL2(this.parameters, L2_SCALE, theta, null, null);
  }

  gradient(theta: Float64Array, out: Float64Array, batch: Batch): number {
    const { logits } = this;
    const count = batch?.length ?? this.sampleCount;
    out.fill(0);
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const sample = batch === null ? i : batch[i];
      this.linear(theta, sample, logits);
      sum += this.loss(sample);
      this.toProbabilities();
      const label = this.data.samples.labels[sample];
      if (this.link === 'logistic') logits[0] -= label;
      else logits[label] -= 1;
      this.accumulate(sample, logits, 1 / count, out);
    }
    return sum / count + addL2(this.parameters, L2_SCALE, theta, theta, out);
  }

  /** R-operator (Pearlmutter 1994): the derivative of the gradient along v. */
  hessianVectorProduct(theta: Float64Array, v: Float64Array, out: Float64Array, batch: Batch): void {
    const { logits, tangents } = this;
    const count = batch?.length ?? this.sampleCount;
    out.fill(0);
    for (let i = 0; i < count; i++) {
      const sample = batch === null ? i : batch[i];
      this.linear(theta, sample, logits);
      this.linear(v, sample, tangents);
      this.toProbabilities();
      if (this.link === 'logistic') {
        tangents[0] *= logits[0] * (1 - logits[0]);
      } else {
        let mean = 0;
        for (let c = 0; c < logits.length; c++) mean += logits[c] * tangents[c];
        for (let c = 0; c < logits.length; c++) tangents[c] = logits[c] * (tangents[c] - mean);
      }
      this.accumulate(sample, tangents, 1 / count, out);
    }
    addL2(this.parameters, L2_SCALE, theta, v, out);
  }

  /** out = weightsᵀ·x + bias */
  private linear(theta: Float64Array, sample: number, out: Float64Array): void {
    const { features, featureCount: d } = this.data.samples;
    const C = this.outputs;
    const from = sample * d;
    for (let c = 0; c < C; c++) {
      let sum = theta[d * C + c];
      for (let k = 0, at = c; k < d; k++, at += C) sum += features[from + k] * theta[at];
      out[c] = sum;
    }
  }

  /** Cross entropy of the logits. */
  private loss(sample: number): number {
    const { logits } = this;
    const label = this.data.samples.labels[sample];
    if (this.link === 'logistic') {
      const z = label === 1 ? -logits[0] : logits[0];
      return Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z)));
    }
    let largest = -Infinity;
    for (const z of logits) largest = Math.max(largest, z);
    let sum = 0;
    for (const z of logits) sum += Math.exp(z - largest);
    return largest + Math.log(sum) - logits[label];
  }

  /** Logits → probabilities, in place. */
  private toProbabilities(): void {
    const { logits } = this;
    if (this.link === 'logistic') {
      logits[0] = 1 / (1 + Math.exp(-logits[0]));
      return;
    }
    let largest = -Infinity;
    for (const z of logits) largest = Math.max(largest, z);
    let sum = 0;
    for (let c = 0; c < logits.length; c++) {
      logits[c] = Math.exp(logits[c] - largest);
      sum += logits[c];
    }
    for (let c = 0; c < logits.length; c++) logits[c] /= sum;
  }

  /** out += scale · (x ⊗ delta, delta) */
  private accumulate(sample: number, delta: Float64Array, scale: number, out: Float64Array): void {
    const { features, featureCount: d } = this.data.samples;
    const C = this.outputs;
    for (let k = 0, at = 0, x = sample * d; k < d; k++, x++) {
      for (let c = 0; c < C; c++) out[at++] += scale * features[x] * delta[c];
    }
    for (let c = 0; c < C; c++) out[d * C + c] += scale * delta[c];
  }
}

function regressionParameters(features: number, outputs: number): readonly ParameterShape[] {
  return [
    { name: 'weights', shape: [features, outputs] },
    { name: 'bias', shape: [outputs] },
  ];
}

export interface RegressionFamilyOptions extends ClusterOptions {
  readonly link: Link;
  readonly batchSize: number;
}

/** Regressions on Gaussian clusters, new ones for every instance. */
export function regressionFamily(options: RegressionFamilyOptions): Family {
  const { link, classes, features, batchSize } = options;
  return {
    name: `${link}-regression-${features}`,
    parameters: regressionParameters(features, link === 'logistic' ? 1 : classes),
    sample: (random) => new Regression(link, { samples: gaussianClusters(options, random), classes }, batchSize),
  };
}
