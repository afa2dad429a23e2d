import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readIdxPair } from '../../../lib/datasets/idxPair';
import { LayoutError } from './source';
import type { ImageSet, ImageSource } from './source';

/** End of the name of a file of images. */
export const IDX_IMAGES = 'images-idx3-ubyte';
const IDX_LABELS = 'labels-idx1-ubyte';
/** Share of the images that trains where there is only one pair of files. */
const TRAINING_SHARE = 0.8;

const find = (folder: string, name: string): string | undefined =>
  [name, `${name}.gz`].map((file) => join(folder, file)).find((path) => existsSync(path));

/** Images [count, height, width] with labels [count], or undefined if there are none. */
async function readPair(folder: string, part: 'train' | 't10k'): Promise<ImageSet | undefined> {
  const imagesPath = find(folder, `${part}-${IDX_IMAGES}`);
  const labelsPath = find(folder, `${part}-${IDX_LABELS}`);
  if (imagesPath === undefined) return undefined;
  if (labelsPath === undefined) {
    throw new LayoutError(`${imagesPath}: expected its labels in ${join(folder, `${part}-${IDX_LABELS}`)} or .gz`);
  }
  const images = await readIdxPair(imagesPath, labelsPath);
  const pixels = new Uint8Array(new SharedArrayBuffer(images.pixels.length));
  pixels.set(images.pixels);
  return {
    store: { kind: 'pixels', pixels, height: images.height, width: images.width },
    labels: Int32Array.from(images.labels),
  };
}

/** The images from `start` (included) to `end` (excluded), in the same memory. */
function sliceSet({ store, labels }: ImageSet, start: number, end: number): ImageSet {
  if (store.kind !== 'pixels') throw new TypeError(`store: expected pixels, got ${store.kind}`);
  const size = store.height * store.width;
  return {
    store: { ...store, pixels: store.pixels.subarray(start * size, end * size) },
    labels: labels.subarray(start, end),
  };
}

/**
 * Reads grey images from idx files (MNIST, Fashion-MNIST and others of their names), `.gz` or not: train-… to train, t10k-…
 * to evaluate. With only one of the pairs there, its first four fifths train and the rest evaluates. Classes are 0 to the
 * largest label.
 * @throws {IdxFormatError} if a file is damaged; {LayoutError} if labels are missing
 */
export async function readIdxFolder(folder: string): Promise<ImageSource> {
  const sets = [await readPair(folder, 'train'), await readPair(folder, 't10k')].filter((set) => set !== undefined);
  if (sets.length === 0) {
    throw new LayoutError(`${folder}: expected train-${IDX_IMAGES} or t10k-${IDX_IMAGES}, .gz or not`);
  }
  let [train, evaluation] = sets;
  let split = 'the usual split';
  if (evaluation === undefined) {
    const count = train.labels.length;
    const border = Math.floor(count * TRAINING_SHARE);
    if (border < 1) throw new LayoutError(`${folder}: ${count} image, expected at least 2, to train and to evaluate`);
    [train, evaluation] = [sliceSet(train, 0, border), sliceSet(train, border, count)];
    split = 'the first four fifths of one pair of files train, the rest evaluates';
  }
  const largest = [train, evaluation].reduce((a, { labels }) => labels.reduce((b, label) => Math.max(b, label), a), 1);
  const count = (set: ImageSet): string => set.labels.length.toLocaleString('en');
  return {
    kind: 'idx',
    classes: Array.from({ length: largest + 1 }, (_, i) => String(i)),
    train,
    evaluation,
    provenance: `${count(train)} grey images of ${largest + 1} classes to train and ${count(evaluation)} to evaluate from idx files in ${folder} (${split})`,
  };
}
