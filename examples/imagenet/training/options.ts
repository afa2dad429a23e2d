import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { UsageError } from '../../../lib/cli/exit';
import { integerAtLeast, optimizerOptions, positiveNumber } from '../../../lib/cli/options';
import type { Streams } from '../../../lib/cli/output';
import { AUGMENTATIONS } from '../data/augment';
import type { Augmentation } from '../data/augment';
import { MODEL_NAMES, MODELS } from '../models/index';
import type { ModelName } from '../models/index';
import { RUN_FILES } from './log';
import { OPTIMIZERS } from './optimizers';
import type { OptimizerChoice, OptimizerName } from './optimizers';

/** The command line, as commander gives it. */
export interface TrainOptions {
  readonly dataDir: string;
  readonly model: ModelName;
  readonly size?: number;
  readonly out: string;
  readonly resume?: boolean;
  readonly optimizer: OptimizerName;
  readonly learningRate?: number;
  readonly preset?: string;
  readonly weights?: string;
  readonly multiplier?: number;
  readonly warmupSteps?: number;
  readonly steps?: number;
  readonly epochs: number;
  readonly batchSize: number;
  readonly seed: number;
  readonly augment?: Augmentation;
  readonly skipDamaged: boolean;
  readonly evaluateEvery?: number;
  readonly evaluationImages?: number;
  readonly workers: number;
  readonly prefetch?: number;
  readonly logEvery: number;
  readonly checkpointMinutes: number;
  readonly backend: 'node' | 'cpu';
  readonly json?: boolean;
}

const models = MODEL_NAMES.map(
  (name) =>
    `  ${name.padEnd(15)} ${MODELS[name].title}; ${MODELS[name].size} pixels, at least ${MODELS[name].smallest}`,
).join('\n');

const HELP = `
Networks:
${models}

The data folder is one of these two, found out by looking:
  train/<class>/*.JPEG, val/<class>/*.JPEG    ImageNet's layout; JPEG or PNG. Without val/ nothing is evaluated.
  train-images-idx3-ubyte, train-labels-…     MNIST, Fashion-MNIST and the like, .gz or not, scaled up to --size.
                                              With one pair of files only, its first four fifths train.

The folder of the run holds:
  ${RUN_FILES.log}                log: mean loss and milliseconds every --log-every steps; evaluations
  ${RUN_FILES.events}/             the same as curves: tensorboard --logdir DIR/${RUN_FILES.events}
  ${RUN_FILES.checkpoint}   model, optimizer and position, written whole or not at all; --resume goes on from it

Which images make a batch and how they are cut follows from --seed and the step alone, so a resumed run goes on as if it had not
stopped, and any number of --workers gives the same batches. Ctrl-C writes a checkpoint and ends with exit code 130; a second one ends
at once. With --resume, more --steps prolong a run; with no more to do it prints the last evaluation.

The learned optimizer needs no learning rate, but these networks go better with shorter steps: --multiplier 0.1 --warmup-steps 0, for
Inception V3 0.03. It takes about 80 bytes of memory per parameter, 2 GB for ResNet V2 50 and Inception V3, and twice
as much while a checkpoint is written or read. A checkpoint has 64 bytes per parameter, 1.6 GB.

Exit codes: 0 done, 1 failed, 2 wrong command line, 130 interrupted.

Examples:
  $ npx tsx examples/imagenet/train.ts --data-dir mnist --model tiny-resnetv2 --steps 100 --out out/first
      a first look, on MNIST's idx files
  $ npx tsx examples/imagenet/train.ts --data-dir imagenet --model resnet50v2 --batch-size 32 --epochs 90 --out out/resnet
      ImageNet
  $ npx tsx examples/imagenet/train.ts --data-dir imagenet --model resnet50v2 --batch-size 32 --epochs 90 --out out/resnet --resume
      the same run, after an interruption
  $ npx tsx examples/imagenet/train.ts --data-dir imagenet --model resnet50v2 --optimizer momentum --learning-rate 0.05 --out out/momentum
      another optimizer, to compare
`;

