import { features, featureCount, slice, type ImageDataset, type LabelledImages } from '../datasets/images';
import { startWeights } from '../problems/start';
import { createRandom, permutation, type Random } from '../random';
import type { Backend, TensorFlow } from '../tfjs/backend';
import { learnedOptimizer } from '../tfjs/index';
import type { OptimizerOptions } from '../optimizer/options';
import { weightsName } from './weightsName';
import { finalLoss, isEvaluationStep, type LossPoint } from './training';

export interface DemoOptions {
  readonly dataset: ImageDataset;
  readonly backend: Backend;
  readonly steps: number;
  /** Determines the start of the network and the batches, the same for all optimizers. */
  readonly seed: number;
  /** Options of the learned optimizer. */
  readonly optimizer: OptimizerOptions;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: DemoProgress) => void;
}

export interface DemoProgress {
  readonly optimizer: string;
  readonly step: number;
  readonly steps: number;
  /** Latest training loss. */
  readonly loss: number;
}

/** How one optimizer trained the network. */
export interface DemoRun {
  readonly optimizer: string;
  /** Its settings, for a reader. */
  readonly setting: string;
  readonly losses: readonly LossPoint[];
  readonly finalLoss: number;
  /** Share of test images classified correctly after the last step. */
  readonly testAccuracy: number;
  /** Training steps a second, without the evaluations. */
  readonly stepsPerSecond: number;
  /** Seconds of the whole run, with the evaluations. */
  readonly seconds: number;
}

export interface DemoResult {
  readonly dataset: string;
  readonly title: string;
  readonly provenance: string;
  /** Units of each layer, input first. */
  readonly network: readonly number[];
  readonly parameters: number;
  readonly backend: string;
  readonly steps: number;
  readonly evaluateEvery: number;
  readonly batchSize: number;
  readonly seed: number;
  /** Training images on which the loss is measured. */
  readonly evaluationImages: number;
  /** The learned optimizer first. */
  readonly runs: readonly DemoRun[];
}

export const BATCH_SIZE = 64;
const HIDDEN_UNITS = 32;
const WARM_UP_STEPS = 20;
/** Evaluations per run; the curve has one point more. */
const EVALUATIONS = 60;
/** The loss of larger training sets is measured on their first images only. */
const MAX_EVALUATION_IMAGES = 10_000;

/** An optimizer of the comparison; made anew for every model. */
interface Contender {
  readonly name: string;
  readonly setting: string;
  make(): InstanceType<TensorFlow['Optimizer']>;
}

/** Adam, RMSProp and momentum at the rates that tutorials and libraries start with. */
function contenders(tf: TensorFlow, optimizer: OptimizerOptions): Contender[] {
  return [
    {
      name: 'learned optimizer',
      setting: `weights ${weightsName(optimizer)}, nothing tuned`,
      make: () => learnedOptimizer(optimizer),
    },
    { name: 'Adam', setting: 'rate 0.001, β₁ 0.9, β₂ 0.999', make: () => tf.train.adam(0.001, 0.9, 0.999) },
    { name: 'RMSProp', setting: 'rate 0.001, decay 0.9', make: () => tf.train.rmsprop(0.001, 0.9) },
    { name: 'SGD with momentum', setting: 'rate 0.01, momentum 0.9', make: () => tf.train.momentum(0.01, 0.9) },
  ];
}

/** Batches without replacement: the training set is shuffled anew every time it has been used up. */
function* batches(count: number, random: Random): Generator<Int32Array, never> {
  const size = Math.min(BATCH_SIZE, count);
  for (;;) {
    const order = permutation(random, count);
    for (let start = 0; start + size <= count; start += size) yield order.subarray(start, start + size);
  }
}

function oneHot(labels: ArrayLike<number>, indices: ArrayLike<number> | undefined, classes: number): Float32Array {
  const count = indices?.length ?? labels.length;
  const result = new Float32Array(count * classes);
  for (let row = 0; row < count; row++) result[row * classes + labels[indices ? indices[row] : row]] = 1;
  return result;
}

/** Trains the network of the demonstration with one optimizer after the other. */
class Demo {
  readonly network: readonly number[];
  readonly evaluationImages: LabelledImages;
  readonly evaluateEvery: number;
  readonly #tf: TensorFlow;
  readonly #options: DemoOptions;

  constructor(options: DemoOptions) {
    const { train } = options.dataset;
    this.#tf = options.backend.tf;
    this.#options = options;
    this.network = [featureCount(train), HIDDEN_UNITS, options.dataset.classes.length];
    this.evaluationImages = slice(train, 0, Math.min(train.count, MAX_EVALUATION_IMAGES));
    this.evaluateEvery = Math.max(1, Math.round(options.steps / EVALUATIONS));
  }

