import { Command, InvalidArgumentError } from 'commander';
import { MODEL_NAMES, MODELS } from '../../examples/imagenet/models/index';
import type { ModelName } from '../../examples/imagenet/models/index';
import { BASELINE, LEARNED, learnedOptions, SWITCH_NAMES } from './contestants';

export interface Options {
  readonly networks: readonly ModelName[];
  readonly batchSizes: readonly number[];
  readonly size: number;
  /** Timed steps of each optimizer. */
  readonly steps: number;
  readonly warmUp: number;
  /** Compared with Adam, which is not among them. */
  readonly optimizers: readonly string[];
  readonly force: boolean;
  readonly json?: string;
  readonly picture?: string;
}

const HELP = `
One step means model.trainOnBatch on tfjs-node: forward, backward and optimizer. Adam always takes part: every optimizer has a network of its own, with
the same initial weights and the same batch, and they step in turns, learned, Adam, learned, Adam … The first --warm-up steps of everybody are
not counted: the first allocates the state and takes seconds. Figures are medians over the rounds ± their median absolute deviation; the
ratio is the median of the rounds' ratios. "CPU ratio" is that of processor time, which tells more while other programs run; GiB is the
largest memory of the process.

Networks: ${MODEL_NAMES.map((name) => `${name} (at least ${MODELS[name].smallest} pixels)`).join(', ')}.

Optimizers: ${LEARNED} is the default preset, ${LEARNED}:NAME another; ${SWITCH_NAMES.map((name) => `+${name}`).join(' and ')} behind it turn options on, as in ${LEARNED}+zeroCopy.

Results are checked: losses and parameters must be finite, at least one tensor must have moved (how many did is in the JSON), and no timed step may leave
tensors behind.

Every network and batch size is measured in a process of its own, batch sizes from the smallest up; where one fails, for want of memory or otherwise, the larger
ones of the network are left out. With --json a row is written as soon as it is measured, and one that is there with at least --steps rounds is
not measured again: the same line goes on with what an interrupted one has left.

Exit codes: 0 done, 1 a result was wrong or a process failed, 2 wrong command line, 130 interrupted.

Examples:
  $ npm run bench:training -- --networks tiny-resnetv2 --batch-sizes 1,4 --steps 5 --size 32
      a first try, seconds
  $ npm run bench:training -- --json bench/results/training.json --picture bench/results/training
      both networks at 75 pixels, with the curve of the overhead as .svg and .png. Close other programs first
  $ npm run bench:training -- --networks resnet50v2 --size 224 --batch-sizes 1,4,16
      the resolution of the paper
  $ npm run bench:training -- --batch-sizes 16 --optimizers ${LEARNED},${LEARNED}+zeroCopy,${LEARNED}+stateBits16
      variants beside each other in the same rounds
`;

function list<T>(read: (text: string) => T): (text: string) => T[] {
  return (text) => [...new Set(text.split(',').map((part) => read(part.trim())))];
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(value) || value < 1) {
    throw new InvalidArgumentError(`Expected whole numbers of at least 1, got '${text}'.`);
  }
  return value;
}

function network(text: string): ModelName {
  const found = MODEL_NAMES.find((name) => name === text);
  if (found === undefined) throw new InvalidArgumentError(`Expected some of ${MODEL_NAMES.join(', ')}, got '${text}'.`);
  return found;
}

function optimizer(text: string): string {
  if (text === BASELINE) return text;
  try {
    learnedOptions(text);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
  return text;
}

/** The command line; throws commander's errors. */
export function parseOptions(args: readonly string[], write?: (text: string) => void): Options {
  const program = new Command('npm run bench:training --')
    .description('Measures a whole training step of image networks on tfjs-node beside the same with Adam.')
    .option('--networks <list>', 'networks', list(network), ['resnet50v2', 'inceptionv3'])
    .option('--batch-sizes <list>', 'images per step', list(wholeNumber), [1, 4, 16, 64])
    .option('--size <pixels>', 'height and width of the images', wholeNumber, 75)
    .option('--steps <n>', 'timed steps of each optimizer', wholeNumber, 15)
    .option('--warm-up <n>', 'steps before them', wholeNumber, 3)
    .option('--optimizers <list>', `compared with ${BASELINE}, which always takes part`, list(optimizer), [LEARNED])
    .option('--force', 'measure rows again that the file has already', false)
    .option('--json <file>', 'write rows to this file and keep those that are there')
    .option('--picture <path>', 'draw the ratio against the batch size into PATH.svg and PATH.png')
    .addHelpText('after', HELP)
    .showHelpAfterError('(add --help for the options and examples)')
    .allowExcessArguments(false)
    .exitOverride();
  if (write) program.configureOutput({ writeOut: write, writeErr: write });
  const options = program.parse([...args], { from: 'user' }).opts<Options>();
  for (const name of options.networks) {
    const { smallest } = MODELS[name];
    if (options.size < smallest) {
      program.error(`error: --size: ${name} needs at least ${smallest} pixels, got ${options.size}`);
    }
  }
  const optimizers = options.optimizers.filter((name) => name !== BASELINE);
  if (optimizers.length === 0) {
    program.error(`error: --optimizers: expected one to compare with ${BASELINE}, such as ${LEARNED}, got none`);
  }
  return { ...options, optimizers, batchSizes: [...options.batchSizes].sort((a, b) => a - b) };
}
