import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Option, type Command } from 'commander';
import { validate } from '../../experiments/validation';
import { validateMetaTrainingConfig } from '../../meta/config';
import type { MetaTrainingConfig } from '../../meta/config';
import { estimateSeconds, expectedInnerSteps, META_TRAINING_PRESETS, scaleIterations } from '../../meta/presets';
import { RUN_FILES, runMetaTraining } from '../../meta/run';
import type { LogEntry } from '../../meta/run';
import type { Context } from '../context';
import { Interrupted, UsageError } from '../exit';
import { integerAtLeast, positiveNumber } from '../options';
import { note, printJson, printLine } from '../output';
import { createProgress } from '../progress';

interface MetaTrainCommandOptions {
  out: string;
  preset: string;
  config?: string;
  seed?: number;
  minutes?: number;
  innerSteps?: number;
  threads: number;
  resume?: boolean;
  validation: boolean;
  logEvery: number;
  snapshotEvery: number;
  checkpointSeconds: number;
  json?: boolean;
}

const HELP = `
The folder holds everything of the run:
  ${RUN_FILES.config}              the whole configuration; --config takes such a file
  ${RUN_FILES.log}               one line every --log-every iterations: losses of the families, rate, norm, validation
  ${RUN_FILES.events}/                  the same for TensorBoard: tensorboard --logdir DIR/${RUN_FILES.events}
  ${RUN_FILES.checkpoint}   all that --resume needs: the resumed run gives the bits of an uninterrupted one
  ${RUN_FILES.snapshots}/               weights every --snapshot-every iterations, judged by the suite "validation"
  ${RUN_FILES.best}          the snapshot with the best score
  ${RUN_FILES.final}         the weights at the end

The result depends on the configuration alone, not on --threads, interruptions or the clock: --minutes and --inner-steps only choose
the number of iterations before the run begins (--minutes by a short trial on this machine).

Ctrl-C writes a checkpoint and ends with exit code 130; after a kill the run resumes from the last checkpoint.

Examples:
  $ learned-optimizer meta-train --minutes 10 --out mine
      a first look: ten minutes from nothing
  $ learned-optimizer meta-train --out mine --resume
      goes on where it was
  $ learned-optimizer evaluate --suite validation --weights mine/${RUN_FILES.best}
      how good the result is
  $ learned-optimizer meta-train --preset paper --minutes 60 --out paper
      the setting of the paper's released code
`;

/** @throws {UsageError} if there is no such file or it holds no configuration */
function readConfig({ config, preset, seed }: MetaTrainCommandOptions): MetaTrainingConfig {
  let chosen = META_TRAINING_PRESETS[preset];
  if (config !== undefined) {
    if (!existsSync(config)) throw new UsageError(`--config: expected a JSON file, but ${config} does not exist`);
    try {
      chosen = validateMetaTrainingConfig(JSON.parse(readFileSync(config, 'utf8')) as MetaTrainingConfig);
    } catch (error) {
      throw new UsageError(`--config ${config}: ${(error as Error).message}`);
    }
  }
  return seed === undefined ? chosen : { ...chosen, seed };
}

async function bounded(options: MetaTrainCommandOptions, context: Context): Promise<MetaTrainingConfig> {
  const config = readConfig(options);
  const { innerSteps, minutes } = options;
  if (innerSteps !== undefined) return scaleIterations(config, innerSteps / expectedInnerSteps(config));
  if (minutes === undefined || options.resume) return config;
  note(context.streams, 'measuring how fast this machine is');
  const seconds = await estimateSeconds(config, options.threads, context.signal);
  return scaleIterations(config, (60 * minutes) / seconds);
}

function detail({ seconds, innerSteps, phase, losses }: Omit<LogEntry, 'rate'>, left: number): string {
  const mean = Object.values(losses).reduce((sum, loss, _, { length }) => sum + loss / length, 0);
  const minutes = Math.ceil((left * seconds) / 60);
  return `${phase}, meta-loss ${mean.toFixed(2)}, ${Math.round(innerSteps / seconds).toLocaleString('en')} steps/s, ${minutes} min left`;
}

