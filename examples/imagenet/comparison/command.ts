import type { Context } from '../../../lib/cli/context';
import { Interrupted, UsageError } from '../../../lib/cli/exit';
import { note, printJson, printLine, tableText } from '../../../lib/cli/output';
import { createProgress } from '../../../lib/cli/progress';
import { runScript } from '../../../lib/cli/runScript';
import { requireChartPackages } from '../../../lib/experiments/chart';
import { formatLoss } from '../../../lib/experiments/format';
import { fingerprint } from '../data/fingerprint';
import { LayoutError, openSource } from '../data/source';
import type { ImageSource } from '../data/source';
import { checkSize, createCommand } from './options';
import type { CompareOptions } from './options';
import { runInProcess } from './processes';
import { contenderName, readComparison, writeComparison } from './records';
import type { Comparison, RunRecord, Settings } from './records';
import { summaries, summaryTable, writePictures } from './report';
import { contendersOf, makeRuns } from './runs';
import type { Job, StepReport } from './train';

/** How a run is made; a test makes it in its own process, or not at all. */
export type RunJob = (job: Job, signal: AbortSignal, onStep: (report: StepReport) => void) => Promise<RunRecord>;

async function openIdx({ dataDir, batchSize }: CompareOptions): Promise<ImageSource> {
  const source = await openSource(dataDir).catch((error: unknown) => {
    throw error instanceof LayoutError ? new UsageError(`--data-dir ${error.message}`) : error;
  });
  if (source.kind !== 'idx') {
    throw new UsageError(`--data-dir ${dataDir}: expected idx files, got folders of images, which train.ts is for`);
  }
  const count = source.train.labels.length;
  if (batchSize > count) {
    throw new UsageError(`--batch-size: expected at most ${count}, the number of training images, got ${batchSize}`);
  }
  return source;
}

async function compare(options: CompareOptions, context: Context, runJob: RunJob): Promise<void> {
  const { streams, signal } = context;
  const { dataDir, out, backend, steps, batchSize, size, seed, preset } = options;
  checkSize(options);
  if (options.pictures) await requireChartPackages();
  const source = await openIdx(options);
  note(streams, source.provenance);
  const evaluationImages = Math.min(options.evaluationImages, source.evaluation!.labels.length);
  const settings: Settings = { steps, batchSize, size, seed, evaluationImages, preset, data: fingerprint(source) };
  const progress = createProgress(streams);
  let comparison: Comparison;
  try {
    comparison = await makeRuns(
      contendersOf(options.networks, options.rates, options.multipliers),
      readComparison(out, settings),
      {
        run: (contender, onStep) => runJob({ contender, settings, dataDir, backend }, signal, onStep),
        save: (current) => writeComparison(out, current),
        say: (text) => note(streams, text),
        onStep: (contender, { step, loss, ms }) =>
          progress.update(contenderName(contender), step, steps, `loss ${formatLoss(loss)}, ${ms.toFixed(0)} ms`),
      },
    );
  } catch (error) {
    if (signal.aborted) throw new Interrupted(`interrupted; finished runs are in ${out}, the same line goes on`);
    throw error;
  } finally {
    progress.stop();
  }
  const pictures = options.pictures ? await writePictures(out, comparison) : [];
  if (options.json) return printJson(streams, { out, settings, runs: summaries(comparison), pictures });
  printLine(streams, tableText(summaryTable(comparison)));
  printLine(streams, `data and pictures: ${out}`);
}

/**
 * Runs the command line.
 * @param args without the program's name
 * @returns the exit code; what went wrong has been written
 */
export async function runCompare(
  args: readonly string[],
  context: Context,
  runJob: RunJob = runInProcess,
): Promise<number> {
  const command = createCommand(context.streams).action((options: CompareOptions) => compare(options, context, runJob));
  return runScript('compare.ts', command, args, context.streams);
}
