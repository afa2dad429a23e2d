import type { OptimizerOptions } from '../optimizer/options';
import { adam, type MakeOptimizer } from './baselines';
import { learnedOptimizer } from './learned';
import { formatLoss, formatRate, formatRatio } from './format';
import { median, worst } from './statistics';
import type { Suite } from './suites';
import { columns, type Table } from './table';
import { weightsName } from './weightsName';
import { finalLoss, LAST_EVALUATIONS, meanOfLast, train } from './training';

/** Where an evaluation stands: steps done of all steps of all runs. */
export interface EvaluationProgress {
  readonly run: string;
  readonly done: number;
  readonly total: number;
}

export interface EvaluateOptions {
  readonly suite: Suite;
  /** Number of runs: their seeds are 0, 1, …, so that every evaluation sees the same starts and batches. */
  readonly seeds: number;
  /** Options of the learned optimizer: preset, weights, initial learning rate … */
  readonly optimizer: OptimizerOptions;
  readonly steps?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: EvaluationProgress) => void;
}

/** How one optimizer did over all seeds. Losses are mean training losses over all samples. */
export interface OptimizerResult {
  readonly name: string;
  readonly learningRate: number;
  /** Loss after the last step, per seed. */
  readonly finalLosses: readonly number[];
  /** Mean of the last five evaluations, per seed. */
  readonly lastFiveMeans: readonly number[];
  readonly median: number;
  readonly worst: number;
  readonly lastFiveMedian: number;
  /** Median final loss over that of the learned optimizer: above 1, the learned optimizer is better. */
  readonly ratio: number;
  readonly stepsPerSecond: number;
}

export interface Evaluation {
  readonly suite: string;
  readonly title: string;
  /** Name of the learned optimizer's weights. */
  readonly weights: string;
  readonly steps: number;
  readonly evaluateEvery: number;
  readonly seeds: number;
  /** The learned optimizer first. */
  readonly results: readonly OptimizerResult[];
  /** Median final loss of Adam at each rate tried; the tuned Adam has the rate with the lowest. */
  readonly tuning: readonly { readonly learningRate: number; readonly median: number }[];
}

/** Half-decades from 1e-4 to 1e-1. */
export const TUNING_RATES: readonly number[] = [-4, -3.5, -3, -2.5, -2, -1.5, -1].map((exponent) => 10 ** exponent);

const USUAL_ADAM_RATE = 1e-3;

/** Initial learning rate of the learned optimizer unless another is asked for. */
export const EVALUATION_LEARNING_RATE = 1e-3;

/**
 * Trains a suite's problem with the learned optimizer, with Adam at its usual rate and with Adam at the best of several
 * rates, on the same starts and batches.
 * @throws the signal's reason when aborted.
 */
export async function evaluate(options: EvaluateOptions): Promise<Evaluation> {
  const { suite, seeds } = options;
  const steps = options.steps ?? suite.steps;
  const problem = suite.problem();
  const total = seeds * steps * (1 + TUNING_RATES.length);
  let doneBefore = 0;

  const runAll = async (name: string, learningRate: number, make: MakeOptimizer): Promise<OptimizerResult> => {
    const finalLosses: number[] = [];
    const lastFiveMeans: number[] = [];
    let seconds = 0;
    for (let seed = 0; seed < seeds; seed++) {
      const run = `${name}, rate ${formatRate(learningRate)}, seed ${seed}`;
      const result = await train(problem, make, {
        seed,
        steps,
        evaluateEvery: suite.evaluateEvery,
        sampling: suite.sampling,
        signal: options.signal,
        onEvaluation: ({ step }) => options.onProgress?.({ run, done: doneBefore + step, total }),
      });
      doneBefore += steps;
      seconds += result.seconds;
      finalLosses.push(finalLoss(result.losses));
      lastFiveMeans.push(meanOfLast(result.losses));
    }
    return {
      name,
      learningRate,
      finalLosses,
      lastFiveMeans,
      median: median(finalLosses),
      worst: worst(finalLosses),
      lastFiveMedian: median(lastFiveMeans),
      ratio: NaN,
      stepsPerSecond: (seeds * steps) / seconds,
    };
  };

  const optimizerOptions = { initialLearningRate: EVALUATION_LEARNING_RATE, ...options.optimizer };
  const learned = await runAll(
    'learned optimizer',
    optimizerOptions.initialLearningRate,
    learnedOptimizer(optimizerOptions),
  );
  const adams: OptimizerResult[] = [];
  for (const learningRate of TUNING_RATES) adams.push(await runAll('Adam', learningRate, adam({ learningRate })));
  const usual = adams.find((result) => result.learningRate === USUAL_ADAM_RATE)!;
  const tuned = adams.reduce((best, result) => (result.median < best.median ? result : best));

  const compared = [learned, { ...usual, name: 'Adam, usual rate' }, { ...tuned, name: 'Adam, tuned rate' }];
  return {
    suite: suite.name,
    title: suite.title,
    weights: weightsName(options.optimizer),
    steps,
    evaluateEvery: suite.evaluateEvery,
    seeds,
    results: compared.map((result) => ({ ...result, ratio: result.median / learned.median })),
    tuning: adams.map(({ learningRate, median }) => ({ learningRate, median })),
  };
}

/** The comparison as a table. */
export function evaluationTable(evaluation: Evaluation): Table {
  return {
    columns: columns(
      'optimizer',
      'rate',
      'median loss',
      'worst loss',
      `median of last ${LAST_EVALUATIONS}`,
      'median / learned',
      'steps/s',
    ),
    rows: evaluation.results.map((result) => [
      result.name,
      formatRate(result.learningRate),
      formatLoss(result.median),
      formatLoss(result.worst),
      formatLoss(result.lastFiveMedian),
      formatRatio(result.ratio),
      Math.round(result.stepsPerSecond).toLocaleString('en'),
    ]),
  };
}
