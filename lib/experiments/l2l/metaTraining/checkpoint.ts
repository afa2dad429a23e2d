import { existsSync, readFileSync } from 'node:fs';
import { MetaAdam } from '../../../meta/metaOptimizers';
import { decodeSafetensors, encodeSafetensors } from '../../../safetensors';
import { initialL2lWeights } from '../weights';
import type { L2lConfig } from './config';

/** One trajectory of meta-training. */
export interface TrajectoryRecord {
  /** Mean over the steps of the loss of the step's batch. */
  readonly meanLoss: number;
  /** Loss of the last batch. */
  readonly lastLoss: number;
}

/** One validation: mean over the fresh starts of the loss over all samples at the end of the trajectory. */
export interface ValidationRecord {
  readonly trajectories: number;
  readonly loss: number;
}

/** A learning rate of the meta-optimizer, and the number of trajectories before it came into use. */
export interface RateRecord {
  readonly from: number;
  readonly learningRate: number;
}

/** All that the next trajectory depends on, at the boundary between two trajectories. */
export interface MetaTrainingState {
  trajectories: number;
  /** Meta-parameters, flat. */
  readonly values: Float64Array;
  readonly adam: MetaAdam;
  /** Meta-parameters of the best validation. */
  readonly best: Float64Array;
  bestLoss: number;
  readonly records: TrajectoryRecord[];
  readonly validations: ValidationRecord[];
  /** Learning rates used so far. */
  readonly rates: RateRecord[];
}

/** A checkpoint is of another run. */
export class L2lCheckpointMismatch extends Error {
  override readonly name = 'L2lCheckpointMismatch';
}

/** Decay of the mean squared meta-gradient, the customary one. */
const BETA2 = 0.999;

export function freshState({ seed, units }: L2lConfig): MetaTrainingState {
  const values = Float64Array.from(initialL2lWeights(seed, units).values);
  const adam = new MetaAdam(values.length, undefined, BETA2);
  const best = values.slice();
  return { trajectories: 0, values, adam, best, bestLoss: Infinity, records: [], validations: [], rates: [] };
}

const FORMAT = 'learned-optimizer-l2l-checkpoint';

/** What a run may not change when it goes on, as one text: all of its configuration but the learning rate, and the optimizee. */
export function runIdentity(config: L2lConfig, optimizee: string): string {
  const fixed = Object.keys(config).filter((key) => key !== 'learningRate');
  return JSON.stringify({ ...config, optimizee }, [...fixed.sort(), 'optimizee']);
}

/** Serialises a state; everything is kept to the last bit. */
export function encodeState(state: MetaTrainingState, identity: string): Uint8Array {
  const { trajectories, values, adam, best, bestLoss, records, validations, rates } = state;
  const arrays: Record<string, Float64Array> = {
    values,
    best,
    bestLoss: Float64Array.of(bestLoss),
    ...adam.exportState(),
    records: Float64Array.from(records.flatMap(({ meanLoss, lastLoss }) => [meanLoss, lastLoss])),
    validations: Float64Array.from(validations.flatMap((v) => [v.trajectories, v.loss])),
    rates: Float64Array.from(rates.flatMap(({ from, learningRate }) => [from, learningRate])),
  };
  return encodeSafetensors({
    tensors: Object.entries(arrays).map(([name, data]) => [name, { shape: [data.length], data }]),
    metadata: { format: FORMAT, identity, trajectories: String(trajectories) },
  });
}

/**
 * Reads a checkpoint, or starts afresh where there is none.
 * @throws {L2lCheckpointMismatch} if it is of another configuration or optimizee; {RangeError} or {SafetensorsError} if the
 *   file is no checkpoint
 */
export function readCheckpoint(path: string, config: L2lConfig, identity: string): MetaTrainingState {
  const state = freshState(config);
  if (!existsSync(path)) return state;
  const { tensors, metadata } = decodeSafetensors(readFileSync(path));
  if (metadata['format'] !== FORMAT) {
    throw new RangeError(`${path}: expected metadata format '${FORMAT}', got '${metadata['format'] ?? 'none'}'`);
  }
  if (metadata['identity'] !== identity) {
    throw new L2lCheckpointMismatch(`${path}: expected a run of ${identity}, got one of ${metadata['identity']}`);
  }
  const array = (name: string): Float64Array => {
    const data = tensors.get(name)?.data;
    if (!(data instanceof Float64Array)) throw new RangeError(`${path}: tensor '${name}': expected F64, got none`);
    return data;
  };
  const pairs = (name: string): [number, number][] => {
    const flat = array(name);
    return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i], flat[2 * i + 1]]);
  };
  state.values.set(array('values'));
  state.best.set(array('best'));
  state.adam.importState({ steps: array('steps'), first: array('first'), second: array('second') });
  state.trajectories = Number(metadata['trajectories']);
  state.bestLoss = array('bestLoss')[0];
  for (const [meanLoss, lastLoss] of pairs('records')) state.records.push({ meanLoss, lastLoss });
  for (const [trajectories, loss] of pairs('validations')) state.validations.push({ trajectories, loss });
  for (const [from, learningRate] of pairs('rates')) state.rates.push({ from, learningRate });
  return state;
}
