import { setImmediate as eventLoop } from 'node:timers/promises';
import type { LayersModel, Tensor } from '@tensorflow/tfjs';
import type { TensorFlow } from '../../../lib/tfjs/backend';
import type { Batch } from '../data/pool';

/** How well a network classifies images that it was not trained on. */
export interface Evaluation {
  /** Mean cross-entropy, nats. */
  readonly loss: number;
  /** Share of the images whose class is the most likely one, or among the five most likely. */
  readonly top1: number;
  readonly top5: number;
  readonly images: number;
}

/** How many classes are more likely than the right one; of equally likely ones the lower number comes first. */
export function rankOf(logits: ArrayLike<number>, start: number, classes: number, label: number): number {
  const right = logits[start + label];
  if (Number.isNaN(right)) return classes;
  let rank = 0;
  for (let c = 0; c < classes; c++) {
    const value = logits[start + c];
    if (value > right || (value === right && c < label)) rank++;
  }
  return rank;
}

/** A batch as tensors: images [count, size, size, 3] and one-hot classes [count, classes]; the caller disposes them. */
export function tensorsOf(
  tf: TensorFlow,
  { images, labels, count }: Batch,
  size: number,
  classes: number,
): { readonly x: Tensor; readonly y: Tensor } {
  return {
    x: tf.tensor4d(images, [count, size, size, 3]),
    y: tf.tidy(() => tf.oneHot(tf.tensor1d(labels, 'int32'), classes).toFloat()),
  };
}

/**
 * Evaluates a model whose outputs are logits; batch normalisation uses its running means.
 * @param batches images of the size of the model
 * @throws the signal's reason when aborted; {Error} if there are no batches
 */
export async function evaluate(
  tf: TensorFlow,
  model: LayersModel,
  batches: AsyncIterable<Batch>,
  signal?: AbortSignal,
): Promise<Evaluation> {
  const size = model.inputs[0].shape[1]!;
  const classes = model.outputs[0].shape[1]!;
  let [loss, top1, top5, images] = [0, 0, 0, 0];
  for await (const batch of batches) {
    // Prediction is synchronous: without a turn of the event loop neither batches nor Ctrl-C would come through.
    await eventLoop();
    signal?.throwIfAborted();
    const { x, y } = tensorsOf(tf, batch, size, classes);
    const [logits, mean] = tf.tidy(() => {
      const output = model.predict(x, { batchSize: batch.count }) as Tensor;
      return [output.dataSync(), tf.losses.softmaxCrossEntropy(y, output).dataSync()[0]];
    });
    tf.dispose([x, y]);
    loss += mean * batch.count;
    images += batch.count;
    batch.labels.forEach((label, i) => {
      const rank = rankOf(logits, i * classes, classes, label);
      if (rank < 1) top1++;
      if (rank < 5) top5++;
    });
  }
  if (images === 0) throw new Error('batches: expected at least one, got none');
  return { loss: loss / images, top1: top1 / images, top5: top5 / images, images };
}
