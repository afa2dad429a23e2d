import type { StateBits } from '../../bindings/types';
import { loadDigits } from '../datasets/digits';
import { weightsArchitecture, weightsSchedule } from '../meta/config';
import type { MetaTrainingConfig } from '../meta/config';
import { initialWeights } from '../optimizer/initialWeights';
import { heldInitialRate } from '../optimizer/schedule';
import type { Weights } from '../optimizer/weights';
import type { Problem } from '../problems/problem';
import { learnedOptimizer } from './learned';
import { LOSS_FLOOR, runMetrics, type Outcome, type RunMetrics } from './metrics';
import { mean } from './statistics';
import type { Task } from './tasks/task';
import { VALIDATION_TASKS } from './tasks/validationTasks';
import { train } from './training';

export interface ValidationOptions {
  /** Starts and batches. Default: {@link VALIDATION_SEEDS}. */
  readonly seeds?: readonly number[];
  /** Initial learning rates, one for all parameters. Default: {@link VALIDATION_RATES}. */
  readonly initialRates?: readonly number[];
  /** Default: all of the suite. */
  readonly tasks?: readonly Task[];
  /** Native threads of each step. The networks are too small for more than one, the default. */
  readonly threads?: number;
  /** Bits per value of the optimizer's state. Default: 32. */
  readonly stateBits?: StateBits;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { readonly run: string; readonly done: number; readonly total: number }) => void;
}

/** One training run of the validation. */
export interface ValidationRow extends RunMetrics {
  readonly task: string;
  readonly initialRate: number;
  readonly seed: number;
  /** What it adds to the score, see {@link runScore}. */
  readonly score: number;
}

export interface Validation {
  /** Mean over tasks of the mean over runs of {@link runScore}: lower is better, −1 is a factor of ten in the loss. */
  readonly score: number;
  /** Mean score of each task. */
  readonly tasks: Readonly<Record<string, number>>;
  readonly stuck: number;
  readonly diverged: number;
  readonly rows: readonly ValidationRow[];
}

/** Starts and batches of a validation. */
export const VALIDATION_SEEDS: readonly number[] = [0, 1];

/** Low, customary and high. */
export const VALIDATION_RATES: readonly number[] = [1e-4, 1e-3, 1e-1];

const PENALTY: Readonly<Record<Outcome, number>> = { trained: 0, stuck: 2, diverged: 3 };

/**
 * log10 of the final loss (mean of the last five evaluations, at least 1e-8). A stuck run counts as if its loss were a
 * hundred times as large, and a diverged one as a thousand times its initial loss, whatever the loss it blew up to: an
 * optimizer that fails on some starts is not made good by excelling on others.
 */
export function runScore({ initialLoss, finalLoss, outcome }: RunMetrics): number {
  const loss = outcome === 'diverged' ? initialLoss : finalLoss;
  return Math.log10(Math.max(loss, LOSS_FLOOR)) + PENALTY[outcome];
}

const problems = new Map<Task, Problem>();

/** The task's problem, made once: data and start depend on nothing but seeds. */
function problemOf(task: Task): Problem {
  let problem = problems.get(task);
  if (!problem) problems.set(task, (problem = task.problem({ digits: loadDigits() })));
  return problem;
}

/**
 * Measures weights on the suite `validation`: every task from every seed and every initial rate. Deterministic.
 * @throws {RangeError} for an empty list of seeds, rates or tasks; the signal's reason when aborted.
 */
export async function validate(weights: Weights, options: ValidationOptions = {}): Promise<Validation> {
  const { seeds = VALIDATION_SEEDS, initialRates = VALIDATION_RATES, tasks = VALIDATION_TASKS } = options;
  for (const [name, list] of Object.entries({ seeds, initialRates, tasks })) {
    if (list.length === 0) throw new RangeError(`${name}: expected at least one, got none`);
  }
  const rows: ValidationRow[] = [];
  const total = tasks.length * initialRates.length * seeds.length;
  const ending = { stopOnDivergence: true, signal: options.signal };
  for (const task of tasks) {
    const problem = problemOf(task);
    for (const initialRate of initialRates) {
      const make = learnedOptimizer({
        weights,
        initialLearningRate: initialRate,
        threads: options.threads ?? 1,
        stateBits: options.stateBits,
      });
      for (const seed of seeds) {
        // Rates that the weights move to the same one give the same run.
        const counted = heldInitialRate(weights.metadata, initialRate);
        const same = rows.find(
          (row) =>
            row.task === task.name &&
            row.seed === seed &&
            heldInitialRate(weights.metadata, row.initialRate) === counted,
        );
        const metrics = same ?? runMetrics((await train(problem, make, { ...task, seed, ...ending })).losses);
        rows.push({ ...metrics, task: task.name, initialRate, seed, score: runScore(metrics) });
        options.onProgress?.({ run: `${task.name}, rate ${initialRate}, seed ${seed}`, done: rows.length, total });
      }
    }
  }
  const scores = Object.fromEntries(
    tasks.map(({ name }) => [name, mean(rows.filter((row) => row.task === name).map((row) => row.score))]),
  );
  const count = (outcome: Outcome): number => rows.filter((row) => row.outcome === outcome).length;
  return {
    score: mean(Object.values(scores)),
    tasks: scores,
    stuck: count('stuck'),
    diverged: count('diverged'),
    rows,
  };
}

/** Steps of the trial of each task. */
const TRIAL_STEPS = 100;

/** Seconds that the validation of a configuration's weights takes on this machine, by a few steps of every task. */
export async function estimateValidationSeconds(config: MetaTrainingConfig, signal?: AbortSignal): Promise<number> {
  const weights = initialWeights(weightsArchitecture(config), config.seed);
  const rates = new Set(VALIDATION_RATES.map((rate) => heldInitialRate(weightsSchedule(config), rate)));
  const make = learnedOptimizer({ weights, threads: 1 });
  let seconds = 0;
  for (const task of VALIDATION_TASKS) {
    const problem = problemOf(task);
    const started = performance.now();
    await train(problem, make, { ...task, steps: TRIAL_STEPS, seed: 0, signal });
    seconds += ((performance.now() - started) / 1000) * (task.steps / TRIAL_STEPS);
  }
  return seconds * rates.size * VALIDATION_SEEDS.length;
}
