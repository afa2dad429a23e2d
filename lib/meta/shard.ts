import type { Architecture } from '../optimizer/architecture';
import { NoiseTable } from '../problems/lanes/noise';
import { createRandom } from '../random';
import { BpttFamily } from './bptt';
import type { EstimatorConfig } from './config';
import { corpusEntries } from './corpus';
import type { CorpusChoice, CorpusEntry } from './corpus';
import { EsFamily } from './es';
import { maskOf } from './flat';
import type { Estimator, EstimatorState, TruncationResult } from './estimator';
import { NresFamily } from './nres';
import { PesFamily } from './pes';

export interface ShardOptions extends CorpusChoice {
  readonly architecture: Architecture;
  readonly seed: number;
  /** Index of the phase: each has problems of its own. */
  readonly phase: number;
  readonly kind: EstimatorConfig['kind'];
  /** Meta-parameters that are not perturbed, by name. */
  readonly frozen?: readonly string[];
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
  readonly state: EstimatorState;
}

/** Families that a corpus may have. Seeds and streams of random numbers are counted in these. */
const MOST_FAMILIES = 256;
const FIRST_STREAM = 1000;

/** Seed of a family's trajectories. */
function familySeed({ seed, phase }: ShardOptions, index: number): number {
  return (seed + 1) * 1_000_003 + phase * MOST_FAMILIES + index;
}

function createEstimator(options: ShardOptions, entry: CorpusEntry, index: number, table: NoiseTable): Estimator {
  const { architecture, kind } = options;
  const { family, blocks } = entry;
  const familyOptions = [architecture, family, blocks, table, familySeed(options, index)] as const;
  if (kind === 'bptt') return new BpttFamily(...familyOptions) as Estimator;
  const Family = { pes: PesFamily, nres: NresFamily, es: EsFamily }[kind];
  return new Family(...familyOptions, maskOf(architecture, options.frozen)) as Estimator;
}

/** Some of the corpus's families, on one thread. */
export class Shard {
  private readonly families: { readonly index: number; readonly estimator: Estimator }[];

  constructor(private readonly options: ShardOptions) {
    const table = new NoiseTable(options.seed);
    const corpus = corpusEntries(options);
    this.families = options.families.map((index) => ({
      index,
      estimator: createEstimator(options, corpus[index], index, table),
    }));
  }

  /**
   * One truncation of every family with the meta-parameters given. Every family and iteration has a stream of random
   * numbers of its own, so that no result depends on how the work is divided.
   * @param iteration of the phase, from 0
   */
  run(flat: Float64Array, iteration: number, config: EstimatorConfig): FamilyResult[] {
    const { seed, phase } = this.options;
    return this.families.map(({ index, estimator }) => {
      const random = createRandom(seed + 7919 * phase, FIRST_STREAM + iteration * MOST_FAMILIES + index);
      if (iteration === 0) estimator.begin(random, config);
      return { index, name: estimator.family.name, ...estimator.run(flat, random, config) };
    });
  }

  /** State of every family, between two iterations; what a checkpoint stores. */
  exportState(): FamilyState[] {
    return this.families.map(({ index, estimator }) => ({ index, state: estimator.exportState() }));
  }

  /** @throws {RangeError} if a family's state is missing or does not fit */
  importState(states: readonly FamilyState[], config: EstimatorConfig): void {
    for (const { index, estimator } of this.families) {
      const family = states.find((candidate) => candidate.index === index);
      if (!family) throw new RangeError(`state: expected family ${index}, got none`);
      estimator.importState(family.state, config);
    }
  }
}
