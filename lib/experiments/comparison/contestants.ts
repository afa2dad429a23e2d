import { createHash } from 'node:crypto';
import type { StateBits } from '../../../bindings/types';
import { withoutDefaults } from '../../optimizer/architecture';
import { heldInitialRate } from '../../optimizer/schedule';
import type { Weights } from '../../optimizer/weights';
import { adam, momentum, rmsProp, type MakeOptimizer } from '../baselines';
import { learnedOptimizer } from '../learned';

/** An optimizer in a comparison. */
export interface Contestant {
  /** Identifies it in a cache of runs. */
  readonly name: string;
  /** For a reader. */
  readonly title: string;
  /** The rate that people start with when they tune nothing. */
  readonly customaryRate: number;
  /** With this (initial) learning rate. */
  make(rate: number): MakeOptimizer;
  /** The rate that another one amounts to; default: itself. */
  countsAs?(rate: number): number;
}

/** Customary rates are the defaults of Keras. */
export const BASELINES: readonly Contestant[] = [
  { name: 'adam', title: 'Adam', customaryRate: 1e-3, make: (learningRate) => adam({ learningRate }) },
  {
    name: 'momentum',
    title: 'SGD with momentum 0.9',
    customaryRate: 1e-2,
    make: (learningRate) => momentum({ learningRate }),
  },
  { name: 'rmsprop', title: 'RMSProp', customaryRate: 1e-3, make: (learningRate) => rmsProp({ learningRate }) },
];

/** Half-decades from 1e-4 to 1. */
export const TUNED_RATES: readonly number[] = [-4, -3.5, -3, -2.5, -2, -1.5, -1, -0.5, 0].map((e) => 10 ** e);

/**
 * The learned optimizer with these weights. Its name holds a hash of them, and the bits of its state unless they are 32, so
 * that runs of other weights and states are never mistaken for its own.
 * @param threads native threads of a step; the result does not depend on them.
 */
export function learnedContestant(weights: Weights, threads = 1, stateBits: StateBits = 32): Contestant {
  const hash = createHash('sha256').update(JSON.stringify(weights.architecture, withoutDefaults('inputScaling')));
  const { warmup, annealing } = weights.metadata;
  for (const schedule of [warmup, annealing]) if (schedule) hash.update(JSON.stringify(schedule));
  for (const [name, data] of weights.tensors) hash.update(name).update(Float32Array.from(data));
  return {
    name: `learned-${hash.digest('hex').slice(0, 12)}${stateBits === 32 ? '' : `-state${stateBits}`}`,
    title: `learned (${weights.metadata.name}${stateBits === 32 ? '' : `, ${stateBits}-bit state`})`,
    customaryRate: weights.metadata.initialLearningRate,
    make: (initialLearningRate) => learnedOptimizer({ weights, initialLearningRate, threads, stateBits }),
    countsAs: (rate) => heldInitialRate(weights.metadata, rate),
  };
}
