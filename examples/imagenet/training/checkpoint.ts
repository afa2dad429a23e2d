import type { LayersModel, Optimizer, Tensor } from '@tensorflow/tfjs';
import type { TensorFlow } from '../../../lib/tfjs/backend';
import type { Evaluation } from './evaluate';
import { optimizerState, restoreOptimizer } from './optimizers';
import { TensorFile, writeTensorFile } from './tensorFile';
import type { TensorSource } from './tensorFile';

const FORMAT = 'learned-optimizer-imagenet-example';
const FORMAT_VERSION = '1';

/** What decides how a run goes; a resumed run must have the same. */
export type RunIdentity = Readonly<Record<string, string | number | boolean>>;

/** Where a run stands. */
export interface Position {
  /** Steps done; also the index of the next batch. */
  readonly step: number;
  /** Sum and number of the losses since the last line of the log. */
  readonly lossSum: number;
  readonly lossCount: number;
  /** Images left out so far. */
  readonly skipped: number;
  /** The last evaluation and the step after which it was made. */
  readonly evaluation?: Evaluation & { readonly step: number };
}

/** A run asked to go on is another one than the checkpoint's. */
export class CheckpointMismatch extends Error {
  override readonly name = 'CheckpointMismatch';
}

function modelState(model: LayersModel): TensorSource[] {
  return model.weights.map((weight, i) => ({
    name: `model/${i}/${weight.originalName}`,
    dtype: 'F32',
    shape: weight.shape as number[],
    read: () => weight.read().dataSync() as Float32Array,
  }));
}

/** Writes model, optimizer and position into one file, atomically: they belong together. */
export async function saveCheckpoint(
  path: string,
  run: { readonly model: LayersModel; readonly optimizer: Optimizer },
  identity: RunIdentity,
  position: Position,
): Promise<void> {
  const optimizer = await optimizerState(run.optimizer);
  writeTensorFile(path, [...modelState(run.model), ...optimizer], {
    format: FORMAT,
    formatVersion: FORMAT_VERSION,
    identity: JSON.stringify(identity),
    position: JSON.stringify(position),
  });
}

function requireSameRun(path: string, stored: RunIdentity, identity: RunIdentity): void {
  const names = [...new Set([...Object.keys(stored), ...Object.keys(identity)])];
  const different = names.filter((name) => stored[name] !== identity[name]);
  if (different.length === 0) return;
  const list = different.map(
    (name) => `${name} ${String(stored[name] ?? 'none')}, now ${String(identity[name] ?? 'none')}`,
  );
  throw new CheckpointMismatch(
    `${path} was made with ${list.join('; ')}: give the same options to resume, or begin in another folder`,
  );
}

function restoreModel(tf: TensorFlow, model: LayersModel, file: TensorFile, path: string): void {
  const tensors: Tensor[] = [];
  try {
    model.weights.forEach((weight, i) => {
      const { shape, data } = file.read(`model/${i}/${weight.originalName}`);
      if (!tf.util.arraysEqual(shape, weight.shape as number[])) {
        throw new CheckpointMismatch(
          `${path}: ${weight.originalName} has shape [${shape.join(', ')}], expected [${weight.shape.join(', ')}]`,
        );
      }
      tensors.push(tf.tensor(data, shape, 'float32'));
    });
    model.setWeights(tensors);
  } finally {
    tf.dispose(tensors);
  }
}

/**
 * Gives a fresh model and its fresh optimizer what the file holds.
 * @throws {CheckpointMismatch} if it belongs to another run; {Error} naming the file if it is no checkpoint
 */
export async function loadCheckpoint(
  tf: TensorFlow,
  path: string,
  run: { readonly model: LayersModel; readonly optimizer: Optimizer },
  identity: RunIdentity,
): Promise<Position> {
  const file = new TensorFile(path);
  try {
    const { format, formatVersion, identity: stored, position } = file.metadata;
    if (format !== FORMAT || formatVersion !== FORMAT_VERSION) {
      throw new Error(
        `${path}: expected a file with metadata format '${FORMAT}' version ${FORMAT_VERSION}, got ${format ?? 'none'} version ${formatVersion ?? 'none'}`,
      );
    }
    requireSameRun(path, JSON.parse(stored) as RunIdentity, identity);
    restoreModel(tf, run.model, file, path);
    await restoreOptimizer(tf, run.optimizer, file);
    return JSON.parse(position) as Position;
  } finally {
    file.close();
  }
}
