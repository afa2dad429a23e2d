import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic } from '../../atomicFile';
import { CurveCache } from './curveCache';
import {
  MissingMeasurementsError,
  type Experiment,
  type ExperimentContext,
  type ExperimentProgress,
} from './experiment';
import { readExperiments, writeExperiment, type Provenance, type WrittenExperiment } from './folder';
import { EXPERIMENTS } from './registry';
import { experimentsHtml } from './report';

export interface ExperimentsOptions extends Omit<ExperimentContext, 'cache' | 'runsDir' | 'onProgress'> {
  readonly experiments: readonly Experiment[];
  /** Folder for everything: `index.html`, a folder for each experiment, `runs` with the finished runs. */
  readonly out: string;
  readonly pictures: boolean;
  readonly provenance: (experiment: Experiment) => Provenance;
  /** Go on without experiments whose measurements are missing. */
  readonly skipMissing: boolean;
  readonly onProgress?: (experiment: Experiment, progress: ExperimentProgress) => void;
  /** After each experiment, when its files are written. */
  readonly onDone?: (written: WrittenExperiment) => void;
}

export interface ExperimentsResult {
  readonly written: readonly WrittenExperiment[];
  readonly skipped: readonly { readonly name: string; readonly reason: string }[];
  /** Path of the report. */
  readonly report: string;
}

/**
 * Runs experiments one after the other and writes their folders and the report, which shows all experiments of the output folder,
 * those of before too. Runs that are finished are kept: the same call after an interruption goes on where it was.
 * @throws the signal's reason when aborted; {MissingMeasurementsError} unless `skipMissing`; {ChartPackagesError} if pictures
 *   are wanted and a drawing package is missing
 */
export async function runExperiments(options: ExperimentsOptions): Promise<ExperimentsResult> {
  const { experiments, out, pictures, skipMissing } = options;
  const runsDir = join(out, 'runs');
  const cache = new CurveCache(runsDir);
  const report = join(out, 'index.html');
  const written: WrittenExperiment[] = [];
  const skipped: { name: string; reason: string }[] = [];
  mkdirSync(out, { recursive: true });
  try {
    for (const experiment of experiments) {
      const onProgress = (progress: ExperimentProgress): void => options.onProgress?.(experiment, progress);
      try {
        const result = await experiment.run({ ...options, cache, runsDir, onProgress });
        const { quick } = options.effort;
        const folder = join(out, experiment.name);
        const files = { quick, pictures };
        written.push(await writeExperiment(folder, experiment, result, options.provenance(experiment), files));
      } catch (error) {
        if (!(skipMissing && error instanceof MissingMeasurementsError)) throw error;
        skipped.push({ name: experiment.name, reason: error.message });
        continue;
      } finally {
        cache.save();
      }
      const names = EXPERIMENTS.map(({ name }) => name);
      writeFileAtomic(report, Buffer.from(experimentsHtml(readExperiments(out, names))));
      options.onDone?.(written[written.length - 1]);
    }
  } finally {
    cache.save();
  }
  return { written, skipped, report };
}
