import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { formatRate } from '../../experiments/format';
import { estimateValidationSeconds, validate } from '../../experiments/validation';
import { validateMetaTrainingConfig } from '../../meta/config';
import type { MetaTrainingConfig } from '../../meta/config';
import { CORPUS_NAMES, corpusEntries } from '../../meta/corpus';
import type { CorpusName } from '../../meta/corpus';
import {
  estimateSeconds,
  expectedInnerSteps,
  META_TRAINING_PRESETS,
  scaleIterations,
  scaleToSeconds,
} from '../../meta/presets';
import type { Coordinator } from '../../cluster/coordinator';
import { checkStart, runMetaTraining } from '../../meta/run';
import { RUN_FILES, RunFolder } from '../../meta/runFolder';
import type { LogEntry } from '../../meta/runLog';
import type { MetaTrainingProgress } from '../../meta/trainer';
import { loadProblems } from '../../meta/userProblems';
import { loadWeights } from '../../optimizer/presets';
import type { Weights } from '../../optimizer/weights';
import { addClusterOptions, addressOf, endOnSigterm } from '../cluster';
import type { ClusterCommandOptions } from '../cluster';
import type { Context } from '../context';
import { Interrupted, UsageError } from '../exit';
import { integerAtLeast, positiveNumber } from '../options';
import { note, printJson, printLine } from '../output';
import { createProgress } from '../progress';

/** With more families than this progress gives their mean only; the log has them all. */
const MOST_FAMILIES_SHOWN = 12;

interface MetaTrainCommandOptions extends ClusterCommandOptions {
  out: string;
  preset: string;
  config?: string;
  corpus?: CorpusName;
  start?: string;
  problems?: string;
  seed?: number;
  staleness?: number;
  copies?: number;
  minutes?: number;
  innerSteps?: number;
  threads: number;
  resume?: boolean;
  validation: boolean;
  logEvery: number;
  snapshotEvery: number;
  checkpointSeconds: number;
  priority?: number;
  json?: boolean;
}

const HELP = `
The folder holds everything of the run:
  ${RUN_FILES.config}              the whole configuration; --config takes such a file
  ${RUN_FILES.start}        the weights of --start, where given
  ${RUN_FILES.settings}                 --log-every, --snapshot-every and whether snapshots are judged
  ${RUN_FILES.log}                one line every --log-every iterations: losses of the families, rate, norm; one per validation
  ${RUN_FILES.events}/                  the same for TensorBoard: tensorboard --logdir DIR/${RUN_FILES.events}
  ${RUN_FILES.checkpoint}   all that --resume needs: the resumed run gives the bits of an uninterrupted one
  ${RUN_FILES.snapshots}/               weights every --snapshot-every iterations, judged by the suite "validation"
  ${RUN_FILES.best}          the snapshot with the best score
  ${RUN_FILES.final}         the weights at the end

The result depends on the configuration and --start alone, not on --threads, interruptions or the clock: --minutes and --inner-steps only choose
the number of iterations before the run begins (--minutes by a short trial of training and validation on this machine).

Ctrl-C writes a checkpoint and ends with exit code 130; after a kill the run resumes from the last checkpoint. A resumed run has the
configuration and the settings that it began with.

More than one machine: with --cluster this process computes no parts itself but gives them to workers, through Redis or Valkey. Start as many
as you like, wherever you like, with "learned-optimizer worker --cluster URL"; they come and go at will, and the result has the same bits as
without --cluster. A URL with a password goes into LEARNED_OPTIMIZER_CLUSTER or --cluster-file. See docs/cluster.md.

Problems of your own: --problems names a JavaScript module whose default export is a list of families as
learned-optimizer/problems has them; see docs/problems.md.

Examples:
  $ learned-optimizer meta-train --minutes 10 --out mine
      a first look: ten minutes from nothing
  $ learned-optimizer meta-train --out mine --resume
      goes on where it was
  $ learned-optimizer evaluate --suite validation --weights mine/${RUN_FILES.best}
      how good the result is
  $ learned-optimizer meta-train --preset paper --minutes 60 --out paper
      the setting of the paper's released code
  $ learned-optimizer meta-train --start hrnn-3 --config other-activations.json --out refined
      from the weights of a preset on, in an architecture whose shapes are the same
  $ learned-optimizer meta-train --corpus none --problems ./mine.mjs --minutes 10 --out mine
      on problems of your own alone
  $ learned-optimizer meta-train --cluster redis://queue.example:6379 --out mine
      on the workers of a cluster
`;

/** Options that say what a new run does; a resumed one knows. */
const OF_NEW_RUNS = [
  'preset',
  'config',
  'corpus',
  'start',
  'problems',
  'seed',
  'staleness',
  'copies',
  'minutes',
  'innerSteps',
  'validation',
  'logEvery',
  'snapshotEvery',
] as const;

function refuseOnResume(command: Command): void {
  for (const name of OF_NEW_RUNS) {
    if (command.getOptionValueSource(name) !== 'cli') continue;
    const { long, negate } = command.options.find((option) => option.attributeName() === name)!;
    throw new UsageError(
      `${long}: expected none with --resume, for the run goes on as it began; leave ${negate ? 'it' : long} out`,
    );
  }
}

