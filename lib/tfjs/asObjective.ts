import * as tf from '@tensorflow/tfjs-core';
import { centralHessianVectorProduct, SINGLE_EPSILON } from '../problems/differences';
import { defineObjective, dimensionOf, tensorsOf, type Batch, type Objective } from '../problems/objective';
import type { ParameterShape } from '../problems/problem';
import { assignAndDispose } from './access';

/** The loss of the samples of a batch; null: of all samples, or of a loss without data. */
export type TensorLoss = (parameters: readonly tf.Tensor[], batch: tf.Tensor1D | null) => tf.Tensor;

export interface LossObjectiveOptions {
  /** Default: loss. */
  readonly name?: string;
  /** Tensors that the loss is a function of. */
  readonly parameters: readonly ParameterShape[];
  /** Called inside `tf.tidy`; a tensor of any shape, whose mean counts. */
  readonly loss: TensorLoss;
  /** Default 0: no data. */
  readonly sampleCount?: number;
  /** Default: all samples. */
  readonly batchSize?: number;
  /** As of `Objective`; default: standard normal. */
  readonly start?: Objective['start'];
}

/**
 * A problem for meta-training from a loss function of TensorFlow.js. Value and gradient by automatic differentiation in
 * single precision, on the current backend; Hessian–vector products by central differences of that gradient, about three
 * digits. All tensors made on the way are disposed of.
 * @throws {RangeError} if a shape, `sampleCount` or `batchSize` is not possible
 */
export function objectiveFromLoss(options: LossObjectiveOptions): Objective {
  const { parameters, loss } = options;
  const withVariables = (theta: Float64Array, run: (variables: tf.Variable[]) => number): number => {
    const variables = tensorsOf({ parameters }, theta).map((values, i) => {
      const tensor = tf.tensor(Float32Array.from(values), [...parameters[i].shape], 'float32');
      const variable = tf.variable(tensor);
      tensor.dispose();
      return variable;
    });
    try {
      return run(variables);
    } finally {
      tf.dispose(variables);
    }
  };
  const evaluate = (variables: tf.Variable[], batch: Batch): tf.Scalar =>
    tf.mean(loss(variables, batch === null ? null : tf.tensor1d(batch, 'int32')));
  return singlePrecision({
    ...options,
    name: options.name ?? 'loss',
    value: (theta, batch) =>
      withVariables(theta, (variables) => tf.tidy(() => evaluate(variables, batch).dataSync()[0])),
    gradient: (theta, out, batch) =>
      withVariables(theta, (variables) => readGradients(parameters, variables, out, () => evaluate(variables, batch))),
  });
}

/** What is used of a `tf.LayersModel`. */
export interface TrainableModel {
  readonly name: string;
  readonly trainableWeights: readonly { readonly name: string; read(): tf.Tensor }[];
  apply(inputs: tf.Tensor, options?: { training?: boolean }): unknown;
  /** Penalties of the layers' regularizers. */
  calculateLosses?(): tf.Scalar[];
}

export interface ModelObjectiveOptions {
  /** Default: the model's. */
  readonly name?: string;
  /** Samples along the first dimension. Belongs to the caller, and must live as long as the problem. */
  readonly x: tf.Tensor;
  /** Targets of the samples, along the first dimension. */
  readonly y: tf.Tensor;
  /** `tf.losses.meanSquaredError`, `tf.losses.softmaxCrossEntropy` or such; the mean of what it returns counts. */
  readonly loss: (y: tf.Tensor, prediction: tf.Tensor) => tf.Tensor;
  /** Default 32. */
  readonly batchSize?: number;
  /** As of `Objective`; default: the weights that the model has now. */
  readonly start?: Objective['start'];
  /** Whether layers behave as in training (dropout, batch normalisation). Default true, as in `model.fit`. */
  readonly training?: boolean;
  /** Samples in one pass over all of them. Default 1024. */
  readonly evaluationBatch?: number;
}

/**
 * A problem for meta-training from a `tf.LayersModel` with one input and one output, with its data and loss (penalties of
 * regularizers included). Its parameters are the model's trainable weights, which hold the θ of the last evaluation.
 * Value, gradient and Hessian–vector product as in {@link objectiveFromLoss}; dropout makes them random.
 * @throws {RangeError} if x and y have different numbers of samples, or `batchSize` or `evaluationBatch` is not possible
 */
