import { readFileSync } from 'node:fs';
import { writeFileAtomic } from '../atomicFile';
import type { RunningArray } from '../problems/lanes/family';
import { decodeSafetensors, encodeSafetensors } from '../safetensors';
import type { SafetensorsTensor } from '../safetensors';
import { validateMetaTrainingConfig } from './config';
import type { MetaTrainingConfig } from './config';
import type { FamilyState } from './shard';

const FORMAT = 'learned-optimizer-meta-training';
const FORMAT_VERSION = '1';

/** A meta-training run between two iterations: from it the run continues bit for bit. */
export interface Checkpoint {
  readonly config: MetaTrainingConfig;
  /** The next iteration. */
  readonly iteration: number;
  /** Problem steps and seconds so far. */
  readonly innerSteps: number;
  readonly seconds: number;
  readonly adamSteps: number;
  readonly flat: Float64Array;
  readonly average: Float64Array;
  readonly first: Float64Array;
  readonly second: Float64Array;
  readonly families: readonly FamilyState[];
}

const VECTORS = ['flat', 'average', 'first', 'second'] as const;

/** Serialises a checkpoint as safetensors; whole numbers are stored as doubles. */
export function encodeCheckpoint(checkpoint: Checkpoint): Uint8Array {
  const tensors: [string, SafetensorsTensor][] = VECTORS.map((name) => [
    name,
    { shape: [checkpoint[name].length], data: checkpoint[name] },
  ]);
  for (const { index, arrays } of checkpoint.families) {
    arrays.forEach((array, i) => {
      const data = array instanceof Float32Array ? array : Float64Array.from(array);
      tensors.push([`family.${index}.${i}`, { shape: [data.length], data }]);
    });
  }
  const { config, iteration, innerSteps, seconds, adamSteps } = checkpoint;
  return encodeSafetensors({
    tensors,
    metadata: {
      format: FORMAT,
      formatVersion: FORMAT_VERSION,
      config: JSON.stringify(config),
      progress: JSON.stringify({ iteration, innerSteps, seconds, adamSteps }),
    },
  });
}

/**
 * Reads a checkpoint.
 * @throws SafetensorsError when the bytes are no safetensors file; RangeError when they hold something else
 */
export function decodeCheckpoint(bytes: Uint8Array): Checkpoint {
  const { tensors, metadata } = decodeSafetensors(bytes);
  if (metadata['format'] !== FORMAT || metadata['formatVersion'] !== FORMAT_VERSION) {
    throw new RangeError(
      `checkpoint: expected a file with metadata format '${FORMAT}' version ${FORMAT_VERSION}, got ${metadata['format'] ?? 'none'} version ${metadata['formatVersion'] ?? 'none'}`,
    );
  }
  const vector = (name: string): Float64Array => {
    const data = tensors.get(name)?.data;
    if (!(data instanceof Float64Array)) throw new RangeError(`checkpoint: expected a tensor '${name}' of dtype F64`);
    return data;
  };
  const families = new Map<number, RunningArray[]>();
  for (const [name, { data }] of tensors) {
    const [kind, index, i] = name.split('.');
    if (kind !== 'family' || data instanceof BigInt64Array) continue;
    const arrays = families.get(Number(index)) ?? [];
    arrays[Number(i)] = data;
    families.set(Number(index), arrays);
  }
  const progress = JSON.parse(metadata['progress'] ?? 'null') as Pick<
    Checkpoint,
    'iteration' | 'innerSteps' | 'seconds' | 'adamSteps'
  >;
  return {
    config: validateMetaTrainingConfig(JSON.parse(metadata['config'] ?? 'null') as MetaTrainingConfig),
    ...progress,
    flat: vector('flat'),
    average: vector('average'),
    first: vector('first'),
    second: vector('second'),
    families: [...families].map(([index, arrays]) => ({ index, arrays })),
  };
}

/** Writes a checkpoint to a file, atomically. */
export function saveCheckpoint(path: string, checkpoint: Checkpoint): void {
  writeFileAtomic(path, encodeCheckpoint(checkpoint));
}

/** Reads a checkpoint from a file. */
export function loadCheckpoint(path: string): Checkpoint {
  return decodeCheckpoint(readFileSync(path));
}
