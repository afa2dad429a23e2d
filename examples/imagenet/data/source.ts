import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { readImageFolder } from './folder';
import { IDX_IMAGES, readIdxFolder } from './idx';

/** Image files, by their paths. */
export interface FileStore {
  readonly kind: 'files';
  /** [count] */
  readonly paths: readonly string[];
}

/** Images in memory that all threads share. */
export interface PixelStore {
  readonly kind: 'pixels';
  /** [count][height][width], grey. */
  readonly pixels: Uint8Array<SharedArrayBuffer>;
  readonly height: number;
  readonly width: number;
}

/** Images with a class each. */
export interface ImageSet {
  readonly store: FileStore | PixelStore;
  /** [count], each below the number of classes. */
  readonly labels: Int32Array;
}

export interface ImageSource {
  readonly kind: 'folder' | 'idx';
  readonly classes: readonly string[];
  readonly train: ImageSet;
  /** Absent where the folder has none. */
  readonly evaluation: ImageSet | undefined;
  /** What was found, in one sentence. */
  readonly provenance: string;
}

/** The folder does not hold images in a layout that is known; the message says what was expected and found. */
export class LayoutError extends Error {
  override readonly name = 'LayoutError';
}

const EXPECTED = `expected either train/<class>/*.jpg (and val/<class>/*.jpg to evaluate), as ImageNet is laid out, or idx files such as train-${IDX_IMAGES} and train-labels-idx1-ubyte, as MNIST has them, .gz or not`;

/**
 * Finds out what a folder holds and lists its images; only idx files are read.
 * @throws {LayoutError} if it is laid out in another way; {IdxFormatError} naming an idx file that is damaged
 */
export async function openSource(folder: string): Promise<ImageSource> {
  let entries: string[];
  try {
    entries = readdirSync(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason =
      code === 'ENOENT' ? 'there is no such folder' : code === 'ENOTDIR' ? 'it is no folder' : String(code);
    throw new LayoutError(`${folder}: ${reason}; ${EXPECTED}`, { cause: error });
  }
  if (entries.some((name) => name.includes(IDX_IMAGES))) return readIdxFolder(folder);
  if (entries.includes('train') && statSync(join(folder, 'train')).isDirectory()) return readImageFolder(folder);
  const found = entries.length === 0 ? 'nothing' : entries.slice(0, 5).join(', ') + (entries.length > 5 ? ', …' : '');
  throw new LayoutError(`${folder}: found ${found}; ${EXPECTED}`);
}
