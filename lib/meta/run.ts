import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic } from '../atomicFile';
import { readWeights, saveWeights } from '../optimizer/weights';
import type { Weights } from '../optimizer/weights';
import { loadCheckpoint, saveCheckpoint } from './checkpoint';
import type { Checkpoint } from './checkpoint';
import { totalIterations, weightsArchitecture, weightsSchedule } from './config';
import type { MetaTrainingConfig } from './config';
import { EventFile } from './eventFile';
import { unflatten } from './flat';
import { iterationsBefore, metaTrain } from './trainer';
import type { MetaTrainingProgress } from './trainer';

/** Names in a run's folder. */
export const RUN_FILES = {
  config: 'config.json',
  log: 'log.jsonl',
  events: 'events',
  checkpoint: 'checkpoint.safetensors',
  snapshots: 'snapshots',
  best: 'best.safetensors',
  final: 'final.safetensors',
} as const;

/** Quality of weights on problems that steer the choice among snapshots; lower is better. */
export interface Validation {
  readonly score: number;
  readonly rows: unknown;
}

/** One line of the log. */
export interface LogEntry {
  /** Iterations done, over all phases. */
  readonly iteration: number;
  readonly phase: string;
  readonly seconds: number;
  readonly innerSteps: number;
  readonly rate: number;
  readonly gradientNorm: number;
  readonly longestHorizon?: number;
  /** Trajectories given up since the line before. */
  readonly failures: number;
  /** Mean meta-loss per family since the line before. */
  readonly losses: Readonly<Record<string, number>>;
  readonly validation?: Validation;
}

export interface RunOptions {
  readonly folder: string;
  /** Of a new run. A resumed one has that of its checkpoint. */
  readonly config: MetaTrainingConfig;
  readonly resume: boolean;
  readonly threads: number;
  /** Iterations between two lines of the log, and between two snapshots of the weights (a multiple of the former). */
  readonly logEvery: number;
  readonly snapshotEvery: number;
  /** Seconds between two checkpoints. */
  readonly checkpointSeconds: number;
  /** Judges a snapshot. Without it the weights at the end are the best. */
  readonly validate?: (weights: Weights) => Promise<Validation>;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: MetaTrainingProgress) => void;
  readonly onLog?: (entry: LogEntry) => void;
}

export interface RunResult {
  readonly weights: Weights;
  readonly best: Weights;
  /** Score of the best snapshot, where there was validation. */
  readonly bestScore?: number;
}

function snapshotPath(folder: string, iteration: number): string {
  return join(folder, RUN_FILES.snapshots, `${String(iteration).padStart(7, '0')}.safetensors`);
}

/** Weights of a run as they are written to files. */
function weightsOf(config: MetaTrainingConfig, average: Float64Array, iteration: number): Weights {
  return unflatten(weightsArchitecture(config), average, {
    name: config.name ?? `iteration-${iteration}`,
    description: config.description ?? `Meta-trained on the corpus "${config.corpus}".`,
    provenance: JSON.stringify({ iteration, config }),
    initialLearningRate: 1e-3,
    ...weightsSchedule(config),
  });
}

/** Mean of what was reported since the last line of the log. */
class Accumulator {
  private readonly sums = new Map<string, number>();
  private count = 0;
  failures = 0;

  add({ losses, failures }: MetaTrainingProgress): void {
    for (const [name, loss] of Object.entries(losses)) this.sums.set(name, (this.sums.get(name) ?? 0) + loss);
    this.failures += failures;
    this.count++;
  }

  take(): { losses: Record<string, number>; failures: number } {
    const losses = Object.fromEntries([...this.sums].map(([name, sum]) => [name, sum / this.count]));
    const { failures } = this;
    this.sums.clear();
    [this.count, this.failures] = [0, 0];
    return { losses, failures };
  }
}

/** What TensorBoard shows of a line of the log. */
function curvesOf({ losses, validation, ...entry }: LogEntry): Record<string, number> {
  const { rate, gradientNorm, failures, longestHorizon, innerSteps } = entry;
  const curves: Record<string, number> = { rate, gradientNorm, failures, innerSteps };
  if (longestHorizon !== undefined) curves['longestHorizon'] = longestHorizon;
  if (validation) curves['validation'] = validation.score;
  for (const [family, loss] of Object.entries(losses)) curves[`meta-loss/${family}`] = loss;
  return curves;
}

