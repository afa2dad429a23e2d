import { withoutLaterDefaults } from '../optimizer/architecture';
import { createWeights, saveWeights } from '../optimizer/weights';
import type { Weights } from '../optimizer/weights';
import { sha256OfFile } from '../sha256';
import { saveCheckpoint } from './checkpoint';
import { totalIterations, weightsArchitecture, weightsSchedule } from './config';
import type { MetaTrainingConfig } from './config';
import { EventFile } from './eventFile';
import { flatten, unflatten } from './flat';
import type { DroppedPart, PartsFactory } from './parts';
import { RunFolder } from './runFolder';
import type { LogEntry, Validation, ValidationEntry } from './runLog';
import { metaTrain } from './trainer';
import type { MetaTrainingProgress } from './trainer';

export interface RunOptions {
  readonly folder: string;
  /** Of a new run, which needs one. A resumed run has that of its folder. */
  readonly config?: MetaTrainingConfig;
  /**
   * Where the meta-parameters of a new run begin; default: at random, by the configuration's seed. Shapes must be those of the
   * configuration's architecture; activations, bounds and schedule may differ. A resumed run has that of its folder.
   */
  readonly start?: Weights;
  readonly resume: boolean;
  readonly threads: number;
  /** Who computes the parts of an iteration; default: threads of this process. The weights do not depend on it. */
  readonly parts?: PartsFactory;
  /**
   * Iterations between two entries of the log, and between two snapshots of the weights (a multiple of the former), of a new
   * run. A resumed one has those that it began with.
   */
  readonly logEvery: number;
  readonly snapshotEvery: number;
  /** Seconds between two checkpoints. */
  readonly checkpointSeconds: number;
  /**
   * Judges a snapshot. Without it the weights at the end are the best. A resumed run needs it if it began with one, and does
   * not call it if not.
   */
  readonly validate?: (weights: Weights) => Promise<Validation>;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: MetaTrainingProgress) => void;
  readonly onLog?: (entry: LogEntry) => void;
  readonly onValidation?: (entry: ValidationEntry) => void;
}

export interface RunResult {
  readonly weights: Weights;
  readonly best: Weights;
  /** Score of the best snapshot, where there was validation. */
  readonly bestScore?: number;
}

/** What the provenance says of the weights that a run began with. */
interface Start {
  readonly name: string;
  /** Hexadecimal, of the file in the run's folder. */
  readonly sha256: string;
}

/** Weights of a run as they are written to files. */
function weightsOf(config: MetaTrainingConfig, average: Float64Array, iteration: number, start?: Start): Weights {
  return unflatten(weightsArchitecture(config), average, {
    name: config.name ?? `iteration-${iteration}`,
    description: config.description ?? `Meta-trained on the corpus "${config.corpus}".`,
    provenance: JSON.stringify({ iteration, config, start }, withoutLaterDefaults),
    initialLearningRate: 1e-3,
    ...weightsSchedule(config),
  });
}

/** Mean of what was reported since the last entry of the log. */
class Accumulator {
  private readonly losses = new Map<string, { sum: number; count: number }>();
  private dropped: (DroppedPart & { iteration: number })[] = [];
  private failures = 0;

  add({ losses, failures, dropped, iteration }: MetaTrainingProgress): void {
    for (const [name, loss] of Object.entries(losses)) {
      const { sum, count } = this.losses.get(name) ?? { sum: 0, count: 0 };
      this.losses.set(name, { sum: sum + loss, count: count + 1 });
    }
    this.failures += failures;
    this.dropped.push(...dropped.map((part) => ({ iteration, ...part })));
  }

  take(): Pick<LogEntry, 'losses' | 'failures' | 'dropped'> {
    const losses = Object.fromEntries([...this.losses].map(([name, { sum, count }]) => [name, sum / count]));
    const { failures, dropped } = this;
    this.losses.clear();
    [this.failures, this.dropped] = [0, []];
    return { losses, failures, ...(dropped.length === 0 ? {} : { dropped }) };
  }
}

/** What TensorBoard shows of an entry of the log. */
function curvesOf({
  losses,
  rate,
  gradientNorm,
  failures,
  longestHorizon,
  innerSteps,
  dropped,
}: LogEntry): Record<string, number> {
  const curves: Record<string, number> = { rate, gradientNorm, failures, innerSteps };
  if (longestHorizon !== undefined) curves['longestHorizon'] = longestHorizon;
  if (dropped) curves['dropped'] = dropped.length;
  for (const [family, loss] of Object.entries(losses)) curves[`meta-loss/${family}`] = loss;
  return curves;
}

/** @throws {RangeError} if the weights do not have the shapes of the configuration's architecture */
export function checkStart({ architecture }: MetaTrainingConfig, start: Weights): void {
  try {
    createWeights(architecture, start.tensors, start.metadata);
  } catch (error) {
    throw new RangeError(
      `start: expected weights that suit the configuration's architecture, but ${(error as Error).message}`,
    );
  }
}

