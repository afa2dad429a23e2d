import { readFileSync } from 'node:fs';
import { writeFileAtomic } from '../atomicFile';
import { fromTensor, toTensor } from './arrays';
import type { RunningArray } from '../problems/lanes/family';
import { decodeSafetensors, encodeSafetensors } from '../safetensors';
import type { SafetensorsTensor } from '../safetensors';
import { validateMetaTrainingConfig } from './config';
import type { MetaTrainingConfig } from './config';
import type { MetaOptimizerState } from './metaOptimizers';
import type { PartsResult } from './parts';
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
  /** Iterations after this position whose results are there already: with staleness, up to so many. */
  readonly pending?: readonly PendingIteration[];
}

/** Results of an iteration that no meta-update has taken yet. */
export interface PendingIteration extends PartsResult {
  readonly iteration: number;
}

/** Serialises a checkpoint as safetensors. Whole numbers are stored as doubles; a tensor's name ends with its type. */
export function encodeCheckpoint(checkpoint: Checkpoint): Uint8Array {
  const tensors: [string, SafetensorsTensor][] = [];
  const add = (name: string, array: RunningArray): void => void tensors.push(toTensor(name, array));
  add('flat', checkpoint.flat);
  add('average', checkpoint.average);
  for (const [name, array] of Object.entries(checkpoint.metaOptimizer)) add(`metaOptimizer/${name}`, array);
  for (const { index, state } of checkpoint.families) {
    for (const [name, array] of Object.entries(state)) add(`family/${index}/${name}`, array);
  }
  const pending = checkpoint.pending ?? [];
  for (const { iteration, results } of pending) {
    for (const { index, gradient } of results) add(`pending/${iteration}/${index}`, gradient);
  }
  const { config, phase, iteration, innerSteps, seconds } = checkpoint;
  return encodeSafetensors({
    tensors,
    metadata: {
      format: FORMAT,
      formatVersion: FORMAT_VERSION,
      config: JSON.stringify(config),
      position: JSON.stringify({ phase, iteration, innerSteps, seconds }),
      ...(pending.length === 0 ? {} : { pending: JSON.stringify(pending.map(withoutGradients)) }),
    },
  });
}

/** Of an iteration, what is no tensor. */
function withoutGradients({ results, ...rest }: PendingIteration): unknown {
  return { ...rest, results: results.map(({ gradient: _, ...result }) => result) };
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
  const gradients = new Map<string, Float64Array>();
  for (const [label, { data }] of tensors) {
    const { name, array } = fromTensor(label, data);
    const [group, ...rest] = name.split('/');
    if (group === 'metaOptimizer') metaOptimizer[rest[0]] = array as Float64Array;
    else if (group === 'family') {
      const state = families.get(Number(rest[0])) ?? {};
      state[rest[1]] = array;
      families.set(Number(rest[0]), state);
    } else if (group === 'pending') gradients.set(rest.join('/'), array as Float64Array);
    else vectors[group] = array;
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
    pending: (JSON.parse(metadata['pending'] ?? '[]') as PendingIteration[]).map(
      ({ iteration, dropped = [], results }) => ({
        ...{ iteration, dropped },
        results: results.map((result) => ({ ...result, gradient: gradients.get(`${iteration}/${result.index}`)! })),
      }),
    ),
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
