import { setImmediate as eventLoopTurn } from 'node:timers/promises';
import { writeFileAtomic } from '../../../atomicFile';
import type { Problem } from '../../../problems/problem';
import type { TensorFlow } from '../../../tfjs/backend';
import { mean } from '../../statistics';
import type { L2lWeights } from '../weights';
import { encodeState, freshState, readCheckpoint, runIdentity } from './checkpoint';
import type { MetaTrainingState, TrajectoryRecord, ValidationRecord } from './checkpoint';
import { checkL2lConfig, type L2lConfig } from './config';
import { advance, segmentGradient } from './graph';
import { Trajectory } from './trajectory';

/** Validation starts have seeds from here on; those of trajectories stay below. */
const FIRST_VALIDATION_SEED = 2 ** 31;

/** Trajectories of a run have consecutive seeds; runs of different seeds share none as long as they have fewer. Small seeds
 * are left to evaluations. */
const SEEDS_PER_RUN = 2 ** 20;

export interface L2lProgress extends TrajectoryRecord {
  /** Trajectories done, and wanted in all. */
  readonly trajectories: number;
  readonly total: number;
  /** The latest. */
  readonly validation?: ValidationRecord;
}

export interface MetaTrainOptions {
  readonly tf: TensorFlow;
  readonly optimizee: Problem;
  readonly config: L2lConfig;
  /** Trajectories in all, those of the checkpoint included. */
  readonly trajectories: number;
  /** File that the run is resumed from, if it is there, and written to. Without one nothing is kept. */
  readonly checkpoint?: string;
  /** At least so many seconds between two checkpoints; one at the end and on abort in any case. Default 30. */
  readonly checkpointSeconds?: number;
  readonly signal?: AbortSignal;
  /** After each trajectory. */
  readonly onProgress?: (progress: L2lProgress) => void;
}

export interface MetaTrainResult {
  /** Of the best validation. */
  readonly weights: L2lWeights;
  readonly trajectories: number;
  /** The validation whose meta-parameters the weights are; without a validation they are the last. */
  readonly best?: ValidationRecord;
  readonly records: readonly TrajectoryRecord[];
  readonly validations: readonly ValidationRecord[];
}

/**
 * Meta-trains the coordinate-wise LSTM optimizer on one optimizee as Andrychowicz et al. 2016 do (sections 2 and 3):
 * trajectories from fresh starts, the sum of the losses of the steps as objective, truncated backpropagation through time,
 * Adam; the meta-parameters with the lowest final loss over the validation starts are the result. A run that goes on may do so
 * with another learning rate.
 * @throws {RangeError} for a configuration out of range; {L2lCheckpointMismatch} if the checkpoint is of another run; the
 *   signal's reason when aborted, after the checkpoint of the last whole trajectory has been written
 */
export async function metaTrainL2l(options: MetaTrainOptions): Promise<MetaTrainResult> {
  const { config, optimizee, checkpoint, trajectories: total, signal, checkpointSeconds = 30 } = options;
  checkL2lConfig(config);
  const identity = runIdentity(config, optimizee.name);
  const state = checkpoint === undefined ? freshState(config) : readCheckpoint(checkpoint, config, identity);
  if (state.trajectories < total && state.rates.at(-1)?.learningRate !== config.learningRate) {
    state.rates.push({ from: state.trajectories, learningRate: config.learningRate });
  }
  let boundary = encodeState(state, identity);
  let saved = performance.now();
  const save = (): void => {
    if (checkpoint !== undefined) writeFileAtomic(checkpoint, boundary);
    saved = performance.now();
  };
  try {
    while (state.trajectories < total) {
      signal?.throwIfAborted();
      await nextTrajectory(state, options);
      boundary = encodeState(state, identity);
      if (performance.now() - saved > 1000 * checkpointSeconds) save();
      const { trajectories, records, validations } = state;
      options.onProgress?.({ ...records[records.length - 1], trajectories, total, validation: validations.at(-1) });
    }
  } finally {
    // A trajectory that was interrupted has left the state in mid-air; what is written is the one before it.
    save();
  }
  return resultOf(state, options);
}

async function nextTrajectory(state: MetaTrainingState, options: MetaTrainOptions): Promise<void> {
  const { tf, optimizee, config, signal } = options;
  const { units, horizon, truncation, learningRate } = config;
  const trajectory = new Trajectory(optimizee, units, config.seed * SEEDS_PER_RUN + state.trajectories);
  const losses: number[] = [];
  for (let step = 0; step < horizon; step += truncation) {
    const weights = { units, values: Float32Array.from(state.values) };
    const segment = segmentGradient(tf, weights, trajectory, truncation);
    losses.push(...segment.losses);
    // Without a bound of the norm. A gradient that is not finite moves nothing.
    state.adam.step(state.values, segment.gradient, learningRate, Infinity);
    await eventLoopTurn();
    signal?.throwIfAborted();
  }
  state.records.push({ meanLoss: mean(losses), lastLoss: losses[losses.length - 1] });
  state.trajectories++;
  if (state.trajectories % config.validateEvery === 0) await validate(state, options);
}

/** Trains the optimizee from the validation starts; keeps the meta-parameters if none were better. */
async function validate(state: MetaTrainingState, { tf, optimizee, config, signal }: MetaTrainOptions): Promise<void> {
  const weights = { units: config.units, values: Float32Array.from(state.values) };
  const finals: number[] = [];
  for (let i = 0; i < config.validationStarts; i++) {
    const trajectory = new Trajectory(optimizee, config.units, FIRST_VALIDATION_SEED + i);
    advance(tf, weights, trajectory, config.horizon);
    finals.push(trajectory.fullLoss());
    await eventLoopTurn();
    signal?.throwIfAborted();
  }
  const loss = mean(finals);
  state.validations.push({ trajectories: state.trajectories, loss });
  if (loss < state.bestLoss) {
    state.bestLoss = loss;
    state.best.set(state.values);
  }
}

function resultOf(state: MetaTrainingState, { config, optimizee }: MetaTrainOptions): MetaTrainResult {
  const { trajectories, records, validations, rates } = state;
  const best = validations.find(({ loss }) => loss === state.bestLoss);
  const { learningRate: _, ...fixed } = config;
  const facts = {
    optimizee: optimizee.name,
    config: fixed,
    learningRates: rates,
    trajectories,
    metaUpdates: state.adam.steps,
    selected: best ?? 'the last, without a validation',
  };
  return {
    weights: {
      units: config.units,
      values: Float32Array.from(best === undefined ? state.values : state.best),
      metadata: { name: `l2l, ${optimizee.name}`, provenance: JSON.stringify(facts) },
    },
    trajectories,
    best,
    records,
    validations,
  };
}
