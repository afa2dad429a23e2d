import type { Weights } from '../../optimizer/weights';
import type { CurveCache } from './curveCache';
import type { ExperimentResult } from './result';

/** How much is run. Every number here is recorded with the results. */
export interface Effort {
  /** A look in minutes: fewer seeds, rates and steps. Marks data, pictures and report. */
  readonly quick: boolean;
  /** Reported seeds, instead of the effort's own. */
  readonly seeds?: number;
  /** Training steps of every run, instead of the experiments' own. */
  readonly steps?: number;
}

export interface ExperimentProgress {
  /** What is running. */
  readonly run: string;
  /** Training steps of finished and kept runs. */
  readonly done: number;
  readonly total: number;
  /** Estimated from the steps trained so far; undefined before the first. */
  readonly secondsLeft?: number;
}

/** What an experiment gets. */
export interface ExperimentContext {
  readonly weights: Weights;
  readonly effort: Effort;
  /** Runs of before and of now. */
  readonly cache: CurveCache;
  /** Folder for what else is kept of finished and unfinished runs. */
  readonly runsDir: string;
  /** Worker threads of meta-training; no result depends on them. */
  readonly threads: number;
  /** Folder with MNIST's idx files; undefined: the embedded digits take their place. */
  readonly dataDir?: string;
  /** Folder with measurements that take a checkout: `bench/results` of it. */
  readonly resultsDir: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: ExperimentProgress) => void;
}

/** The reproduction of one claim of the paper. */
export interface Experiment {
  /** On the command line and of its folder: lower case, digits and hyphens. */
  readonly name: string;
  readonly title: string;
  /** Of the paper. */
  readonly figure: string;
  /** What the paper claims there, in our words. */
  readonly claim: string;
  /** What is run here and how it differs from the paper's, in one or two sentences. */
  readonly method: string;
  /** Draws what was measured elsewhere, and runs nothing. */
  readonly drawsMeasurements?: boolean;
  /** Meta-trains its own weights; those of the context have no part in it. */
  readonly makesWeights?: boolean;
  /**
   * @throws the signal's reason when aborted; {MissingMeasurementsError} where measurements of a checkout are needed and not
   *   there; {MissingDataError} for images
   */
  run(context: ExperimentContext): Promise<ExperimentResult>;
}

/** An experiment draws what a command of a checkout measures, and that is not there. The message names file and command. */
export class MissingMeasurementsError extends Error {
  override readonly name = 'MissingMeasurementsError';
}
