import { Option, type Command } from 'commander';
import type { StateBits } from '../../../bindings/types';
import { EVALUATION_LEARNING_RATE } from '../../experiments/evaluate';
import { SUITES } from '../../experiments/suites';
import type { Context } from '../context';
import { UsageError } from '../exit';
import { finiteNumber, integerAtLeast, names, positiveNumber, positiveNumbers, stateBits } from '../options';
import { evaluateDigits } from './evaluateDigits';
import { evaluateNetworks } from './evaluateNetworks';
import { evaluateValidation } from './evaluateValidation';

export interface EvaluateCommandOptions {
  suite: string;
  preset?: string;
  weights?: string;
  seeds?: number;
  firstSeed?: number;
  steps?: number;
  stateBits?: StateBits;
  learningRate?: number;
  expectMedian?: number;
  expectScore?: number;
  tasks?: string[];
  initialRates?: number[];
  dataDir?: string;
  cache?: string;
  baselines?: string[];
  baselinesOnly?: boolean;
  csv?: string;
  json?: boolean;
}

const HELP = `
Suites:
  digits, digits-epochs   one network on the embedded digits, batches with or without replacement, beside Adam at 1e-3 and at the
                          best of seven rates. Losses are the mean over all training samples: after the last step, and as the
                          mean of the last five evaluations (every 50 steps)
  validation              thirteen small tasks from three initial rates, without baselines: the score that meta-training selects by
  networks                eight networks beside Adam, SGD with momentum and RMSProp, each tuned over half-decades 1e-4…1 with
                          seeds of its own and at its customary rate, with the criteria of a release. The baselines' runs ship
                          with the package; those of the learned optimizer take minutes to an hour. MNIST is downloaded unless
                          --data-dir has it

Seeds are 0, 1, 2 … Exit code 3 if --expect-median is given and the learned optimizer's median final loss is above it, or
--expect-score and the score is above it.

Examples:
  $ learned-optimizer evaluate
      the digits network, 5 seeds, 2,000 steps
  $ learned-optimizer evaluate --expect-median 1e-4
      the same as a check in CI
  $ learned-optimizer evaluate --weights mine.safetensors --seeds 20 --json > mine.json
      weights of your own, all losses as JSON
  $ learned-optimizer evaluate --suite networks --data-dir mnist/ --cache runs.json --initial-rates 1e-6,1e-4,1e-2,1e-1
      all networks; interrupted, the same command goes on where it was
`;

type SuiteCommand = (options: EvaluateCommandOptions, context: Context) => Promise<void>;

const ONLY_DIGITS = ['learningRate', 'expectMedian'] as const;
const ONLY_VALIDATION = ['expectScore'] as const;
const ONLY_NETWORKS = ['dataDir', 'cache', 'baselines', 'baselinesOnly', 'csv'] as const;
const NOT_DIGITS = ['tasks', 'initialRates', 'firstSeed'] as const;

/** How each suite is run, and the options that mean nothing to it. */
const SUITE_COMMANDS: Readonly<
  Record<string, { run: SuiteCommand; foreign: readonly (keyof EvaluateCommandOptions)[] }>
> = {
  ...Object.fromEntries(
    Object.keys(SUITES).map((name) => [
      name,
      { run: evaluateDigits, foreign: [...ONLY_NETWORKS, ...ONLY_VALIDATION, ...NOT_DIGITS] },
    ]),
  ),
  validation: { run: evaluateValidation, foreign: [...ONLY_DIGITS, ...ONLY_NETWORKS] },
  networks: { run: evaluateNetworks, foreign: [...ONLY_DIGITS, ...ONLY_VALIDATION] },
};

const flag = (option: string): string => `--${option.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

function runSuite(options: EvaluateCommandOptions, context: Context): Promise<void> {
  const { run, foreign } = SUITE_COMMANDS[options.suite];
  const misplaced = foreign.find((option) => options[option] !== undefined);
  if (misplaced) throw new UsageError(`${flag(misplaced)}: the suite ${options.suite} does not take it`);
  if (options.baselinesOnly && options.cache === undefined) {
    throw new UsageError('--baselines-only: expected --cache FILE to keep the runs in, got none');
  }
  return run(options, context);
}

export function addEvaluateCommand(program: Command, context: Context): void {
  program
    .command('evaluate')
    .summary('measure final training losses over several seeds beside other optimizers, usual and tuned')
    .description(
      'Trains the networks of a suite from fixed starts on fixed batches with the learned optimizer and with others, on plain\n' +
        'Float32Arrays, and compares the training losses.',
    )
    .addOption(new Option('--suite <name>', 'what to train').choices(Object.keys(SUITE_COMMANDS)).default('digits'))
    .option('--preset <name>', 'weights of the learned optimizer that ship; see "learned-optimizer presets"')
    .option('--weights <file>', 'weights of the learned optimizer of your own (.safetensors)')
    .option('--state-bits <n>', "bits per value of the learned optimizer's state, 32 or 16 (default: 32)", stateBits)
    .option('--seeds <n>', 'runs of each optimizer (default: 5, of validation 2)', integerAtLeast(1))
    .option('--first-seed <n>', 'validation, networks: seeds from this one on (default: 0)', integerAtLeast(0))
    .option('--steps <n>', "training steps of each run (default: the suite's)", integerAtLeast(1))
    .option(
      '--learning-rate <x>',
      `digits: initial learning rate of the learned optimizer (default: ${EVALUATION_LEARNING_RATE})`,
      positiveNumber,
    )
    .option('--expect-median <x>', 'digits: largest median final loss to accept; exit code 3 beyond it', positiveNumber)
    .option('--expect-score <x>', 'validation: highest score to accept; exit code 3 beyond it', finiteNumber)
    .option('--tasks <a,b>', 'validation, networks: only these tasks', names)
    .option(
      '--initial-rates <x,y>',
      "validation, networks: initial learning rates of the learned optimizer (networks: besides the weights' own)",
      positiveNumbers,
    )
    .option('--data-dir <folder>', 'networks: folder with the t10k files of MNIST (default: a folder of your cache)')
    .option('--cache <file>', 'networks: JSON file to keep finished runs in and to take them from')
    .option('--baselines <a,b>', 'networks: only these of adam, momentum, rmsprop; adam must be one', names)
    .option('--baselines-only', 'networks: run the baselines into the cache and stop')
    .option('--csv <file>', 'networks: write every run to this file')
    .option('--json', 'print one JSON document with the losses of all seeds instead of tables')
    .addHelpText('after', HELP)
    .action((options: EvaluateCommandOptions) => runSuite(options, context));
}
