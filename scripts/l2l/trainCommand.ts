import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import type { Context } from '../../lib/cli/context';
import { Interrupted, UsageError } from '../../lib/cli/exit';
import { integerAtLeast, positiveNumber } from '../../lib/cli/options';
import { note, printJson, printLine, type Streams } from '../../lib/cli/output';
import { createProgress, downloadProgress } from '../../lib/cli/progress';
import { runScript } from '../../lib/cli/runScript';
import { L2lCheckpointMismatch } from '../../lib/experiments/l2l/metaTraining/checkpoint';
import { checkL2lConfig, L2L_DEFAULTS, type L2lConfig } from '../../lib/experiments/l2l/metaTraining/config';
import { metaTrainL2l, type MetaTrainResult } from '../../lib/experiments/l2l/metaTraining/metaTrain';
import { loadL2lImages, mlpOptimizee } from '../../lib/experiments/l2l/optimizees';
import { encodeL2lWeights, saveL2lWeights } from '../../lib/experiments/l2l/weights';
import { mean } from '../../lib/experiments/statistics';
import { loadBackend } from '../../lib/tfjs/backend';

/** Files of a run in its folder. */
export const L2L_RUN_FILES = { checkpoint: 'checkpoint.safetensors', weights: 'l2l.safetensors' } as const;

/** Of the weights that ship; 40 minutes of one core. */
const TRAJECTORIES = 300;

const HELP = `
L2L is the coordinate-wise LSTM optimizer of "Learning to learn by gradient descent by gradient descent" (Andrychowicz et al.
2016, arXiv 1606.04474): two layers of 20 units, shared by all parameters. It is meta-trained on a 784-20-10 sigmoid network on
the first 8,000 images of MNIST's t10k files: trajectories of 100 steps from fresh starts, an update of the meta-parameters
by Adam after every 20 of them. Every few trajectories it trains the network from other starts; the meta-parameters with
the lowest loss there are the result.

The folder --out then has
  ${L2L_RUN_FILES.weights}          the weights with the lowest validation loss
  ${L2L_RUN_FILES.checkpoint}   the state of meta-training, written whole or not at all; --resume goes on from it

Ctrl-C writes a checkpoint and ends with exit code 130; a second one ends at once. A resumed run gives the same weights as one
that was not interrupted; with more --trajectories it is prolonged, with another --learning-rate if you like. A trajectory takes about 8 seconds of one core, validations
included, and 3 GB of memory. Needs tfjs-node: npm run setup:tfjs-node

Exit codes: 0 done, 1 failed, 2 wrong command line, 130 interrupted.

Examples:
  $ npx tsx scripts/train-l2l.ts --data-dir mnist --trajectories 20 --out out/l2l-first
      a first look: two minutes
  $ npx tsx scripts/train-l2l.ts --data-dir mnist --out out/l2l
      the whole meta-training
  $ npx tsx scripts/train-l2l.ts --data-dir mnist --out out/l2l --resume
      the same run, after an interruption
`;

interface TrainL2lOptions {
  readonly dataDir?: string;
  readonly out: string;
  readonly resume?: boolean;
  readonly trajectories: number;
  readonly seed: number;
  readonly horizon: number;
  readonly truncation: number;
  readonly learningRate: number;
  readonly validateEvery: number;
  readonly validationStarts: number;
  readonly checkpointSeconds: number;
  readonly json?: boolean;
}

function createCommand({ out, err }: Streams): Command {
  const defaults = L2L_DEFAULTS;
  const count = integerAtLeast(1);
  return new Command('train-l2l.ts')
    .usage('[options]')
    .description('Meta-trains L2L, the baseline of Andrychowicz et al. 2016, on a small network on MNIST.')
    .option('--data-dir <folder>', "MNIST's idx files; those of t10k are enough (default: downloads them)")
    .option('--out <folder>', 'folder of the run', 'out/l2l')
    .option('--resume', 'go on with the run in the folder; give the same options again, --learning-rate may differ')
    .option('--trajectories <n>', 'trainings of the network, those before --resume included', count, TRAJECTORIES)
    .option('--seed <n>', 'of initial weights, starts and batches', count, defaults.seed)
    .option('--horizon <steps>', 'steps of a trajectory', count, defaults.horizon)
    .option('--truncation <steps>', 'steps that are differentiated together', count, defaults.truncation)
    .option('--learning-rate <n>', 'of Adam, the meta-optimizer', positiveNumber, defaults.learningRate)
    .option('--validate-every <n>', 'trajectories between two validations', count, defaults.validateEvery)
    .option('--validation-starts <n>', 'trainings of one validation', count, defaults.validationStarts)
    .option('--checkpoint-seconds <n>', 'at least so long between two checkpoints', positiveNumber, 30)
    .option('--json', 'print one JSON document at the end, errors too')
    .addHelpText('after', HELP)
    .configureOutput({ writeOut: (text) => void out.write(text), writeErr: (text) => void err.write(text) })
    .showHelpAfterError('(add --help for the options and examples)')
    .allowExcessArguments(false)
    .exitOverride();
}

