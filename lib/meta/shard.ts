import type { Architecture } from '../optimizer/architecture';
import { NoiseTable } from '../problems/lanes/noise';
import { createRandom } from '../random';
import { BpttFamily } from './bptt';
import type { EstimatorConfig } from './config';
import { corpusEntries, MOST_FAMILIES } from './corpus';
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

const FIRST_STREAM = 1000;
/** Between the seeds of two copies of a family; a prime, far from multiples of those between runs and phases. */
const COPY_STRIDE = 7_368_787;

/** Seed of a family's trajectories. */
function familySeed({ seed, phase }: ShardOptions, { member, copy }: CorpusEntry): number {
  return (seed + 1) * 1_000_003 + phase * MOST_FAMILIES + member + copy * COPY_STRIDE;
}

function createEstimator(options: ShardOptions, entry: CorpusEntry, table: NoiseTable): Estimator {
  const { architecture, kind } = options;
  const { family, blocks } = entry;
  const familyOptions = [architecture, family, blocks, table, familySeed(options, entry)] as const;
  if (kind === 'bptt') return new BpttFamily(...familyOptions) as Estimator;
  const Family = { pes: PesFamily, nres: NresFamily, es: EsFamily }[kind];
  return new Family(...familyOptions, maskOf(architecture, options.frozen)) as Estimator;
}

/** Some of the corpus's families, on one thread. */
export class Shard {
  private readonly corpus: readonly CorpusEntry[];
  private readonly table: NoiseTable;
  /** Of the families that were asked for; their trajectories begin with their first run. */
  private readonly families = new Map<number, { readonly estimator: Estimator; begun: boolean }>();

  constructor(private readonly options: ShardOptions) {
    this.table = new NoiseTable(options.seed);
    this.corpus = corpusEntries(options);
    options.families.forEach((index) => this.family(index));
  }

  private family(index: number): { readonly estimator: Estimator; begun: boolean } {
    const known = this.families.get(index);
    if (known) return known;
    const entry = this.corpus[index];
    if (!entry) throw new RangeError(`family: expected one of the ${this.corpus.length} of the corpus, got ${index}`);
    const family = { estimator: createEstimator(this.options, entry, this.table), begun: false };
    this.families.set(index, family);
    return family;
  }

  /**
   * One truncation of a family with the meta-parameters given. Every family and iteration has a stream of random numbers of
   * its own, so that no result depends on how the work is divided.
   * @param iteration of the phase, from 0
   */
  runFamily(index: number, flat: Float64Array, iteration: number, config: EstimatorConfig): FamilyResult {
    const { seed, phase } = this.options;
    const family = this.family(index);
    const { member, copy } = this.corpus[index];
    const random = createRandom(
      seed + 7919 * phase + copy * COPY_STRIDE,
      FIRST_STREAM + iteration * MOST_FAMILIES + member,
    );
    if (!family.begun) family.estimator.begin(random, config);
    family.begun = true;
    return { index, name: family.estimator.family.name, ...family.estimator.run(flat, random, config) };
  }

  /** One truncation of every family of the shard. */
  run(flat: Float64Array, iteration: number, config: EstimatorConfig): FamilyResult[] {
    return this.options.families.map((index) => this.runFamily(index, flat, iteration, config));
  }

  exportFamily(index: number): EstimatorState {
    return this.family(index).estimator.exportState();
  }

  /**
   * @param state undefined: the family begins anew with its next run
   * @throws {RangeError} if the state does not fit
   */
  importFamily(index: number, state: EstimatorState | undefined, config: EstimatorConfig): void {
    if (state === undefined) return void this.families.delete(index);
    const family = this.family(index);
    family.estimator.importState(state, config);
    family.begun = true;
  }

  /** State of every family that has begun, between two iterations; what a checkpoint stores. */
  exportState(): FamilyState[] {
    return this.options.families
      .filter((index) => this.family(index).begun)
      .map((index) => ({ index, state: this.exportFamily(index) }));
  }

  /** @throws {RangeError} if a state does not fit */
  importState(states: readonly FamilyState[], config: EstimatorConfig): void {
    for (const index of this.options.families) {
      this.importFamily(index, states.find((candidate) => candidate.index === index)?.state, config);
    }
  }
}