/** The lines of a run's log, none where there is no log. A last line that was cut off by a kill is left out. */
export function readLog(folder: string): LogEntry[] {
  const file = join(folder, RUN_FILES.log);
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as LogEntry);
}

function openRun({ folder, config, resume }: RunOptions): Checkpoint | undefined {
  const path = join(folder, RUN_FILES.checkpoint);
  if (!resume) {
    if (existsSync(path)) {
      throw new RangeError(`folder: expected one without a run, but ${path} exists; resume it or choose another`);
    }
    mkdirSync(folder, { recursive: true });
    writeFileAtomic(join(folder, RUN_FILES.config), Buffer.from(`${JSON.stringify(config, null, 2)}\n`));
    writeFileAtomic(join(folder, RUN_FILES.log), new Uint8Array());
    return undefined;
  }
  if (!existsSync(path)) throw new RangeError(`folder: expected a run to resume, but ${path} does not exist`);
  const checkpoint = loadCheckpoint(path);
  // What was logged after the checkpoint will be logged again.
  const done = iterationsBefore(checkpoint.config, checkpoint.phase) + checkpoint.iteration;
  const kept = readLog(folder).filter(({ iteration }) => iteration <= done);
  writeFileAtomic(join(folder, RUN_FILES.log), Buffer.from(kept.map((entry) => `${JSON.stringify(entry)}\n`).join('')));
  return checkpoint;
}

/** The snapshot with the lowest score in the log. */
function bestEntry(folder: string): LogEntry | undefined {
  return readLog(folder)
    .filter(({ validation }) => validation !== undefined && Number.isFinite(validation.score))
    .reduce<LogEntry | undefined>(
      (best, entry) => (best && best.validation!.score <= entry.validation!.score ? best : entry),
      undefined,
    );
}

/**
 * Meta-trains in a folder that holds everything the run leaves: configuration, log, checkpoint, snapshots, and at the end
 * the last and the best weights. A run that was killed at any moment is resumed from its last checkpoint and gives the same
 * weights as an uninterrupted one; when the signal aborts it, it writes a checkpoint first.
 * @throws {RangeError} if the folder holds a run and `resume` is false, or none and it is true; the signal's reason
 */
export async function runMetaTraining(options: RunOptions): Promise<RunResult> {
  const { folder } = options;
  const resume = openRun(options);
  const config = resume?.config ?? options.config;
  const since = new Accumulator();
  const events = new EventFile(join(folder, RUN_FILES.events));
  let lastCheckpoint = performance.now();
  const average = await metaTrain({
    config,
    resume,
    threads: options.threads,
    async onProgress(progress) {
      const { iteration, phase, seconds, innerSteps, rate, gradientNorm, longestHorizon } = progress;
      since.add(progress);
      const isLast = iteration === totalIterations(config);
      const logged = iteration % options.logEvery === 0 || isLast;
      if (logged) {
        let validation: Validation | undefined;
        if (iteration % options.snapshotEvery === 0 || isLast) {
          const weights = weightsOf(config, progress.average, iteration);
          saveWeights(snapshotPath(folder, iteration), weights);
          validation = await options.validate?.(weights);
        }
        const entry: LogEntry = {
          iteration,
          phase,
          seconds,
          innerSteps,
          rate,
          gradientNorm,
          longestHorizon,
          ...since.take(),
          validation,
        };
        appendFileSync(join(folder, RUN_FILES.log), `${JSON.stringify(entry)}\n`);
        events.scalars(iteration, curvesOf(entry));
        options.onLog?.(entry);
      }
      options.onProgress?.(progress);
      // With a line of the log, so that a resumed run logs the same.
      const due = logged && performance.now() - lastCheckpoint >= 1000 * options.checkpointSeconds;
      if (due || isLast || options.signal?.aborted) {
        saveCheckpoint(join(folder, RUN_FILES.checkpoint), await progress.checkpoint());
        lastCheckpoint = performance.now();
      }
      options.signal?.throwIfAborted();
    },
  });
  const weights = weightsOf(config, average, totalIterations(config));
  saveWeights(join(folder, RUN_FILES.final), weights);
  const chosen = bestEntry(folder);
  const best = chosen ? readWeights(snapshotPath(folder, chosen.iteration)) : weights;
  saveWeights(join(folder, RUN_FILES.best), best);
  return { weights, best, bestScore: chosen?.validation?.score };
}