/** @throws {UsageError} if the folder holds a run and none is to be resumed, or the other way round */
function checkpointOf({ out, resume }: TrainL2lOptions): string {
  const checkpoint = join(out, L2L_RUN_FILES.checkpoint);
  const found = existsSync(checkpoint);
  if (resume && !found) throw new UsageError(`--resume: ${checkpoint} does not exist`);
  if (!resume && found) {
    throw new UsageError(`--out: ${out} holds a run already; add --resume to go on with it, or name another folder`);
  }
  return checkpoint;
}

function configOf(options: TrainL2lOptions): L2lConfig {
  const { seed, horizon, truncation, learningRate, validateEvery, validationStarts } = options;
  const { units } = L2L_DEFAULTS;
  const config = { seed, units, horizon, truncation, learningRate, validateEvery, validationStarts };
  try {
    checkL2lConfig(config);
  } catch (error) {
    // The fields' names in the message become those of the options.
    const text = (error as Error).message.replace(
      /^config\.(\w+)/,
      (_, field: string) => `--${field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
    );
    throw new UsageError(text, { cause: error });
  }
  return config;
}

function print(result: MetaTrainResult, file: string, { streams }: Context): void {
  const { trajectories, records, best, weights } = result;
  const say = (label: string, text: string): void => printLine(streams, `${label.padEnd(13)} ${text}`);
  const last = records.slice(-20);
  say('trajectories', `${trajectories}; loss of the last ${last.length}: ${lossesOf(last)}`);
  if (best) say('best', `loss ${best.loss.toFixed(4)} after ${best.trajectories} trajectories`);
  say('weights', `${file}, ${(encodeL2lWeights(weights).length / 1000).toFixed(1)} kB`);
}

function lossesOf(records: MetaTrainResult['records']): string {
  const [all, end] = [records.map(({ meanLoss }) => meanLoss), records.map(({ lastLoss }) => lastLoss)];
  return `mean over the steps ${mean(all).toFixed(4)}, at the end ${mean(end).toFixed(4)}`;
}

async function train(options: TrainL2lOptions, context: Context): Promise<void> {
  const { streams, signal } = context;
  const config = configOf(options);
  const checkpoint = checkpointOf(options);
  const progress = createProgress(streams);
  try {
    const images = await loadL2lImages({
      dataDir: options.dataDir,
      signal,
      onProgress: downloadProgress(progress),
    });
    const { tf, description } = await loadBackend('node');
    const optimizee = mlpOptimizee(images);
    note(streams, `${optimizee.name}; ${description}`);
    const result = await metaTrainL2l({
      ...{ tf, optimizee, config, checkpoint, signal },
      trajectories: options.trajectories,
      checkpointSeconds: options.checkpointSeconds,
      onProgress: ({ trajectories, total, meanLoss, lastLoss, validation }) => {
        const validated = validation ? `, validation ${validation.loss.toFixed(4)}` : '';
        const detail = `loss ${meanLoss.toFixed(3)}, at the end ${lastLoss.toFixed(3)}${validated}`;
        progress.update('trajectories', trajectories, total, detail);
      },
    });
    const file = join(options.out, L2L_RUN_FILES.weights);
    saveL2lWeights(file, result.weights);
    const { weights, ...numbers } = result;
    if (options.json) printJson(streams, { file, metadata: weights.metadata, ...numbers });
    else print(result, file, context);
  } catch (error) {
    if (signal.aborted) throw new Interrupted(`interrupted; go on with --resume --out ${options.out}`);
    throw error instanceof L2lCheckpointMismatch ? new UsageError(`--resume: ${error.message}`) : error;
  } finally {
    progress.stop();
  }
}

/**
 * Runs the command line.
 * @param args without the program's name
 * @returns the exit code; what went wrong has been written
 */
export async function runTrainL2l(args: readonly string[], context: Context): Promise<number> {
  const command = createCommand(context.streams).action((options: TrainL2lOptions) => train(options, context));
  return runScript('train-l2l.ts', command, args, context.streams);
}
