import { loadDigits } from '../../datasets/digits';
import { slice, type LabelledImages } from '../../datasets/images';
import { loadMnist, type MnistOptions } from '../../datasets/mnist';
import type { Task, TaskData } from './task';

/** Images of MNIST that the tasks train on: the first of the t10k files. */
export const MNIST_COUNT = 8000;

export type TaskDataOptions = Omit<MnistOptions, 'dataset'>;

/** Images for tasks are missing. The message says which and what to give. */
export class MissingDataError extends Error {
  override readonly name = 'MissingDataError';
}

/**
 * Loads what the tasks need. The digits are embedded; MNIST is read from a folder with its idx files (those of t10k are
 * enough), compressed or not, or downloaded where they are not there.
 * @throws {MissingDataError} if MNIST is needed, not there and not to be had; the signal's reason when aborted
 */
export async function loadTaskData(tasks: readonly Task[], options: TaskDataOptions = {}): Promise<TaskData> {
  const digits = loadDigits();
  if (!tasks.some(({ data }) => data === 'mnist')) return { digits };
  return { digits, mnist: await mnistImages(tasks, options) };
}

async function mnistImages(tasks: readonly Task[], options: TaskDataOptions): Promise<LabelledImages> {
  const { train, test } = await loadMnist({ ...options, dataset: 'mnist' }).catch((error: Error) => {
    if (options.signal?.aborted) throw error;
    const named = (data: Task['data']): string =>
      tasks
        .filter((task) => task.data === data)
        .map(({ name }) => name)
        .join(',');
    const others = named('digits') ? `, or do without these tasks: --tasks ${named('digits')}` : '';
    throw new MissingDataError(
      `--data-dir: ${named('mnist')} need the 10,000 images of MNIST's t10k files: give a folder with them${others}. ${error.message}`,
      { cause: error },
    );
  });
  // With only the t10k files there, their first 8,000 images are the training part; else t10k is the test part.
  const images = test.count >= MNIST_COUNT ? test : train;
  if (images.count < MNIST_COUNT) {
    throw new MissingDataError(
      `--data-dir: expected the 10,000 images of MNIST in t10k-images, got ${train.count + test.count}`,
    );
  }
  return slice(images, 0, MNIST_COUNT);
}
