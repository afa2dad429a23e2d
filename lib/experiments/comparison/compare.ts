import type { StateBits } from '../../../bindings/types';
import type { Weights } from '../../optimizer/weights';
import { LOSS_FLOOR, type RunMetrics } from '../metrics';
import { geometricMean, mean } from '../statistics';
import type { Task, TaskData } from '../tasks/task';
import { BASELINES, learnedContestant, TUNED_RATES, type Contestant } from './contestants';
import type { RunCache } from './runCache';
import { TaskRunner } from './runner';
import { meanFinalLoss, tuneRate, tuningRuns } from './tuning';

/** Runs of one optimizer at one rate, one per seed. */
export interface RateRuns {
  readonly rate: number;
  readonly runs: readonly RunMetrics[];
}

export interface BaselineResult {
  readonly name: string;
  readonly title: string;
  readonly tuned: RateRuns;
  readonly customary: RateRuns;
}

/** Final losses of the learned optimizer over those of another, seed by seed: both saw the same start and batches. */
export interface Ratio {
  /** Geometric mean over the seeds; below 1 the learned optimizer is better. */
  readonly mean: number;
  readonly lowest: number;
  /** The ratio of the worst seed. */
  readonly highest: number;
  readonly worstSeed: number;
}

export interface TaskComparison {
  readonly task: string;
  readonly title: string;
  readonly steps: number;
  /** From its customary initial rate. */
  readonly learned: RateRuns;
  /** From other initial rates. */
  readonly learnedFromOtherRates: readonly RateRuns[];
  readonly baselines: readonly BaselineResult[];
  /** The tuned baseline with the lowest final loss on the reported seeds. */
  readonly best: BaselineResult;
  readonly ratioToBest: Ratio;
  readonly ratioToTunedAdam: Ratio;
  readonly ratioToCustomaryAdam: Ratio;
  /** Mean over seeds of the mean log loss relative to the start. */
  readonly meanLogLoss: { readonly learned: number; readonly tunedAdam: number; readonly customaryAdam: number };
}

export interface Comparison {
  readonly weights: string;
  readonly seeds: readonly number[];
  readonly tasks: readonly TaskComparison[];
  /** Geometric mean over tasks of the ratio to the best tuned baseline. */
  readonly ratioToBest: number;
}

export interface ComparisonProgress {
  readonly run: string;
  /** Training steps, those of runs that the cache had included. */
  readonly done: number;
  readonly total: number;
}

export interface ComparisonOptions {
  readonly tasks: readonly Task[];
  readonly data: TaskData;
  readonly cache: RunCache;
  /** Seeds reported. They must not be among the tuning seeds. */
  readonly seeds: readonly number[];
  /** Initial rates of the learned optimizer besides its customary one. */
  readonly initialRates: readonly number[];
  /** Instead of the tasks' own steps. */
  readonly steps?: number;
  /** Bits per value of the learned optimizer's state. Default: 32. */
  readonly stateBits?: StateBits;
  /** Default: {@link BASELINES}. {@link REFERENCE_BASELINE} must be among them. */
  readonly baselines?: readonly Contestant[];
  /** Default: {@link TUNED_RATES}. */
  readonly tunedRates?: readonly number[];
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: ComparisonProgress) => void;
  /** After each task. */
  readonly onTask?: (task: string) => void;
}

/** The baseline that every comparison has: criteria name it. */
export const REFERENCE_BASELINE = 'adam';

class Progress {
  #done = 0;
  constructor(
    private readonly total: number,
    private readonly report: ComparisonOptions['onProgress'],
  ) {}

