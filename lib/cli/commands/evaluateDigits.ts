import { evaluate, EVALUATION_LEARNING_RATE, evaluationTable } from '../../experiments/evaluate';
import { formatCount, formatLoss } from '../../experiments/format';
import { SUITES } from '../../experiments/suites';
import type { Context } from '../context';
import { ExpectationMissed } from '../exit';
import { optimizerOptions } from '../options';
import { printJson, printLine, tableText } from '../output';
import { createProgress } from '../progress';
import type { EvaluateCommandOptions } from './evaluate';

const DEFAULT_SEEDS = 5;

/** One digits network beside Adam at its usual and at its best rate: quick, and a check for CI. */
export async function evaluateDigits(options: EvaluateCommandOptions, { streams, signal }: Context): Promise<void> {
  const suite = SUITES[options.suite];
  const seeds = options.seeds ?? DEFAULT_SEEDS;
  const optimizer = {
    ...optimizerOptions(options),
    initialLearningRate: options.learningRate ?? EVALUATION_LEARNING_RATE,
  };
  const progress = createProgress(streams);
  const steps = options.steps ?? suite.steps;
  if (!options.json) {
    printLine(streams, `${suite.title}; ${formatCount(steps)} steps, ${seeds} ${seeds === 1 ? 'seed' : 'seeds'}`);
  }
  const evaluation = await evaluate({
    suite,
    seeds,
    steps: options.steps,
    optimizer,
    signal,
    onProgress: ({ run, done, total }) => progress.update('evaluating', done, total, run),
  }).finally(() => progress.stop());

  const limit = options.expectMedian;
  const { median } = evaluation.results[0];
  const expectation = limit === undefined ? undefined : { median, limit, met: median <= limit };
  if (options.json) {
    printJson(streams, { ...evaluation, expectation });
  } else {
    printLine(streams, tableText(evaluationTable(evaluation)));
    if (expectation?.met) printLine(streams, `expected a median of at most ${limit}: met (${formatLoss(median)})`);
  }
  if (expectation && !expectation.met) {
    throw new ExpectationMissed(`--expect-median: expected at most ${limit}, got ${formatLoss(median)}`);
  }
}
