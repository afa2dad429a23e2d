import { IdxFormatError, readIdx } from './idx';

/** Grey images and a label for each. */
export interface IdxPair {
  /** [count, height, width] */
  readonly pixels: Uint8Array;
  /** [count] */
  readonly labels: Uint8Array;
  readonly count: number;
  readonly height: number;
  readonly width: number;
}

/**
 * Reads a file of images and that of their labels, as MNIST has them, compressed or not.
 * @throws {IdxFormatError} naming the file, what was expected and what it holds
 */
export async function readIdxPair(imagesPath: string, labelsPath: string): Promise<IdxPair> {
  const [images, labels] = await Promise.all([readIdx(imagesPath), readIdx(labelsPath)]);
  if (!(images.data instanceof Uint8Array) || images.shape.length !== 3 || images.data.length === 0) {
    throw new IdxFormatError(
      `${imagesPath}: ${images.data.constructor.name} of shape [${images.shape.join(', ')}], expected unsigned bytes [count, height, width]`,
    );
  }
  const [count, height, width] = images.shape;
  if (!(labels.data instanceof Uint8Array) || labels.shape.length !== 1 || labels.shape[0] !== count) {
    throw new IdxFormatError(
      `${labelsPath}: ${labels.data.constructor.name} of shape [${labels.shape.join(', ')}], expected unsigned bytes [${count}], one label for each image of ${imagesPath}`,
    );
  }
  return { pixels: images.data, labels: labels.data, count, height, width };
}
