import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { totalIterations, validateMetaTrainingConfig } from '../../meta/config';
import type { MetaTrainingConfig } from '../../meta/config';
import { runMetaTraining } from '../../meta/run';
import { RUN_FILES, RunFolder } from '../../meta/runFolder';
import { RunLog } from '../../meta/runLog';
import type { MetaTrainingProgress } from '../../meta/trainer';
import { withoutLaterDefaults } from '../../optimizer/architecture';
import { readWeights } from '../../optimizer/weights';
import type { Weights } from '../../optimizer/weights';

export interface MetaTrainingsOptions {
  /** Folder with one folder per meta-training. */
  readonly folder: string;
  /** Does not change the result. */
  readonly threads: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: MetaTrainingProgress) => void;
}

/** Weights with what they took. */
export interface MetaTrained {
  readonly weights: Weights;
  /** Of wall time. */
  readonly seconds: number;
  /** Whether it was there already. */
  readonly kept: boolean;
}

const CHECKPOINT_SECONDS = 20;
const LOG_EVERY = 10;

/** The run's folder is named after the configuration, so that another one never takes its place. */
function folderOf(folder: string, config: MetaTrainingConfig): string {
  const hash = createHash('sha256').update(JSON.stringify(config, withoutLaterDefaults)).digest('hex').slice(0, 8);
  return join(folder, `${config.name ?? 'run'}-${hash}`);
}

/**
 * Weights at the end of a meta-training: from its folder where it was finished, gone on with where it was begun.
 * @throws the signal's reason when aborted, after a checkpoint
 */
export async function metaTrained(config: MetaTrainingConfig, options: MetaTrainingsOptions): Promise<MetaTrained> {
  const folder = folderOf(options.folder, validateMetaTrainingConfig(config));
  const final = join(folder, RUN_FILES.final);
  const seconds = (): number => new RunLog(join(folder, RUN_FILES.log)).entries().at(-1)?.seconds ?? NaN;
  if (existsSync(final)) return { weights: readWeights(final), seconds: seconds(), kept: true };
  const { weights } = await runMetaTraining({
    ...options,
    folder,
    config,
    resume: RunFolder.holdsRun(folder),
    logEvery: LOG_EVERY,
    // No snapshot but that of the end: nothing is selected.
    snapshotEvery: LOG_EVERY * totalIterations(config),
    checkpointSeconds: CHECKPOINT_SECONDS,
  });
  return { weights, seconds: seconds(), kept: false };
}
