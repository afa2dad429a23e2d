import { loadDigitsDataset } from '../../datasets/digits';
import { slice, type LabelledImages } from '../../datasets/images';
import { loadMnist } from '../../datasets/mnist';
import { MissingDataError, MNIST_COUNT } from '../tasks/data';
import type { ExperimentContext } from './experiment';

/** Test images of the t10k files: those behind the training images. */
const MNIST_TEST_COUNT = 2000;

/** Images of handwritten digits, some of which are held out. */
export interface HeldOutImages {
  readonly kind: 'mnist' | 'digits';
  readonly train: LabelledImages;
  readonly test: LabelledImages;
  /** Where they came from and how they were split. */
  readonly provenance: string;
  /** What a reader should know of them. */
  readonly note: string;
}

/**
 * MNIST where there is a folder with it, the embedded digits where there is none.
 * @throws {MissingDataError} if the folder does not hold the images of t10k; the signal's reason when aborted
 */
export async function heldOutImages({
  dataDir,
  signal,
}: Pick<ExperimentContext, 'dataDir' | 'signal'>): Promise<HeldOutImages> {
  return dataDir === undefined ? digitsImages() : mnistImages(dataDir, signal);
}

/** The first 8,000 images of t10k train, its last 2,000 test. */
async function mnistImages(dataDir: string, signal?: AbortSignal): Promise<HeldOutImages> {
  const { train, test } = await loadMnist({ dataset: 'mnist', dataDir, signal });
  // With only the t10k files there, its images come split already; else t10k is the test part.
  const end = MNIST_COUNT + MNIST_TEST_COUNT;
  const parts =
    test.count >= end ? { train: slice(test, 0, MNIST_COUNT), test: slice(test, MNIST_COUNT, end) } : { train, test };
  if (parts.train.count !== MNIST_COUNT) {
    throw new MissingDataError(
      `--data-dir: expected the 10,000 images of MNIST in t10k-images, got ${train.count + test.count}`,
    );
  }
  return {
    kind: 'mnist',
    ...parts,
    provenance: 'MNIST, t10k files: the first 8,000 images train, the last 2,000 test',
    note: 'The training images are 8,000 of MNIST’s test files: accuracies do not compare with published ones.',
  };
}

function digitsImages(): HeldOutImages {
  const { train, test, provenance } = loadDigitsDataset();
  return {
    kind: 'digits',
    train,
    test,
    provenance: `not MNIST (no --data-dir): ${provenance}`,
    note: 'These are the 8×8 digits that ship with the package, not MNIST: give a folder with its t10k files with --data-dir.',
  };
}
