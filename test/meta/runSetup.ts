import { DEFAULT_META_TRAINING } from '../../lib/meta/config';
import type { MetaTrainingConfig } from '../../lib/meta/config';
import type { RunOptions } from '../../lib/meta/run';

const { phases } = DEFAULT_META_TRAINING;

/** A short run with both phases of the default setting. */
export const RUN: Omit<RunOptions, 'folder'> & { readonly config: MetaTrainingConfig } = {
  config: {
    ...DEFAULT_META_TRAINING,
    phases: phases.map((phase) => ({
      ...phase,
      iterations: 4,
      estimator: { ...phase.estimator, truncation: 5, horizon: [5, 20] },
      horizonGrowth: [10, 20],
    })),
  },
  resume: false,
  threads: 2,
  logEvery: 1,
  snapshotEvery: 3,
  checkpointSeconds: 0,
};