  /** A fresh network whose weights depend on the seed alone. */
  #model() {
    const tf = this.#tf;
    const [inputs, hidden, classes] = this.network;
    const model = tf.sequential({
      layers: [
        tf.layers.dense({ inputShape: [inputs], units: hidden, activation: 'relu' }),
        tf.layers.dense({ units: classes }),
      ],
    });
    const random = createRandom(this.#options.seed);
    const weights = [inputs, hidden].flatMap((size, layer) => {
      const outputs = this.network[layer + 1];
      return [tf.tensor2d(startWeights(size, outputs, 'he', random), [size, outputs]), tf.zeros([outputs])];
    });
    model.setWeights(weights);
    tf.dispose(weights);
    return model;
  }

  async run(contender: Contender, steps: number): Promise<DemoRun> {
    const tf = this.#tf;
    const { dataset, signal, onProgress } = this.#options;
    const [inputs, , classes] = this.network;
    const started = performance.now();
    const optimizer = contender.make();
    const model = this.#model();
    model.compile({ optimizer, loss: (labels, logits) => tf.losses.softmaxCrossEntropy(labels, logits) });

    const tensorsOf = (images: LabelledImages, indices?: Int32Array) => {
      const count = indices?.length ?? images.count;
      return [
        tf.tensor2d(features(images, indices), [count, inputs]),
        tf.tensor2d(oneHot(images.labels, indices, classes), [count, classes]),
      ] as const;
    };
    const [trainX, trainY] = tensorsOf(this.evaluationImages);
    const [testX, testY] = tensorsOf(dataset.test);
    const losses: LossPoint[] = [];
    const evaluate = (step: number): void => {
      const loss = tf.tidy(
        () => tf.losses.softmaxCrossEntropy(trainY, model.apply(trainX) as typeof trainX).dataSync()[0],
      );
      losses.push({ step, loss });
      onProgress?.({ optimizer: contender.name, step, steps, loss });
    };

    let trainingSeconds = 0;
    try {
      evaluate(0);
      let since = performance.now();
      const source = batches(dataset.train.count, createRandom(this.#options.seed, 1));
      for (let step = 1; step <= steps; step++) {
        const [x, y] = tensorsOf(dataset.train, source.next().value);
        await model.trainOnBatch(x, y);
        tf.dispose([x, y]);
        if (isEvaluationStep(step, { steps, evaluateEvery: this.evaluateEvery })) {
          trainingSeconds += (performance.now() - since) / 1000;
          evaluate(step);
          await new Promise((resolve) => setImmediate(resolve));
          signal?.throwIfAborted();
          since = performance.now();
        }
      }
      const testAccuracy = tf.tidy(() => {
        const predicted = (model.apply(testX) as typeof testX).argMax(1);
        return predicted.equal(testY.argMax(1)).cast('float32').mean().dataSync()[0];
      });
      return {
        optimizer: contender.name,
        setting: contender.setting,
        losses,
        finalLoss: finalLoss(losses),
        testAccuracy,
        stepsPerSecond: steps / trainingSeconds,
        seconds: (performance.now() - started) / 1000,
      };
    } finally {
      tf.dispose([trainX, trainY, testX, testY]);
      model.dispose();
      optimizer.dispose();
    }
  }

  async all(): Promise<DemoResult> {
    const { dataset, backend, steps, seed, optimizer } = this.#options;
    const list = contenders(this.#tf, optimizer);
    // Kernels and their compilation warm up on runs that do not count, so that the first optimizer is not slowed by them.
    const silent = new Demo({ ...this.#options, onProgress: undefined });
    for (const contender of list) await silent.run(contender, Math.min(WARM_UP_STEPS, steps));
    const runs: DemoRun[] = [];
    for (const contender of list) runs.push(await this.run(contender, steps));
    return {
      dataset: dataset.name,
      title: dataset.title,
      provenance: dataset.provenance,
      network: this.network,
      parameters: this.network.slice(1).reduce((sum, units, layer) => sum + units * (this.network[layer] + 1), 0),
      backend: backend.name,
      steps,
      evaluateEvery: this.evaluateEvery,
      batchSize: Math.min(BATCH_SIZE, dataset.train.count),
      seed,
      evaluationImages: this.evaluationImages.count,
      runs,
    };
  }
}

/**
 * Trains a network of dense layers (one hidden layer of 32 relu units, He start) on a data set with the learned optimizer
 * and, from the same start on the same batches, with Adam, RMSProp and SGD with momentum at their usual settings.
 * @throws the signal's reason when aborted.
 */
export async function runDemo(options: DemoOptions): Promise<DemoResult> {
  return new Demo(options).all();
}
