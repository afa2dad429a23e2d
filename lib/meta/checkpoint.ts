import { readFileSync } from 'node:fs';
import { writeFileAtomic } from '../atomicFile';
import type { RunningArray } from '../problems/lanes/family';
import { decodeSafetensors, encodeSafetensors } from '../safetensors';
import type { SafetensorsTensor } from '../safetensors';
import { validateMetaTrainingConfig } from './config';
import type { MetaTrainingConfig } from './config';
import type { MetaOptimizerState } from './metaOptimizers';
import type { FamilyState } from './shard';

const FORMAT = 'learned-optimizer-meta-training';
const FORMAT_VERSION = '2';

/** Where a run stands. */
export interface RunPosition {
  /** Index of the phase, and its next iteration. */
  readonly phase: number;
  readonly iteration: number;
  /** Problem steps and seconds so far, over all phases. */
  readonly innerSteps: number;
  readonly seconds: number;
}

/** A meta-training run between two iterations: from it the run continues bit for bit. */
export interface Checkpoint extends RunPosition {
  readonly config: MetaTrainingConfig;
  readonly flat: Float64Array;
  readonly average: Float64Array;
  readonly metaOptimizer: MetaOptimizerState;
  readonly families: readonly FamilyState[];
}

const ARRAYS = { Float32Array, Float64Array, Int32Array, Uint8Array } as const;

/** Serialises a checkpoint as safetensors. Whole numbers are stored as doubles; a tensor's name ends with its type. */
export function encodeCheckpoint(checkpoint: Checkpoint): Uint8Array {
  const tensors: [string, SafetensorsTensor][] = [];
  const add = (name: string, array: RunningArray): void => {
    const data = array instanceof Float32Array ? array : Float64Array.from(array);
    tensors.push([`${name}:${array.constructor.name}`, { shape: [data.length], data }]);
  };
  add('flat', checkpoint.flat);
  add('average', checkpoint.average);
  for (const [name, array] of Object.entries(checkpoint.metaOptimizer)) add(`metaOptimizer/${name}`, array);
  for (const { index, state } of checkpoint.families) {
    for (const [name, array] of Object.entries(state)) add(`family/${index}/${name}`, array);
  }
  const { config, phase, iteration, innerSteps, seconds } = checkpoint;
  return encodeSafetensors({
    tensors,
    metadata: {
      format: FORMAT,
      formatVersion: FORMAT_VERSION,
      config: JSON.stringify(config),
      position: JSON.stringify({ phase, iteration, innerSteps, seconds }),
    },
  });
}

function typed(name: string, type: string, data: SafetensorsTensor['data']): RunningArray {
  if (!(type in ARRAYS) || data instanceof BigInt64Array) {
    throw new RangeError(
      `checkpoint: tensor '${name}': expected one of ${Object.keys(ARRAYS).join(', ')}, got ${type}`,
    );
  }
  const Type = ARRAYS[type as keyof typeof ARRAYS];
  return data instanceof Type ? data : Type.from(data);
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
  const vectors: Record<string, RunningArray> = {};
  const metaOptimizer: Record<string, Float64Array> = {};
  const families = new Map<number, Record<string, RunningArray>>();
  for (const [label, { data }] of tensors) {
    const [path, type] = label.split(':');
    const [group, ...rest] = path.split('/');
    const array = typed(label, type, data);
    if (group === 'metaOptimizer') metaOptimizer[rest[0]] = array as Float64Array;
    else if (group === 'family') {
      const state = families.get(Number(rest[0])) ?? {};
      state[rest[1]] = array;
      families.set(Number(rest[0]), state);
    } else vectors[group] = array;
  }
  const vector = (name: string): Float64Array => {
    const array = vectors[name];
    if (!(array instanceof Float64Array)) throw new RangeError(`checkpoint: expected a tensor '${name}' of doubles`);
    return array;
  };
  return {
    config: validateMetaTrainingConfig(JSON.parse(metadata['config'] ?? 'null') as MetaTrainingConfig),
    ...(JSON.parse(metadata['position'] ?? 'null') as RunPosition),
    flat: vector('flat'),
    average: vector('average'),
    metaOptimizer,
    families: [...families].map(([index, state]) => ({ index, state })),
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
