import type { Architecture } from '../optimizer/architecture';
import type { RunningArray } from '../problems/lanes/family';
import { NoiseTable } from '../problems/lanes/noise';
import { createRandom } from '../random';
import { defaultCorpus } from './corpus';
import { PesFamily } from './pes';
import type { PesOptions, TruncationResult } from './pes';

export interface ShardOptions {
  readonly architecture: Architecture;
  readonly seed: number;
  /** Which families of the corpus this shard advances. */
  readonly families: readonly number[];
}

/** Gradient of one family of the corpus. */
export interface FamilyResult extends TruncationResult {
  readonly index: number;
  readonly name: string;
}

/** State of one family of the corpus. */
export interface FamilyState {
  readonly index: number;
  readonly arrays: readonly RunningArray[];
}

/** Streams of random numbers: one per family and iteration, so that no result depends on how the work is divided. */
const STREAMS_PER_ITERATION = 64;

/** Seed of a family's trajectories. */
function familySeed(seed: number, index: number): number {
  return (seed + 1) * 1009 + index;
}

/** Some of the corpus's families, on one thread. */
export class Shard {
  private readonly table: NoiseTable;
  private readonly families: { readonly index: number; readonly estimator: PesFamily }[];

  constructor(private readonly options: ShardOptions) {
    this.table = new NoiseTable(options.seed);
    const corpus = defaultCorpus();
    this.families = options.families.map((index) => ({
      index,
      estimator: new PesFamily(
        options.architecture,
        corpus[index].family,
        corpus[index].blocks,
        this.table,
        familySeed(options.seed, index),
      ),
    }));
  }

  /** One truncation of every family with the meta-parameters given. Iterations count from 0. */
  run(flat: Float64Array, iteration: number, pes: PesOptions): FamilyResult[] {
    return this.families.map(({ index, estimator }) => {
      const random = createRandom(this.options.seed, 1000 + iteration * STREAMS_PER_ITERATION + index);
      if (iteration === 0) estimator.begin(random, pes);
      return { index, name: estimator.family.name, ...estimator.run(flat, random, pes) };
    });
  }

  /** State of every family, between two iterations; what a checkpoint stores. */
  exportState(): FamilyState[] {
    return this.families.map(({ index, estimator }) => ({ index, arrays: estimator.exportState() }));
  }

  /** @throws {RangeError} if a family's state is missing or does not fit */
  importState(states: readonly FamilyState[], pes: PesOptions): void {
    for (const { index, estimator } of this.families) {
      const state = states.find((candidate) => candidate.index === index);
      if (!state) throw new RangeError(`state: expected family ${index}, got none`);
      estimator.importState(state.arrays, pes);
    }
  }
}
