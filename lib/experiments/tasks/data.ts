import { readdirSync } from 'node:fs';
import { loadDigits } from '../../datasets/digits';
import { slice, type LabelledImages } from '../../datasets/images';
import { loadMnist } from '../../datasets/mnist';
import type { Task, TaskData } from './task';

const MNIST_FILES = ['t10k-images-idx3-ubyte', 't10k-labels-idx1-ubyte'];

/** Images of MNIST that the tasks train on: the first of the t10k files. */
export const MNIST_COUNT = 8000;

/** Images for tasks are missing. The message says which and what to give. */
export class MissingDataError extends Error {
  override readonly name = 'MissingDataError';
}

/**
 * Loads what the tasks need. The digits are embedded; MNIST is read from a folder with the two t10k files, compressed or
 * not. Nothing is downloaded.
 * @throws {MissingDataError} if MNIST is needed and not there.
 */
export async function loadTaskData(tasks: readonly Task[], dataDir?: string): Promise<TaskData> {
  const digits = loadDigits();
  const needing = tasks.filter(({ data }) => data === 'mnist').map(({ name }) => name);
  if (needing.length === 0) return { digits };
  return { digits, mnist: await mnistImages(needing, tasks, dataDir) };
}

async function mnistImages(
  needing: readonly string[],
  tasks: readonly Task[],
  dataDir: string | undefined,
): Promise<LabelledImages> {
  const entries = dataDir === undefined ? [] : listFolder(dataDir);
  if (dataDir === undefined || !MNIST_FILES.every((file) => entries.some((e) => e === file || e === `${file}.gz`))) {
    const others = tasks.map(({ name }) => name).filter((name) => !needing.includes(name));
    throw new MissingDataError(
      `--data-dir: ${needing.join(', ')} need the MNIST files ${MNIST_FILES.join(' and ')} (.gz or not), ` +
        `${dataDir === undefined ? 'but no folder was given' : `but ${dataDir} does not hold them`}. Give the folder that does` +
        `${others.length > 0 ? `, or do without these tasks: --tasks ${others.join(',')}` : ''}`,
    );
  }
  const { train, test } = await loadMnist({ dataset: 'mnist', dataDir });
  // With only the t10k files there, their first 8,000 images are the training part; else t10k is the test part.
  const images = test.count >= MNIST_COUNT ? test : train;
  if (images.count < MNIST_COUNT) {
    throw new MissingDataError(
      `--data-dir: expected the 10,000 images of MNIST in t10k-images, got ${train.count + test.count} in ${dataDir}`,
    );
  }
  return slice(images, 0, MNIST_COUNT);
}

function listFolder(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
