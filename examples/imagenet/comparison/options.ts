import { Command, InvalidArgumentError, Option } from 'commander';
import { UsageError } from '../../../lib/cli/exit';
import { integerAtLeast, names, positiveNumbers } from '../../../lib/cli/options';
import type { Streams } from '../../../lib/cli/output';
import { DEFAULT_PRESET, presets } from '../../../lib/optimizer/presets';
import { MODEL_NAMES, MODELS } from '../models/index';
import type { ModelName } from '../models/index';
import { COMPARISON_FILES } from './records';

/** The command line, as commander gives it. */
export interface CompareOptions {
  readonly dataDir: string;
  readonly out: string;
  readonly networks: readonly ModelName[];
  readonly rates: readonly number[];
  readonly multipliers: readonly number[];
  readonly preset: string;
  readonly steps: number;
  readonly batchSize: number;
  readonly size: number;
  readonly seed: number;
  readonly evaluationImages: number;
  readonly pictures: boolean;
  readonly backend: 'node' | 'cpu';
  readonly json?: boolean;
}

/** Half-decades around the rates that suit these networks. */
const RATES = [1e-5, 3.16e-5, 1e-4, 3.16e-4, 1e-3];

const HELP = `
The data folder holds idx files as MNIST and Fashion-MNIST have them, .gz or not: train-images-idx3-ubyte and its labels to train, t10k-… to evaluate. With
one pair of files only, its first four fifths train.

From the same start and on the same batches each network is trained with the learned optimizer (as it comes, and with each of --multipliers) and with Adam at each rate,
run after run, each in a process of its own. Then it is evaluated on images spread evenly over those that are not trained on. A run whose loss is no longer finite is recorded as diverged.

The folder of the comparison holds:
  ${COMPARISON_FILES.runs}             settings; all runs with the loss and the milliseconds of every step, and the evaluation
  ${COMPARISON_FILES.curves}           the same curves, a line for each step
  NETWORK-loss.svg, .png         loss against the step
  NETWORK-step-time.svg, .png    milliseconds of a step

Ctrl-C stops; finished runs are kept, and the same line goes on with the others. Step times of runs that follow one another meet whatever else the machine does: for the
ratio of two optimizers use npm run bench:training, which takes turns.

Exit codes: 0 done, 1 something failed, 2 wrong command line, 130 interrupted.

Examples:
  $ npm run experiment:imagenet -- --data-dir mnist --networks tiny-resnetv2 --steps 20 --size 32 --out out/try
      a first try, a few minutes
  $ npm run experiment:imagenet -- --data-dir mnist
      both networks, 12 runs of 500 steps: hours on two cores
  $ npm run experiment:imagenet -- --data-dir mnist --networks resnet50v2 --rates 1e-4,1e-3 --json
      some of it, with the figures as JSON
`;

function networks(text: string): ModelName[] {
  return names(text).map((name) => {
    const found = MODEL_NAMES.find((known) => known === name);
    if (found === undefined)
      throw new InvalidArgumentError(`Expected some of ${MODEL_NAMES.join(', ')}, got '${name}'.`);
    return found;
  });
}

export function createCommand({ out, err }: Streams): Command {
  return new Command('npm run experiment:imagenet --')
    .description('Trains image networks on real images with the learned optimizer beside Adam tuned over its rate.')
    .requiredOption('--data-dir <folder>', 'idx files, see below')
    .option('--out <folder>', 'folder of the comparison', 'out/imagenet-comparison')
    .option('--networks <list>', `some of ${MODEL_NAMES.join(', ')}`, networks, ['resnet50v2', 'inceptionv3'])
    .option('--rates <list>', 'learning rates of Adam', positiveNumbers, RATES)
    .option(
      '--multipliers <list>',
      'also the learned optimizer with its steps times each of these, without warm-up',
      positiveNumbers,
      [],
    )
    .addOption(
      new Option('--preset <name>', 'weights of the learned optimizer')
        .choices(presets().map(({ name }) => name))
        .default(DEFAULT_PRESET),
    )
    .option('--steps <n>', 'steps of each run', integerAtLeast(1), 500)
    .option('--batch-size <n>', 'images per step', integerAtLeast(1), 16)
    .option('--size <pixels>', 'height and width that images are scaled to', integerAtLeast(1), 75)
    .option('--seed <n>', 'of initial weights and order', integerAtLeast(1), 1)
    .option('--evaluation-images <n>', 'evaluate on at most so many', integerAtLeast(1), 1000)
    .option('--no-pictures', 'write the data only')
    .addOption(
      new Option('--backend <name>', 'of TensorFlow.js; cpu is very slow').choices(['node', 'cpu']).default('node'),
    )
    .option('--json', 'print one JSON document at the end, errors too')
    .addHelpText('after', HELP)
    .configureOutput({ writeOut: (text) => void out.write(text), writeErr: (text) => void err.write(text) })
    .showHelpAfterError('(add --help for the options and examples)')
    .allowExcessArguments(false)
    .exitOverride();
}

/** @throws {UsageError} if a network cannot take images of the size */
export function checkSize({ networks: chosen, size }: CompareOptions): void {
  for (const name of chosen) {
    const { smallest } = MODELS[name];
    if (size < smallest) throw new UsageError(`--size: ${name} needs at least ${smallest} pixels, got ${size}`);
  }
}