/** @throws {UsageError} if there is no such file or it holds no configuration */
function readConfig({
  config,
  preset,
  seed,
  staleness,
  copies,
  corpus,
  problems,
}: MetaTrainCommandOptions): MetaTrainingConfig {
  let chosen = META_TRAINING_PRESETS[preset];
  if (config !== undefined) {
    if (!existsSync(config)) throw new UsageError(`--config: expected a JSON file, but ${config} does not exist`);
    try {
      chosen = validateMetaTrainingConfig(JSON.parse(readFileSync(config, 'utf8')) as MetaTrainingConfig);
    } catch (error) {
      throw new UsageError(`--config ${config}: ${(error as Error).message}`);
    }
  }
  const own = {
    ...(seed === undefined ? {} : { seed }),
    ...(staleness === undefined ? {} : { staleness }),
    ...(copies === undefined ? {} : { copies }),
    ...(corpus === undefined ? {} : { corpus }),
    ...(problems === undefined ? {} : { problems: resolve(problems) }),
  };
  if (corpus === 'none' && problems === undefined && chosen.problems === undefined) {
    throw new UsageError('--corpus none: expected --problems with a module of your own, got none');
  }
  return { ...chosen, ...own };
}

/** @throws {UsageError} if there is no such preset or file, or it holds no weights, or such that do not suit the architecture */
function readStart(source: string, config: MetaTrainingConfig): Weights {
  try {
    const start = loadWeights(source);
    checkStart(config, start);
    return start;
  } catch (error) {
    throw new UsageError(`--start ${source}: ${(error as Error).message}`);
  }
}

async function bounded(options: MetaTrainCommandOptions, context: Context): Promise<MetaTrainingConfig> {
  const config = readConfig(options);
  const { innerSteps, minutes } = options;
  try {
    await loadProblems(config.problems);
    corpusEntries(config);
  } catch (error) {
    throw new UsageError(`--problems: ${(error as Error).message}`);
  }
  if (innerSteps !== undefined) return scaleIterations(config, innerSteps / expectedInnerSteps(config));
  if (minutes === undefined) return config;
  const { signal, streams } = context;
  note(streams, 'measuring how fast this machine is');
  const training = await estimateSeconds(config, options.threads, signal);
  const validation = options.validation ? await estimateValidationSeconds(config, signal) : 0;
  return scaleToSeconds(config, 60 * minutes, { training, validation, snapshotEvery: options.snapshotEvery });
}

/** What is known so far. The families come last: a terminal cuts off what it has no room for. */
function detail(
  { seconds, innerSteps, phase, rate, losses }: LogEntry | MetaTrainingProgress,
  left: number,
  cluster: Coordinator | undefined,
): string {
  const mean = Object.values(losses).reduce((sum, loss, _, { length }) => sum + loss / length, 0);
  const speed = Math.round(innerSteps / seconds).toLocaleString('en');
  const families = Object.entries(losses).map(([name, loss]) => `${name} ${loss.toFixed(2)}`);
  const shown = families.length > MOST_FAMILIES_SHOWN ? '' : `; ${families.join(', ')}`;
  const workers = cluster ? `${cluster.workers} ${cluster.workers === 1 ? 'worker' : 'workers'}, ` : '';
  return (
    `${workers}${phase}, meta-loss ${mean.toFixed(2)}, rate ${formatRate(rate)}, ${speed} steps/s, ` +
    `${Math.ceil((left * seconds) / 60)} min left${shown}`
  );
}

/** The cluster that the options name, if any. */
async function openCluster(
  options: MetaTrainCommandOptions,
  config: MetaTrainingConfig | undefined,
  context: Context,
  signal: AbortSignal,
): Promise<Coordinator | undefined> {
  const address = options.cluster === undefined && options.clusterFile === undefined ? undefined : addressOf(options);
  if (!address) return undefined;
  // Loaded only here, with BullMQ.
  const { Coordinator } = await import('../../cluster/coordinator');
  const { problems } = config ?? RunFolder.configOf(options.out);
  return Coordinator.open({
    ...{ address, problems, name: options.clusterName, priority: options.priority, signal },
    say: (text) => note(context.streams, text),
  });
}

