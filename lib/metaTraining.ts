/**
 * Meta-training: finding weights of the learned optimizer on many small problems. `npx learned-optimizer meta-train` does the
 * same from the command line. See docs/meta-engine.md.
 * @packageDocumentation
 */
export { runMetaTraining } from './meta/run';
export type { RunOptions, RunResult } from './meta/run';
export type { LogEntry, Validation, ValidationEntry } from './meta/runLog';
export type { MetaTrainingProgress } from './meta/trainer';
export type { DroppedPart, MetaParts, PartsFactory, PartsOptions, PartsResult } from './meta/parts';
export type { Checkpoint, PendingIteration, RunPosition } from './meta/checkpoint';
export { totalIterations, validateMetaTrainingConfig } from './meta/config';
export type { EstimatorConfig, MetaTrainingConfig, PhaseConfig } from './meta/config';
export type { CorpusChoice, CorpusName } from './meta/corpus';
export type { BpttOptions } from './meta/bptt';
export type { PesOptions } from './meta/pes';
export type { TrajectoryOptions } from './meta/estimator';
export type { HeavyTailedHorizon, Horizon, LogUniformHorizon } from './meta/horizons';
export type { MetaObjective } from './meta/metaObjective';
export type { FamilyResult, FamilyState, ShardOptions } from './meta/shard';
export type { EstimatorState, TruncationResult } from './meta/estimator';
export type { RunningArray } from './problems/lanes/family';
export type { InitialRateOptions } from './meta/initialRates';
export type { MetaOptimizerConfig, MetaOptimizerState } from './meta/metaOptimizers';
export type { AugmentationOptions } from './problems/lanes/augmented';
export { META_TRAINING_PRESETS, expectedInnerSteps, scaleIterations } from './meta/presets';
export { judgeByValidation } from './experiments/judge';
