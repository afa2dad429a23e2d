import { permutation, type Random } from '../random';

/** Grey images with a class each. Pixels stay bytes (60,000 MNIST images are 47 MB); they become floats batch by batch. */
export interface LabelledImages {
  /** [count][height][width], row-major. */
  readonly pixels: Uint8Array;
  /** [count], each below the number of classes. */
  readonly labels: Uint8Array;
  readonly count: number;
  readonly height: number;
  readonly width: number;
  /** Value of full ink; features are pixels divided by it. */
  readonly maximum: number;
}

/** A data set for training and testing. */
export interface ImageDataset {
  /** As the command line names it. */
  readonly name: string;
  /** As a reader names it. */
  readonly title: string;
  readonly classes: readonly string[];
  readonly train: LabelledImages;
  readonly test: LabelledImages;
  /** Where the images came from and how they were split, in one sentence. */
  readonly provenance: string;
}

/** Pixels of one image. */
export function featureCount(images: LabelledImages): number {
  return images.height * images.width;
}

/**
 * Features of the chosen images: pixel / maximum.
 * @param indices which images; all if absent.
 * @returns [indices.length][height·width], in [0, 1].
 */
export function features(images: LabelledImages, indices?: ArrayLike<number>): Float32Array {
  const size = featureCount(images);
  const scale = 1 / images.maximum;
  const count = indices?.length ?? images.count;
  const result = new Float32Array(count * size);
  for (let row = 0; row < count; row++) {
    const from = (indices ? indices[row] : row) * size;
    const to = row * size;
    for (let i = 0; i < size; i++) result[to + i] = images.pixels[from + i] * scale;
  }
  return result;
}

/** The chosen images, copied. */
export function select(images: LabelledImages, indices: ArrayLike<number>): LabelledImages {
  const size = featureCount(images);
  const pixels = new Uint8Array(indices.length * size);
  const labels = new Uint8Array(indices.length);
  for (let row = 0; row < indices.length; row++) {
    const index = indices[row];
    pixels.set(images.pixels.subarray(index * size, (index + 1) * size), row * size);
    labels[row] = images.labels[index];
  }
  return { ...images, pixels, labels, count: indices.length };
}

/** The images from `start` (included) to `end` (excluded), sharing storage. */
export function slice(images: LabelledImages, start: number, end: number): LabelledImages {
  const size = featureCount(images);
  return {
    ...images,
    pixels: images.pixels.subarray(start * size, end * size),
    labels: images.labels.subarray(start, end),
    count: end - start,
  };
}

/** Splits in two at random, the first part with `firstCount` images. */
export function randomSplit(
  images: LabelledImages,
  firstCount: number,
  random: Random,
): [LabelledImages, LabelledImages] {
  const order = permutation(random, images.count);
  return [select(images, order.subarray(0, firstCount)), select(images, order.subarray(firstCount))];
}