  readonly add = (run: string, steps: number): void => {
    this.#done += steps;
    this.report?.({ run, done: this.#done, total: this.total });
  };
}

function stepsOf(options: ComparisonOptions, runsPerTask: number): number {
  return options.tasks.reduce((sum, task) => sum + runsPerTask * (options.steps ?? task.steps), 0);
}

function runnerFor(task: Task, options: ComparisonOptions, progress: Progress): TaskRunner {
  const { data, cache, steps, signal } = options;
  return new TaskRunner(task, { data, cache, steps, signal, onSteps: progress.add });
}

/** Runs the baselines of one task: tunes each, then runs it on the reported seeds, tuned and at its customary rate. */
async function runBaselines(runner: TaskRunner, options: ComparisonOptions): Promise<BaselineResult[]> {
  const { baselines = BASELINES, tunedRates = TUNED_RATES, seeds } = options;
  const results: BaselineResult[] = [];
  for (const contestant of baselines) {
    const rate = await tuneRate(runner, contestant, tunedRates);
    results.push({
      name: contestant.name,
      title: contestant.title,
      tuned: { rate, runs: await runner.runs(contestant, rate, seeds) },
      customary: {
        rate: contestant.customaryRate,
        runs: await runner.runs(contestant, contestant.customaryRate, seeds),
      },
    });
  }
  return results;
}

function baselineRuns({ baselines = BASELINES, tunedRates = TUNED_RATES, seeds }: ComparisonOptions): number {
  return baselines.length * (tuningRuns(tunedRates) + 2 * seeds.length);
}

/** Fills the cache with the baselines' runs, without a learned optimizer. */
export async function prepareBaselines(options: Omit<ComparisonOptions, 'initialRates'>): Promise<void> {
  const complete = { ...options, initialRates: [] };
  const progress = new Progress(stepsOf(complete, baselineRuns(complete)), options.onProgress);
  try {
    for (const task of options.tasks) {
      await runBaselines(runnerFor(task, complete, progress), complete);
      options.onTask?.(task.name);
    }
  } finally {
    options.cache.save();
  }
}

/**
 * Trains every task with the learned optimizer, untuned, and with the baselines, tuned and at their customary rates, from
 * the same starts on the same batches.
 * @throws the signal's reason when aborted; what was run is in the cache then.
 */
export async function compare(weights: Weights, options: ComparisonOptions): Promise<Comparison> {
  const contestant = learnedContestant(weights, undefined, options.stateBits);
  const others = options.initialRates.filter((rate) => rate !== contestant.customaryRate);
  const learnedRuns = (1 + others.length) * options.seeds.length;
  const progress = new Progress(stepsOf(options, learnedRuns + baselineRuns(options)), options.onProgress);
  const tasks: TaskComparison[] = [];
  try {
    for (const task of options.tasks) {
      const runner = runnerFor(task, options, progress);
      const baselines = await runBaselines(runner, options);
      const runsFrom = async (rate: number): Promise<RateRuns> => ({
        rate,
        runs: await runner.runs(contestant, rate, options.seeds),
      });
      const learned = await runsFrom(contestant.customaryRate);
      const learnedFromOtherRates: RateRuns[] = [];
      for (const rate of others) learnedFromOtherRates.push(await runsFrom(rate));
      tasks.push(summarise(task, runner.steps, options.seeds, learned, learnedFromOtherRates, baselines));
      options.onTask?.(task.name);
    }
  } finally {
    options.cache.save();
  }
  return {
    weights: weights.metadata.name,
    seeds: options.seeds,
    tasks,
    ratioToBest: geometricMean(tasks.map(({ ratioToBest }) => ratioToBest.mean)),
  };
}

/** What is known of one task once all its runs are there. */
export function summarise(
  task: Pick<Task, 'name' | 'title'>,
  steps: number,
  seeds: readonly number[],
  learned: RateRuns,
  learnedFromOtherRates: readonly RateRuns[],
  baselines: readonly BaselineResult[],
): TaskComparison {
  const best = baselines.reduce((a, b) => (meanFinalLoss(b.tuned.runs) < meanFinalLoss(a.tuned.runs) ? b : a));
  const adam = baselines.find(({ name }) => name === REFERENCE_BASELINE)!;
  const meanLog = ({ runs }: RateRuns): number => mean(runs.map(({ meanLogLoss }) => meanLogLoss));
  return {
    task: task.name,
    title: task.title,
    steps,
    learned,
    learnedFromOtherRates,
    baselines,
    best,
    ratioToBest: ratioOf(learned, best.tuned, seeds),
    ratioToTunedAdam: ratioOf(learned, adam.tuned, seeds),
    ratioToCustomaryAdam: ratioOf(learned, adam.customary, seeds),
    meanLogLoss: {
      learned: meanLog(learned),
      tunedAdam: meanLog(adam.tuned),
      customaryAdam: meanLog(adam.customary),
    },
  };
}

/** Seeds on which both diverged count as equal. */
export function ratioOf(learned: RateRuns, other: RateRuns, seeds: readonly number[]): Ratio {
  const ratios = learned.runs.map((run, i) => {
    const [a, b] = [run, other.runs[i]].map(({ finalLoss }) => Math.max(finalLoss, LOSS_FLOOR));
    return a === b ? 1 : a / b;
  });
  const highest = Math.max(...ratios);
  return {
    mean: geometricMean(ratios),
    lowest: Math.min(...ratios),
    highest,
    worstSeed: seeds[ratios.indexOf(highest)],
  };
}
