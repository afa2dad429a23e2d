/**
 * The measuring process: one network and batch size. Started by processes.ts with the job as JSON in its argument; reports message by
 * message to its parent.
 */
import type { LayersModel, Tensor } from '@tensorflow/tfjs';
import { MODELS } from '../../examples/imagenet/models/index';
import type { ModelName } from '../../examples/imagenet/models/index';
import { createRandom } from '../../lib/random';
import { loadBackend } from '../../lib/tfjs/backend';
import type { TensorFlow } from '../../lib/tfjs/backend';
import { BASELINE, makeOptimizer } from './contestants';
import { rowOf } from './results';
import type { Row, Setting } from './results';
import { takeTurns } from './turns';
import type { Contestant } from './turns';

export interface Job extends Setting {
  readonly network: ModelName;
  readonly optimizers: readonly string[];
  readonly steps: number;
  readonly warmUp: number;
}

export type Message =
  | { readonly kind: 'progress'; readonly done: number; readonly total: number }
  | { readonly kind: 'row'; readonly row: Row }
  /** A result was wrong. */
  | { readonly kind: 'failed'; readonly text: string };

const CLASSES = 1000;

function send(message: Message): void {
  process.send!(message);
}

interface Trained extends Contestant {
  readonly model: LayersModel;
  /** Weights at the start, to see what moved. */
  readonly start: readonly Float32Array[];
}

const trainable = (model: LayersModel): Float32Array[] =>
  model.trainableWeights.map((weight) => (weight.read().dataSync() as Float32Array).slice());

/** The same images, labels and initial weights for everybody. */
function makeContestants(tf: TensorFlow, job: Job): Trained[] {
  const { network, size, batchSize, optimizers } = job;
  const random = createRandom(1);
  const pixels = Float32Array.from({ length: batchSize * size * size * 3 }, () => 2 * random.uniform() - 1);
  const x = tf.tensor4d(pixels, [batchSize, size, size, 3]);
  const classes = Int32Array.from({ length: batchSize }, () => random.integer(CLASSES));
  const y: Tensor = tf.tidy(() => tf.oneHot(tf.tensor1d(classes, 'int32'), CLASSES).toFloat());
  return [...optimizers, BASELINE].map((name) => {
    const model = MODELS[network].build(tf, { size, classes: CLASSES, head: 'logits' });
    model.compile({
      optimizer: makeOptimizer(tf, name),
      loss: (labels: Tensor, logits: Tensor) => tf.losses.softmaxCrossEntropy(labels, logits),
    });
    const step = async (): Promise<number> => (await model.trainOnBatch(x, y)) as number;
    return { name, step, model, start: trainable(model) };
  });
}

/** How many tensors have changed. @throws {Error} naming one that is not finite */
function countMoved({ name, model, start }: Trained): number {
  return trainable(model).filter((values, t) => {
    if (!values.every(Number.isFinite)) {
      throw new Error(`${name}: ${model.trainableWeights[t].originalName} is not finite after training`);
    }
    return values.some((value, i) => value !== start[t][i]);
  }).length;
}

async function run(job: Job): Promise<void> {
  const { tf } = await loadBackend('node');
  const contestants = makeContestants(tf, job);
  const { network, size, batchSize, steps, warmUp } = job;
  const where = `${network}, ${size} pixels, batch ${batchSize}`;
  let settled: number | undefined;
  const timings = await takeTurns(contestants, {
    rounds: steps,
    warmUp,
    onRound(done, total) {
      send({ kind: 'progress', done, total });
      if (done === warmUp) settled = tf.memory().numTensors;
    },
  });
  const left = tf.memory().numTensors - settled!;
  if (left !== 0) send({ kind: 'failed', text: `${where}: the timed steps left ${left} tensors behind, expected 0` });
  const peakGiB = process.resourceUsage().maxRSS / 2 ** 20;
  const adam = timings.at(-1)!;
  for (const [i, contestant] of contestants.entries()) {
    const movedTensors = countMoved(contestant);
    if (movedTensors === 0) send({ kind: 'failed', text: `${where}: ${contestant.name} has not moved any tensor` });
    if (contestant.name === BASELINE) continue;
    const { model } = contestant;
    const facts = {
      parameters: model.countParams(),
      tensors: model.trainableWeights.length,
      movedTensors,
      peakGiB,
    };
    send({ kind: 'row', row: rowOf({ network, size, batchSize }, timings[i], adam, facts) });
  }
}

await run(JSON.parse(process.argv[2]) as Job);
// The channel to the parent would keep the process alive.
process.disconnect();