async function metaTrainCommand(options: MetaTrainCommandOptions, context: Context, command: Command): Promise<void> {
  const { streams } = context;
  const isCluster = options.cluster !== undefined || options.clusterFile !== undefined;
  // A coordinator in a container is stopped by SIGTERM.
  const signal = isCluster ? endOnSigterm(context.signal) : context.signal;
  if (options.resume) refuseOnResume(command);
  if (options.snapshotEvery % options.logEvery !== 0) {
    throw new UsageError(
      `--snapshot-every: expected a multiple of --log-every ${options.logEvery}, got ${options.snapshotEvery}`,
    );
  }
  const holdsRun = RunFolder.holdsRun(options.out);
  if (options.resume && !holdsRun) throw new UsageError(`--resume: ${options.out} holds no run`);
  if (!options.resume && holdsRun) {
    throw new UsageError(
      `--out: ${options.out} holds a run already; add --resume to go on with it, or name another folder`,
    );
  }
  const config = options.resume ? undefined : await bounded(options, { ...context, signal });
  const start = config && options.start !== undefined ? readStart(options.start, config) : undefined;
  signal.throwIfAborted();
  const cluster = await openCluster(options, config, context, signal);
  const progress = createProgress(streams);
  let last: LogEntry | undefined;
  const result = await runMetaTraining({
    folder: options.out,
    config,
    start,
    resume: options.resume ?? false,
    threads: options.threads,
    parts: cluster?.parts,
    logEvery: options.logEvery,
    snapshotEvery: options.snapshotEvery,
    checkpointSeconds: options.checkpointSeconds,
    validate: options.validation || options.resume ? (weights) => validate(weights, { signal }) : undefined,
    signal,
    onLog: (entry) => {
      last = entry;
    },
    onProgress: (p) => {
      const left = (p.iterations - p.iteration) / p.iteration;
      progress.update('meta-training', p.iteration, p.iterations, detail(last ?? p, left, cluster));
    },
  })
    .catch((error: unknown) => {
      if (!signal.aborted) throw error;
      throw new Interrupted(`interrupted; go on with --resume --out ${options.out}`);
    })
    .finally(async () => {
      progress.stop();
      await cluster?.close();
    });
  const summary = {
    folder: options.out,
    iterations: last?.iteration,
    innerSteps: last?.innerSteps,
    seconds: last?.seconds,
    bestScore: result.bestScore,
    best: join(options.out, RUN_FILES.best),
    final: join(options.out, RUN_FILES.final),
    cluster: cluster?.counts(),
  };
  if (options.json) return printJson(streams, summary);
  const score = result.bestScore === undefined ? '' : `, validation score ${result.bestScore.toFixed(3)}`;
  printLine(streams, `best   ${summary.best}${score}`);
  printLine(streams, `final  ${summary.final}`);
  if (cluster) printLine(streams, countsText(cluster));
}

/** What came of the jobs, with what was lost. */
function countsText(cluster: Coordinator): string {
  const { jobs, results, refused, repaired, recomputed, dropped, bytesSent, bytesReceived } = cluster.counts();
  const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
  return (
    `jobs   ${jobs}, results ${results}, refused ${refused}, put into the queue again ${repaired}, computed again ${recomputed}, dropped ${dropped}; ` +
    `${megabytes(bytesSent)} sent, ${megabytes(bytesReceived)} received`
  );
}

export function addMetaTrainCommand(program: Command, context: Context): void {
  addClusterOptions(program.command('meta-train'))
    .summary('train an optimizer of your own on small synthetic problems')
    .description(
      'Meta-trains weights of the learned optimizer from nothing: a warm start by truncated back-propagation, then persistent\n' +
        'evolution strategies on many small problems at once, none of them a neural network.',
    )
    .option('--out <folder>', 'folder of the run', 'meta-training')
    .addOption(new Option('--preset <name>', 'setting').choices(Object.keys(META_TRAINING_PRESETS)).default('default'))
    .option('--config <file>', 'a configuration instead of a preset (JSON)')
    .addOption(
      new Option('--corpus <name>', "problems of the package (default: the configuration's)").choices([
        ...CORPUS_NAMES,
      ]),
    )
    .option('--start <weights>', 'begin with the weights of a preset or a safetensors file instead of at random')
    .option('--problems <module>', 'JavaScript module with problems of your own, besides those of the corpus')
    .option('--seed <n>', "of start, problems and perturbations (default: the configuration's)", integerAtLeast(0))
    .option(
      '--minutes <n>',
      'as many iterations as this machine does in so many minutes, validations included',
      positiveNumber,
    )
    .option('--inner-steps <n>', 'as many iterations as make so many steps on problems', positiveNumber)
    .option('--threads <n>', 'worker threads', integerAtLeast(1), availableParallelism())
    .option('--priority <n>', 'of the jobs among those of other runs in the cluster, 1 before 2', integerAtLeast(1))
    .option(
      '--staleness <n>',
      "families may be so many meta-updates ahead of the slowest; another result (default: the configuration's, 0)",
      integerAtLeast(0),
    )
    .option(
      '--copies <n>',
      "of every family, with problems of their own: as many times the work, for as many times the threads (default: the configuration's, 1)",
      integerAtLeast(1),
    )
    .option('--resume', 'go on with the run in the folder')
    .option('--no-validation', 'do not judge snapshots; the best weights are then those at the end')
    .option('--log-every <n>', 'iterations between two lines of the log', integerAtLeast(1), 50)
    .option('--snapshot-every <n>', 'iterations between two snapshots', integerAtLeast(1), 500)
    .option('--checkpoint-seconds <n>', 'at least so long between two checkpoints', positiveNumber, 60)
    .option('--json', 'print one JSON document at the end')
    .addHelpText('after', HELP)
    .action((options: MetaTrainCommandOptions, command: Command) => metaTrainCommand(options, context, command));
}
