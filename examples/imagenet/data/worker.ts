/** A thread that decodes, cuts and scales whole batches; `pool.ts` starts it. */
import { readFileSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { createRandom } from '../../../lib/random';
import { centreCrop, trainingCut } from './augment';
import type { Augmentation, Cut } from './augment';
import { decodeImage, ImageError } from './decode';
import type { Pixels } from './decode';
import type { BatchPlan } from './order';
import { cropAndResize } from './resize';
import type { ImageStore } from './source';

export interface WorkerOptions {
  readonly stores: readonly ImageStore[];
  /** Height and width of the images made, pixels. */
  readonly size: number;
  readonly augmentation: Augmentation;
  /** Share of the shorter side that is evaluated. */
  readonly centreShare: number;
  /** Leave out images that cannot be decoded instead of failing. */
  readonly skipDamaged: boolean;
}

export interface WorkerRequest extends BatchPlan {
  /** Index of the store. */
  readonly store: number;
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

function load(store: ImageStore, index: number): Pixels {
  if (store.kind === 'pixels') {
    const { height, width, channels, pixels } = store;
    const size = height * width * channels;
    return {
      height,
      width,
      channels: channels as Pixels['channels'],
      data: pixels.subarray(index * size, (index + 1) * size),
    };
  }
  const path = store.paths[index];
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw new ImageError(`${path}: cannot be read (${(error as NodeJS.ErrnoException).code})`, { cause: error });
  }
  return decodeImage(bytes, path);
}

function cutOf({ width, height }: Pixels, seed: number | undefined): Cut {
  if (seed === undefined) return { rectangle: centreCrop(width, height, options.centreShare), flip: false };
  return trainingCut(options.augmentation, createRandom(seed), width, height);
}

function makeBatch({ store, indices, seeds }: WorkerRequest): WorkerReply {
  const values = options.size * options.size * 3;
  const images = new Float32Array(indices.length * values);
  const kept: number[] = [];
  const skipped: string[] = [];
  indices.forEach((index, i) => {
    try {
      const pixels = load(options.stores[store], index);
      const { rectangle, flip } = cutOf(pixels, seeds?.[i]);
      cropAndResize(pixels, rectangle, options.size, flip, images, kept.length * values);
      kept.push(i);
    } catch (error) {
      if (!options.skipDamaged || !(error instanceof ImageError)) throw error;
      skipped.push(error.message);
    }
  });
  return { images: images.slice(0, kept.length * values), kept: Int32Array.from(kept), skipped };
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