/** The command without its action; it throws instead of ending the process. */
export function createCommand({ out, err }: Streams): Command {
  return new Command('train.ts')
    .usage('--data-dir <folder> [options]')
    .description(
      'Trains Inception V3 or ResNet V2 on a folder of images or on idx files, with the learned optimizer or another.',
    )
    .requiredOption('--data-dir <folder>', 'images, see below')
    .addOption(new Option('--model <name>', 'network').choices(MODEL_NAMES).default('resnet50v2'))
    .option(
      '--size <pixels>',
      "height and width of the images (default: the network's; 75 at most for idx files)",
      integerAtLeast(1),
    )
    .option('--out <folder>', 'folder of the run', 'out/imagenet')
    .option('--resume', 'go on with the run in the folder; give the same options again')
    .addOption(new Option('--optimizer <name>', 'optimizer').choices(OPTIMIZERS).default('learned'))
    .option('--learning-rate <n>', 'of adam, rmsprop and momentum, which need one', positiveNumber)
    .option('--preset <name>', 'weights of the learned optimizer that ship; see "learned-optimizer presets"')
    .option('--weights <file>', 'weights of the learned optimizer of your own (.safetensors)')
    .option('--multiplier <n>', 'of all steps of the learned optimizer, see below', positiveNumber)
    .option('--warmup-steps <n>', "of the learned optimizer (default: the weights')", integerAtLeast(0))
    .option('--steps <n>', 'steps in all (default: those of --epochs)', integerAtLeast(0))
    .option('--epochs <n>', 'times that every image is seen', positiveNumber, 1)
    .option('--batch-size <n>', 'images per step', integerAtLeast(1), 16)
    .option('--seed <n>', 'of initial weights, order and cuts', integerAtLeast(1), 1)
    .addOption(
      new Option(
        '--augment <how>',
        'training images: random crop and mirroring, only the crop, or neither (default: full; none for idx files)',
      ).choices(AUGMENTATIONS),
    )
    .option('--skip-damaged', 'leave out images that cannot be decoded, and count them, instead of stopping', false)
    .option('--evaluate-every <n>', 'steps between evaluations (default: an epoch); one at the end', integerAtLeast(1))
    .option('--evaluation-images <n>', 'evaluate at most so many images, spread evenly', integerAtLeast(1))
    .option(
      '--workers <n>',
      'threads that decode and scale images',
      integerAtLeast(1),
      Math.max(1, availableParallelism() - 1),
    )
    .option('--prefetch <n>', 'batches made ahead (default: two per worker)', integerAtLeast(1))
    .option('--log-every <n>', 'steps between two lines of the log', integerAtLeast(1), 10)
    .option('--checkpoint-minutes <n>', 'at least so long between two checkpoints', positiveNumber, 10)
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

/** Without the entries that were not given. */
function defined<T extends object>(given: T): Partial<T> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Partial<T>;
}

/**
 * The optimizer that the options name.
 * @throws {UsageError} for a rate too many or too few, and for weights that are not there
 */
export function optimizerChoice(options: TrainOptions): OptimizerChoice {
  const { optimizer: name, learningRate, preset, weights } = options;
  if (name === 'learned') {
    if (learningRate !== undefined) {
      throw new UsageError(
        '--learning-rate: the learned optimizer has none; leave it out or choose another --optimizer',
      );
    }
    const given = { learningRateMultiplier: options.multiplier, warmupSteps: options.warmupSteps };
    return { name, options: { ...optimizerOptions(options), ...defined(given) } };
  }
  const own = { preset, weights, multiplier: options.multiplier, 'warmup-steps': options.warmupSteps };
  const foreign = Object.keys(defined(own));
  if (foreign.length > 0) {
    throw new UsageError(
      `${foreign.map((option) => `--${option}`).join(', ')}: only --optimizer learned has it, ${name} was chosen`,
    );
  }
  if (learningRate === undefined) {
    throw new UsageError(`--learning-rate: ${name} needs one, such as ${name === 'momentum' ? 0.05 : 1e-3}`);
  }
  return { name, learningRate };
}

/** @throws {UsageError} if the folder holds a run and none is to be resumed, or the other way round */
export function checkFolder({ out, resume }: TrainOptions): void {
  const checkpoint = join(out, RUN_FILES.checkpoint);
  if (resume && !existsSync(checkpoint)) throw new UsageError(`--resume: ${checkpoint} does not exist`);
  const found = [RUN_FILES.checkpoint, RUN_FILES.log].find((name) => existsSync(join(out, name)));
  if (!resume && found !== undefined) {
    throw new UsageError(
      `--out: ${out} holds a run already (${found}); add --resume to go on with it, or name another folder`,
    );
  }
}

/** @throws {UsageError} if the network cannot take images of that size */
export function imageSize({ model, size }: TrainOptions, kind: 'folder' | 'idx'): number {
  const { size: usual, smallest } = MODELS[model];
  const chosen = size ?? (kind === 'idx' ? Math.max(smallest, Math.min(usual, 75)) : usual);
  if (chosen < smallest) throw new UsageError(`--size: ${model} needs at least ${smallest} pixels, got ${chosen}`);
  return chosen;
}
