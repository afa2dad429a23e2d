import { Option, type Command } from 'commander';
import { evaluate, EVALUATION_LEARNING_RATE, evaluationTable } from '../../experiments/evaluate';
import { formatCount, formatLoss } from '../../experiments/format';
import { SUITES } from '../../experiments/suites';
import type { Context } from '../context';
import { ExpectationMissed } from '../exit';
import { integerAtLeast, optimizerOptions, positiveNumber } from '../options';
import { printJson, printLine, tableText } from '../output';
import { createProgress } from '../progress';

interface EvaluateCommandOptions {
  suite: string;
  preset?: string;
  weights?: string;
  seeds: number;
  steps?: number;
  learningRate: number;
  expectMedian?: number;
  json?: boolean;
}

const HELP = `
Losses are the mean over all training samples: after the last step, and as the mean of the last five evaluations (every 50 steps).
"tuned rate" is the rate between 1e-4 and 1e-1, in half-decades, at which Adam's median loss is lowest. Seeds are 0, 1, 2 …

Exit code 3 if --expect-median is given and the learned optimizer's median final loss is above it.

Examples:
  $ learned-optimizer evaluate
      the digits network, 5 seeds, 2,000 steps
  $ learned-optimizer evaluate --expect-median 1e-4
      the same as a check in CI
  $ learned-optimizer evaluate --weights mine.safetensors --seeds 20 --json > mine.json
      weights of your own, all losses as JSON
`;

async function evaluateCommand(options: EvaluateCommandOptions, { streams, signal }: Context): Promise<void> {
  const suite = SUITES[options.suite];
  const optimizer = { ...optimizerOptions(options), initialLearningRate: options.learningRate };
  const progress = createProgress(streams);
  const steps = options.steps ?? suite.steps;
  if (!options.json) {
    printLine(
      streams,
      `${suite.title}; ${formatCount(steps)} steps, ${options.seeds} ${options.seeds === 1 ? 'seed' : 'seeds'}`,
    );
  }
  const evaluation = await evaluate({
    suite,
    seeds: options.seeds,
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

export function addEvaluateCommand(program: Command, context: Context): void {
  program
    .command('evaluate')
    .summary('measure the final training loss over several seeds beside Adam, usual and tuned')
    .description(
      'Trains a problem from several fixed starts with the learned optimizer, with Adam at 1e-3 and with Adam at the best of several\n' +
        'rates, on plain Float32Arrays, and compares the final training losses.',
    )
    .addOption(new Option('--suite <name>', 'what to train').choices(Object.keys(SUITES)).default('digits'))
    .option('--preset <name>', 'weights of the learned optimizer that ship; see "learned-optimizer presets"')
    .option('--weights <file>', 'weights of the learned optimizer of your own (.safetensors)')
    .option('--seeds <n>', 'runs of each optimizer', integerAtLeast(1), 5)
    .option('--steps <n>', "training steps of each run (default: the suite's)", integerAtLeast(1))
    .option(
      '--learning-rate <x>',
      'initial learning rate of the learned optimizer',
      positiveNumber,
      EVALUATION_LEARNING_RATE,
    )
    .option('--expect-median <x>', 'largest median final loss to accept; exit code 3 beyond it', positiveNumber)
    .option('--json', 'print one JSON document with the losses of all seeds instead of the table')
    .addHelpText('after', HELP)
    .action((options: EvaluateCommandOptions) => evaluateCommand(options, context));
}