async function metaTrainCommand(options: MetaTrainCommandOptions, context: Context): Promise<void> {
  const { streams, signal } = context;
  if (options.snapshotEvery % options.logEvery !== 0) {
    throw new UsageError(
      `--snapshot-every: expected a multiple of --log-every ${options.logEvery}, got ${options.snapshotEvery}`,
    );
  }
  const checkpoint = join(options.out, RUN_FILES.checkpoint);
  if (options.resume && !existsSync(checkpoint)) throw new UsageError(`--resume: ${checkpoint} does not exist`);
  if (!options.resume && existsSync(join(options.out, RUN_FILES.config))) {
    throw new UsageError(
      `--out: ${options.out} holds a run already; add --resume to go on with it, or name another folder`,
    );
  }
  const config = await bounded(options, context);
  const progress = createProgress(streams);
  let last: LogEntry | undefined;
  const result = await runMetaTraining({
    folder: options.out,
    config,
    resume: options.resume ?? false,
    threads: options.threads,
    logEvery: options.logEvery,
    snapshotEvery: options.snapshotEvery,
    checkpointSeconds: options.checkpointSeconds,
    validate: options.validation ? (weights) => validate(weights, { signal }) : undefined,
    signal,
    onLog: (entry) => {
      last = entry;
    },
    onProgress: (p) => {
      const left = (p.iterations - p.iteration) / p.iteration;
      progress.update('meta-training', p.iteration, p.iterations, detail(last ?? { ...p }, left));
    },
  })
    .catch((error: unknown) => {
      if (!signal.aborted) throw error;
      throw new Interrupted(`interrupted; go on with --resume --out ${options.out}`);
    })
    .finally(() => progress.stop());
  const summary = {
    folder: options.out,
    iterations: last?.iteration,
    innerSteps: last?.innerSteps,
    seconds: last?.seconds,
    bestScore: result.bestScore,
    best: join(options.out, RUN_FILES.best),
    final: join(options.out, RUN_FILES.final),
  };
  if (options.json) return printJson(streams, summary);
  const score = result.bestScore === undefined ? '' : `, validation score ${result.bestScore.toFixed(3)}`;
  printLine(streams, `best   ${summary.best}${score}`);
  printLine(streams, `final  ${summary.final}`);
}

export function addMetaTrainCommand(program: Command, context: Context): void {
  program
    .command('meta-train')
    .summary('train an optimizer of your own on small synthetic problems')
    .description(
      'Meta-trains weights of the learned optimizer from nothing: a warm start by truncated back-propagation, then persistent\n' +
        'evolution strategies on many small problems at once, none of them a neural network.',
    )
    .option('--out <folder>', 'folder of the run', 'meta-training')
    .addOption(new Option('--preset <name>', 'setting').choices(Object.keys(META_TRAINING_PRESETS)).default('default'))
    .option('--config <file>', 'a configuration instead of a preset (JSON)')
    .option('--seed <n>', "of start, problems and perturbations (default: the configuration's)", integerAtLeast(0))
    .option('--minutes <n>', 'as many iterations as this machine does in so many minutes', positiveNumber)
    .option('--inner-steps <n>', 'as many iterations as make so many steps on problems', positiveNumber)
    .option('--threads <n>', 'worker threads', integerAtLeast(1), availableParallelism())
    .option('--resume', 'go on with the run in the folder')
    .option('--no-validation', 'do not judge snapshots; the best weights are then those at the end')
    .option('--log-every <n>', 'iterations between two lines of the log', integerAtLeast(1), 50)
    .option('--snapshot-every <n>', 'iterations between two snapshots', integerAtLeast(1), 500)
    .option('--checkpoint-seconds <n>', 'at least so long between two checkpoints', positiveNumber, 60)
    .option('--json', 'print one JSON document at the end')
    .addHelpText('after', HELP)
    .action((options: MetaTrainCommandOptions) => metaTrainCommand(options, context));
}
