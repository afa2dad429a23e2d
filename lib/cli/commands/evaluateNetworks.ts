import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compare, prepareBaselines, REFERENCE_BASELINE } from '../../experiments/comparison/compare';
import { BASELINES } from '../../experiments/comparison/contestants';
import { criteria } from '../../experiments/comparison/criteria';
import { RunCache } from '../../experiments/comparison/runCache';
import {
  adamTable,
  baselineTable,
  criteriaText,
  rateTable,
  ratioTable,
  runsCsv,
} from '../../experiments/comparison/tables';
import { loadTaskData, MissingDataError } from '../../experiments/tasks/data';
import { NETWORK_TASKS } from '../../experiments/tasks/networkTasks';
import { DEFAULT_PRESET, loadWeights } from '../../optimizer/presets';
import { packageRoot } from '../../packageRoot';
import type { Context } from '../context';
import { UsageError } from '../exit';
import { chosen, optimizerOptions, seedsOf } from '../options';
import { note, printJson, printLine, tableText } from '../output';
import { createProgress, downloadProgress } from '../progress';
import type { EvaluateCommandOptions } from './evaluate';

const DEFAULT_SEEDS = 5;

/** Runs of the baselines that ship. */
const SHIPPED_BASELINES = join(packageRoot, 'data', 'baselines', 'networks.json');

/** The networks that releases are measured on, beside tuned and untuned baselines, with the release's criteria. */
export async function evaluateNetworks(options: EvaluateCommandOptions, { streams, signal }: Context): Promise<void> {
  const tasks = chosen(NETWORK_TASKS, options.tasks);
  const optimizer = optimizerOptions(options);
  const baselines = chosen(BASELINES, options.baselines, '--baselines');
  if (!baselines.some(({ name }) => name === REFERENCE_BASELINE)) {
    const got = baselines.map(({ name }) => name).join(',');
    throw new UsageError(`--baselines: expected ${REFERENCE_BASELINE} among them, got ${got}`);
  }
  const cache = new RunCache(options.cache, SHIPPED_BASELINES);
  const progress = createProgress(streams);
  const data = await loadTaskData(tasks, {
    dataDir: options.dataDir,
    signal,
    onProgress: downloadProgress(progress),
  }).catch((error: Error) => {
    progress.stop();
    throw error instanceof MissingDataError ? new UsageError(error.message, { cause: error }) : error;
  });
  const common = {
    tasks,
    data,
    cache,
    seeds: seedsOf(options, DEFAULT_SEEDS),
    steps: options.steps,
    baselines,
    signal,
    onProgress: ({ run, done, total }: { run: string; done: number; total: number }) =>
      progress.update('evaluating', done, total, run),
  };
  if (options.baselinesOnly) {
    await prepareBaselines(common).finally(() => progress.stop());
    if (options.json) return printJson(streams, { runs: cache.size });
    return printLine(streams, `${cache.size} runs in ${options.cache}`);
  }
  const weights = optimizer.weights ?? loadWeights(optimizer.preset ?? DEFAULT_PRESET);
  const comparison = await compare(weights, {
    ...common,
    initialRates: options.initialRates ?? [],
    stateBits: optimizer.stateBits,
  }).finally(() => progress.stop());
  const judged = criteria(comparison);
  if (options.csv !== undefined) {
    writeFileSync(options.csv, runsCsv(comparison));
    note(streams, `every run is in ${options.csv}`);
  }
  if (options.json) return printJson(streams, { ...comparison, criteria: judged });
  printLine(streams, tableText(ratioTable(comparison)));
  printLine(streams, tableText(adamTable(comparison)));
  if (options.initialRates) printLine(streams, tableText(rateTable(comparison)));
  printLine(streams, tableText(baselineTable(comparison)));
  printLine(streams, criteriaText(judged));
}
