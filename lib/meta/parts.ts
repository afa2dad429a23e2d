import type { EstimatorConfig } from './config';
import type { FamilyResult, FamilyState, ShardOptions } from './shard';

/** What the parts of a phase have in common. */
export type PartsOptions = Omit<ShardOptions, 'families'>;

/** A family's share of an iteration that nobody could compute. */
export interface DroppedPart {
  readonly family: number;
  readonly name: string;
  /** Why, in a sentence. */
  readonly reason: string;
}

/** What the families say in one iteration. */
export interface PartsResult {
  /** In the order of the corpus. */
  readonly results: readonly FamilyResult[];
  /** Families that are missing among the results. Their trajectories stay where they were. */
  readonly dropped: readonly DroppedPart[];
}

/**
 * Computes the parts of a phase's iterations, one per family of the corpus: on threads (`MetaWorkers`) or elsewhere. What
 * comes out depends on the options and the calls alone.
 */
export interface MetaParts {
  /**
   * One truncation of all families. The next iteration may be asked for before this one is there; a family then begins it
   * when it has done with this one.
   * @param flat copied before the call returns
   */
  run(flat: Float64Array, iteration: number, config: EstimatorConfig): Promise<PartsResult>;
  /** State of all families that have one, in the order of the corpus, after all runs asked for. */
  exportState(): Promise<FamilyState[]>;
  /**
   * To be called before the first run. A family without a state begins with its next run.
   * @throws {RangeError} if a state does not fit
   */
  importState(states: readonly FamilyState[], config: EstimatorConfig): Promise<void>;
  close(): Promise<void>;
}

/** Opens the parts of a phase. */
export type PartsFactory = (options: PartsOptions) => MetaParts | Promise<MetaParts>;