export function objectiveFromModel(model: TrainableModel, options: ModelObjectiveOptions): Objective {
  const { x, y, loss, batchSize = 32, training = true, evaluationBatch = 1024 } = options;
  const sampleCount = x.shape[0] ?? 0;
  if (y.shape[0] !== sampleCount) {
    throw new RangeError(`y: expected ${sampleCount} samples, as many as x, got ${y.shape[0]}`);
  }
  if (!Number.isInteger(evaluationBatch) || evaluationBatch < 1) {
    throw new RangeError(`evaluationBatch: expected a positive integer, got ${evaluationBatch}`);
  }
  const variables = model.trainableWeights.map((weight) => weight.read() as tf.Variable);
  const parameters = model.trainableWeights.map(({ name }, i) => ({ name, shape: [...variables[i].shape] }));
  const initial = new Float64Array(dimensionOf({ parameters }));
  tensorsOf({ parameters }, initial).forEach((values, i) => values.set(variables[i].dataSync()));
  const assign = (theta: Float64Array): void =>
    tensorsOf({ parameters }, theta).forEach((values, i) =>
      assignAndDispose(variables[i], tf.tensor(Float32Array.from(values), variables[i].shape, 'float32')),
    );
  const evaluate = (inputs: tf.Tensor, targets: tf.Tensor): tf.Scalar => {
    const prediction = model.apply(inputs, { training }) as tf.Tensor;
    const penalties = model.calculateLosses?.() ?? [];
    return penalties.reduce<tf.Scalar>((sum, penalty) => tf.add(sum, penalty), tf.mean(loss(targets, prediction)));
  };
  /** Sum over passes of (share of the samples)·(what `run` gives). */
  const overSamples = (batch: Batch, run: (loss: () => tf.Scalar, share: number) => number): number => {
    if (batch !== null) {
      return tf.tidy(() => {
        const indices = tf.tensor1d(batch, 'int32');
        return run(() => evaluate(tf.gather(x, indices), tf.gather(y, indices)), 1);
      });
    }
    let sum = 0;
    for (let from = 0; from < sampleCount; from += evaluationBatch) {
      const count = Math.min(evaluationBatch, sampleCount - from);
      const share = count / sampleCount;
      sum += share * tf.tidy(() => run(() => evaluate(tf.slice(x, from, count), tf.slice(y, from, count)), share));
    }
    return sum;
  };
  return singlePrecision({
    name: options.name ?? model.name,
    parameters,
    sampleCount,
    batchSize: Math.min(batchSize, sampleCount),
    start: options.start ?? (() => initial.slice()),
    value(theta, batch) {
      assign(theta);
      return overSamples(batch, (run) => run().dataSync()[0]);
    },
    gradient(theta, out, batch) {
      assign(theta);
      out.fill(0);
      const part = new Float64Array(out.length);
      return overSamples(batch, (run, share) => {
        const value = readGradients(parameters, variables, part, run);
        for (let i = 0; i < out.length; i++) out[i] += share * part[i];
        return value;
      });
    },
  });
}

type WithoutProduct = Omit<Parameters<typeof defineObjective>[0], 'hessianVectorProduct'>;

/** With differences wide enough for gradients of single precision. */
function singlePrecision(definition: WithoutProduct): Objective {
  return defineObjective({
    ...definition,
    hessianVectorProduct: centralHessianVectorProduct(definition.gradient, dimensionOf(definition), SINGLE_EPSILON),
  });
}

/** Gradients of the loss into `out`, zero for a variable that it does not depend on; returns the loss. */
function readGradients(
  parameters: readonly ParameterShape[],
  variables: tf.Variable[],
  out: Float64Array,
  loss: () => tf.Scalar,
): number {
  return tf.tidy(() => {
    const { value, grads } = tf.variableGrads(loss, variables);
    tensorsOf({ parameters }, out).forEach((tensor, i) => {
      const gradient = grads[variables[i].name] as tf.Tensor | undefined;
      if (gradient === undefined) tensor.fill(0);
      else tensor.set(gradient.dataSync());
    });
    return value.dataSync()[0];
  });
}
