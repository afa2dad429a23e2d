/** A thread that decodes, cuts and scales whole batches; `pool.ts` starts it. */
import { readFileSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { createRandom } from '../../../lib/random';
import { centreCrop, trainingCut } from './augment';
import type { Augmentation, Cut } from './augment';
import { decodeImage, ImageError } from './decode';
import type { Pixels } from './decode';
import { cropAndResize } from './resize';
import type { PixelStore } from './source';

export interface WorkerOptions {
  /** Images in memory; requests for files come with their paths, since lists of a million would be copied to each thread. */
  readonly stores: readonly (PixelStore | undefined)[];
  /** Height and width of the images made, pixels. */
  readonly size: number;
  readonly augmentation: Augmentation;
  /** Share of the shorter side that is evaluated. */
  readonly centreShare: number;
  /** Leave out images that cannot be decoded instead of failing. */
  readonly skipDamaged: boolean;
}

export interface WorkerRequest {
  /** Paths of the files, or indices into the store. */
  readonly images: readonly string[] | Int32Array;
  /** Index of the store. */
  readonly store: number;
  /** Of the random cuts; undefined to cut out the centre. */
  readonly seeds: Int32Array | undefined;
}

export type WorkerReply =
  | {
      /** [kept][size][size][3] in [−1, 1]. */
      readonly images: Float32Array<ArrayBuffer>;
      /** Positions in the batch of the images that are there. */
      readonly kept: Int32Array;
      /** Why the others are not. */
      readonly skipped: readonly string[];
    }
  | { readonly error: string };

const options = workerData as WorkerOptions;

function readFile(path: string): Pixels {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw new ImageError(`${path}: cannot be read (${(error as NodeJS.ErrnoException).code})`, { cause: error });
  }
  return decodeImage(bytes, path);
}

function load(image: string | number, store: PixelStore | undefined): Pixels {
  if (typeof image === 'string') return readFile(image);
  const { height, width, pixels } = store!;
  const size = height * width;
  return { height, width, channels: 1, data: pixels.subarray(image * size, (image + 1) * size) };
}

function cutOf({ width, height }: Pixels, seed: number | undefined): Cut {
  if (seed === undefined) return { rectangle: centreCrop(width, height, options.centreShare), flip: false };
  return trainingCut(options.augmentation, createRandom(seed), width, height);
}

function makeBatch({ store, images, seeds }: WorkerRequest): WorkerReply {
  const values = options.size * options.size * 3;
  const out = new Float32Array(images.length * values);
  const kept: number[] = [];
  const skipped: string[] = [];
  for (const [i, image] of images.entries()) {
    try {
      const pixels = load(image, options.stores[store]);
      const { rectangle, flip } = cutOf(pixels, seeds?.[i]);
      cropAndResize(pixels, rectangle, options.size, flip, out, kept.length * values);
      kept.push(i);
    } catch (error) {
      if (!options.skipDamaged || !(error instanceof ImageError)) throw error;
      skipped.push(error.message);
    }
  }
  return { images: out.slice(0, kept.length * values), kept: Int32Array.from(kept), skipped };
}

parentPort!.on('message', (request: WorkerRequest) => {
  let reply: WorkerReply;
  try {
    reply = makeBatch(request);
  } catch (error) {
    parentPort!.postMessage({ error: (error as Error).message } satisfies WorkerReply);
    return;
  }
  parentPort!.postMessage(reply, 'images' in reply ? [reply.images.buffer] : []);
});