function openRun({ folder, config, start, resume, logEvery, snapshotEvery, validate }: RunOptions): RunFolder {
  if (!resume) {
    if (!config) throw new RangeError('config: expected the configuration of the new run, got none');
    if (start) checkStart(config, start);
    return RunFolder.create(folder, config, { logEvery, snapshotEvery, validation: validate !== undefined }, start);
  }
  const run = RunFolder.resume(folder);
  if (run.settings.validation && !validate) {
    throw new RangeError(
      'validate: expected a function, for the run began with one and judges its snapshots, got none',
    );
  }
  return run;
}

/** Judges snapshots, each once, however often the run is resumed. */
class Judge {
  constructor(
    private readonly run: RunFolder,
    private readonly events: EventFile,
    private readonly options: RunOptions,
  ) {}

  /** @param snapshots iterations of the snapshots, ascending */
  async judge(snapshots: readonly number[]): Promise<void> {
    if (!this.run.settings.validation) return;
    const known = new Set(this.run.log.validations().map(({ iteration }) => iteration));
    for (const iteration of snapshots) {
      if (known.has(iteration)) continue;
      const validation = await this.options.validate!(this.run.readSnapshot(iteration));
      const entry = { iteration, validation };
      this.run.log.append(entry);
      this.events.scalars(iteration, { validation: validation.score });
      this.options.onValidation?.(entry);
    }
  }

  /** The snapshot with the lowest score. */
  best(): ValidationEntry | undefined {
    return this.run.log
      .validations()
      .filter(({ validation }) => Number.isFinite(validation.score))
      .reduce<ValidationEntry | undefined>(
        (best, entry) => (best && best.validation.score <= entry.validation.score ? best : entry),
        undefined,
      );
  }
}

/**
 * Meta-trains in a folder that holds everything the run leaves: configuration, log, checkpoint, snapshots, and at the end
 * the last and the best weights. A run that was killed at any moment is resumed from its last checkpoint, or from its
 * beginning, and gives the same weights as an uninterrupted one; when the signal aborts it, it writes a checkpoint first.
 * @throws {RangeError} if the folder holds a run and `resume` is false, or none and it is true, or if `start` has other shapes
 *   than the configuration's architecture; the signal's reason
 */
export async function runMetaTraining(options: RunOptions): Promise<RunResult> {
  const run = openRun(options);
  const { config, checkpoint: resume } = run;
  const { logEvery, snapshotEvery } = run.settings;
  const startWeights = run.readStart();
  const start = startWeights && { name: startWeights.metadata.name, sha256: await sha256OfFile(run.file('start')) };
  const iterations = totalIterations(config);
  const since = new Accumulator();
  const events = new EventFile(run.file('events'));
  const judge = new Judge(run, events, options);
  const isSnapshot = (iteration: number): boolean => iteration % snapshotEvery === 0 || iteration === iterations;
  const logged = run.log.entries().map(({ iteration }) => iteration);
  // A run may have ended between a snapshot and its validation.
  await judge.judge(logged.filter(isSnapshot));
  let lastCheckpoint = performance.now();
  const average = await metaTrain({
    config,
    start: startWeights && flatten(startWeights),
    resume,
    threads: options.threads,
    parts: options.parts,
    async onProgress(progress) {
      const { iteration, phase, seconds, innerSteps, rate, gradientNorm, longestHorizon } = progress;
      since.add(progress);
      const isLast = iteration === iterations;
      const isLogged = iteration % logEvery === 0 || isLast;
      const snapshot = isLogged && isSnapshot(iteration);
      if (snapshot) run.saveSnapshot(iteration, weightsOf(config, progress.average, iteration, start));
      if (isLogged) {
        const entry: LogEntry = {
          ...{ iteration, phase, seconds, innerSteps, rate, gradientNorm, longestHorizon },
          ...since.take(),
        };
        run.log.append(entry);
        events.scalars(iteration, curvesOf(entry));
        options.onLog?.(entry);
      }
      options.onProgress?.(progress);
      // With an entry of the log, so that a resumed run logs the same, and before a validation, which takes a while.
      const due = isLogged && performance.now() - lastCheckpoint >= 1000 * options.checkpointSeconds;
      if (due || snapshot || options.signal?.aborted) {
        saveCheckpoint(run.file('checkpoint'), await progress.checkpoint());
        lastCheckpoint = performance.now();
      }
      options.signal?.throwIfAborted();
      if (snapshot) await judge.judge([iteration]);
    },
  });
  const weights = weightsOf(config, average, iterations, start);
  saveWeights(run.file('final'), weights);
  const chosen = judge.best();
  const best = chosen ? run.readSnapshot(chosen.iteration) : weights;
  saveWeights(run.file('best'), best);
  return { weights, best, bestScore: chosen?.validation.score };
}
