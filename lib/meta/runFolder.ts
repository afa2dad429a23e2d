import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic } from '../atomicFile';
import { readWeights, saveWeights } from '../optimizer/weights';
import type { Weights } from '../optimizer/weights';
import { loadCheckpoint } from './checkpoint';
import type { Checkpoint } from './checkpoint';
import { validateMetaTrainingConfig } from './config';
import type { MetaTrainingConfig } from './config';
import { RunLog } from './runLog';
import { iterationsBefore } from './trainer';

/** Names in a run's folder. */
export const RUN_FILES = {
  config: 'config.json',
  start: 'start.safetensors',
  settings: 'run.json',
  log: 'log.jsonl',
  events: 'events',
  checkpoint: 'checkpoint.safetensors',
  snapshots: 'snapshots',
  best: 'best.safetensors',
  final: 'final.safetensors',
} as const;

/** What a run does beside the meta-training. A resumed run has the settings that it began with. */
export interface RunSettings {
  /** Iterations between two entries of the log. */
  readonly logEvery: number;
  /** Iterations between two snapshots of the weights (a multiple of the former). */
  readonly snapshotEvery: number;
  /** Whether snapshots are judged. */
  readonly validation: boolean;
}

/** The folder of a run: everything that it leaves, and everything that resuming it needs. */
export class RunFolder {
  readonly log: RunLog;

  private constructor(
    readonly path: string,
    readonly config: MetaTrainingConfig,
    readonly settings: RunSettings,
    /** Where the run goes on; undefined: at the beginning. */
    readonly checkpoint: Checkpoint | undefined,
  ) {
    this.log = new RunLog(join(path, RUN_FILES.log));
    // What was logged after the checkpoint will be logged again.
    this.log.keepUntil(checkpoint ? iterationsBefore(checkpoint.config, checkpoint.phase) + checkpoint.iteration : 0);
  }

  /** Whether a run was begun in a folder. */
  static holdsRun(path: string): boolean {
    return existsSync(join(path, RUN_FILES.config));
  }

  /** The configuration of the run in a folder. */
  static configOf(path: string): MetaTrainingConfig {
    return validateMetaTrainingConfig(
      JSON.parse(readFileSync(join(path, RUN_FILES.config), 'utf8')) as MetaTrainingConfig,
    );
  }

  /**
   * @param start meta-parameters that the run begins with, kept in the folder
   * @throws {RangeError} if the folder holds a run
   */
  static create(path: string, config: MetaTrainingConfig, settings: RunSettings, start?: Weights): RunFolder {
    if (RunFolder.holdsRun(path)) {
      throw new RangeError(`folder: expected one without a run, but ${path} holds one; resume it or choose another`);
    }
    mkdirSync(path, { recursive: true });
    const write = (name: string, value: unknown): void =>
      writeFileAtomic(join(path, name), Buffer.from(`${JSON.stringify(value, null, 2)}\n`));
    write(RUN_FILES.settings, settings);
    // A run that ended before it had a configuration may have left one.
    rmSync(join(path, RUN_FILES.start), { force: true });
    if (start) saveWeights(join(path, RUN_FILES.start), start);
    // The configuration makes it a run, so it comes last.
    write(RUN_FILES.config, config);
    return new RunFolder(path, config, settings, undefined);
  }

  /**
   * A run that was begun, from its last checkpoint, or from the beginning where it had not come to one.
   * @throws {RangeError} if the folder holds none
   */
  static resume(path: string): RunFolder {
    if (!RunFolder.holdsRun(path)) throw new RangeError(`folder: expected a run to resume, but ${path} holds none`);
    const read = (name: string): unknown => JSON.parse(readFileSync(join(path, name), 'utf8'));
    const config = RunFolder.configOf(path);
    const checkpointPath = join(path, RUN_FILES.checkpoint);
    const checkpoint = existsSync(checkpointPath) ? loadCheckpoint(checkpointPath) : undefined;
    return new RunFolder(path, checkpoint?.config ?? config, read(RUN_FILES.settings) as RunSettings, checkpoint);
  }

  file(name: keyof typeof RUN_FILES): string {
    return join(this.path, RUN_FILES[name]);
  }

  /** What the run began with; undefined: with nothing. */
  readStart(): Weights | undefined {
    return existsSync(this.file('start')) ? readWeights(this.file('start')) : undefined;
  }

  private snapshotFile(iteration: number): string {
    return join(this.file('snapshots'), `${String(iteration).padStart(7, '0')}.safetensors`);
  }

  saveSnapshot(iteration: number, weights: Weights): void {
    saveWeights(this.snapshotFile(iteration), weights);
  }

  /** @throws Error if there is none or it cannot be read */
  readSnapshot(iteration: number): Weights {
    return readWeights(this.snapshotFile(iteration));
  }
}
