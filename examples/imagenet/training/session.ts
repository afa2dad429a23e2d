import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as eventLoop } from 'node:timers/promises';
import type { LayersModel, Optimizer, Tensor } from '@tensorflow/tfjs';
import type { TensorFlow } from '../../../lib/tfjs/backend';
import type { Augmentation } from '../data/augment';
import { evaluationOrder, TrainingOrder } from '../data/order';
import type { BatchPlan } from '../data/order';
import { ImagePool } from '../data/pool';
import type { ImageSource } from '../data/source';
import { loadCheckpoint, saveCheckpoint } from './checkpoint';
import type { Position, RunIdentity } from './checkpoint';
import { evaluate, tensorsOf } from './evaluate';
import type { Evaluation } from './evaluate';
import { RUN_FILES, RunLog } from './log';
import { isLearned } from './optimizers';

export interface SessionOptions {
  readonly tf: TensorFlow;
  /** Gives logits. */
  readonly model: LayersModel;
  readonly optimizer: Optimizer;
  readonly source: ImageSource;
  /** Folder of the run. */
  readonly folder: string;
  /** Go on from the folder's checkpoint. */
  readonly resume: boolean;
  /** Kept in the checkpoint and compared when resuming. */
  readonly identity: RunIdentity;
  /** Steps in all, with those before a resume. */
  readonly steps: number;
  readonly batchSize: number;
  /** Of order and cuts. */
  readonly seed: number;
  readonly augmentation: Augmentation;
  /** Share of the shorter side that is evaluated. */
  readonly centreShare: number;
  readonly skipDamaged: boolean;
  readonly workers: number;
  readonly prefetch: number;
  /** Steps between two evaluations; there is one at the end in any case. */
  readonly evaluateEvery: number;
  /** Evaluate at most so many images. */
  readonly evaluationImages?: number;
  readonly logEvery: number;
  /** At least so long between two checkpoints; there is one at the end and when aborted in any case. */
  readonly checkpointSeconds: number;
  readonly signal?: AbortSignal;
  readonly onStep?: (progress: StepProgress) => void;
  readonly onEvaluation?: (done: number, total: number) => void;
}

export interface StepProgress {
  readonly step: number;
  readonly steps: number;
  readonly loss: number;
  readonly fitMs: number;
  readonly waitMs: number;
}

/** Medians over the steps of this process, in milliseconds. */
export interface StepTimes {
  /** Forward, backward, optimizer. */
  readonly fit: number;
  /** Waiting for the next batch. */
  readonly wait: number;
  /** Both. */
  readonly step: number;
}

export interface SessionResult {
  readonly step: number;
  /** Mean of the last 100 losses of this process, null if it made no step. */
  readonly loss: number | null;
  readonly evaluation: Position['evaluation'] | null;
  readonly stepMs: StepTimes | null;
  /** Images left out because they could not be decoded. */
  readonly skipped: number;
}

const RECENT = 100;

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const mean = (values: readonly number[]): number => values.reduce((sum, v) => sum + v, 0) / values.length;

/** A run in progress. */
class Session {
  private readonly order: TrainingOrder;
  private readonly pool: ImagePool;
  private readonly checkpoint: string;
  private readonly losses: number[] = [];
  private readonly fits: number[] = [];
  private readonly waits: number[] = [];
  private position: Position = { step: 0, lossSum: 0, lossCount: 0, skipped: 0 };
  private log!: RunLog;
  private saved = { step: -1, at: performance.now() };

  constructor(private readonly options: SessionOptions) {
    const { source, seed, batchSize, tf, model, optimizer } = options;
    this.order = new TrainingOrder(seed, source.train.labels.length, batchSize);
    this.checkpoint = join(options.folder, RUN_FILES.checkpoint);
    model.compile({
      optimizer,
      loss: (labels: Tensor, logits: Tensor) => tf.losses.softmaxCrossEntropy(labels, logits),
    });
    const sets = source.evaluation ? [source.train, source.evaluation] : [source.train];
    const { augmentation, centreShare, skipDamaged, workers } = options;
    const size = model.inputs[0].shape[1]!;
    this.pool = new ImagePool({ sets, size, augmentation, centreShare, skipDamaged, workers });
  }

  private *plans(): Generator<BatchPlan> {
    for (let step = this.position.step; step < this.options.steps; step++) yield this.order.batch(step);
  }

  private async save(): Promise<void> {
    if (this.saved.step === this.position.step) return;
    await saveCheckpoint(this.checkpoint, this.options, this.options.identity, this.position);
    this.saved = { step: this.position.step, at: performance.now() };
  }

  private async train(stream: AsyncGenerator<Awaited<ReturnType<ImagePool['batch']>>, void>): Promise<void> {
    const { tf, model, source, logEvery, steps } = this.options;
    const asked = performance.now();
    const { value: batch } = await stream.next();
    const begun = performance.now();
    const { x, y } = tensorsOf(tf, batch!, model.inputs[0].shape[1]!, source.classes.length);
    const loss = (await model.trainOnBatch(x, y)) as number;
    tf.dispose([x, y]);
    const [waitMs, fitMs] = [begun - asked, performance.now() - begun];
    const step = this.position.step + 1;
    if (!Number.isFinite(loss)) {
      throw new Error(
        `the loss of step ${step} is ${loss}: the run has diverged; its last checkpoint, if any, is as it was. A smaller --learning-rate may help`,
      );
    }
    const { lossSum, lossCount, skipped } = this.position;
    this.position = {
      ...this.position,
      step,
      lossSum: lossSum + loss,
      lossCount: lossCount + 1,
      skipped: skipped + batch!.skipped.length,
    };
    this.losses.push(loss);
    this.waits.push(waitMs);
    this.fits.push(fitMs);
    if (step % logEvery === 0) {
      const last = (values: number[]): number => mean(values.slice(-logEvery));
      const averaged = this.position.lossSum / this.position.lossCount;
      this.log.write(step, { loss: averaged, fit_ms: last(this.fits), wait_ms: last(this.waits) });
      this.position = { ...this.position, lossSum: 0, lossCount: 0 };
    }
    this.options.onStep?.({ step, steps, loss, fitMs, waitMs });
  }

  private evaluationDue(): boolean {
    const { step, evaluation } = this.position;
    const { source, evaluateEvery, steps } = this.options;
    if (source.evaluation === undefined || evaluation?.step === step) return false;
    return (step > 0 && step % evaluateEvery === 0) || step === steps;
  }

  private async evaluate(): Promise<void> {
    const { tf, model, optimizer, source, batchSize, evaluationImages, prefetch, signal, onEvaluation } = this.options;
    const plans = evaluationOrder(source.evaluation!.labels.length, batchSize, evaluationImages);
    const { pool } = this;
    async function* batches() {
      let done = 0;
      for await (const batch of pool.stream(1, plans, prefetch)) {
        yield batch;
        onEvaluation?.(++done, plans.length);
      }
    }
    const run = (): Promise<Evaluation> => evaluate(tf, model, batches(), signal);
    const result = await (isLearned(optimizer) ? optimizer.withEvaluationParameters(run) : run());
    const { step } = this.position;
    this.position = { ...this.position, evaluation: { ...result, step } };
    const { loss, top1, top5 } = result;
    this.log.write(step, { 'evaluation/loss': loss, 'evaluation/top1': top1, 'evaluation/top5': top5 });
    // The same step, with another evaluation.
    this.saved.step = -1;
  }

  async run(): Promise<SessionResult> {
    try {
      await this.begin();
      await this.trainToTheEnd();
    } finally {
      await this.pool.close();
    }
    return this.result();
  }

  private async begin(): Promise<void> {
    const { tf, folder, resume, identity } = this.options;
    mkdirSync(folder, { recursive: true });
    if (resume) {
      this.position = await loadCheckpoint(tf, this.checkpoint, this.options, identity);
      this.saved.step = this.position.step;
    }
    this.log = new RunLog(folder, resume ? this.position.step : undefined);
  }

  private async trainToTheEnd(): Promise<void> {
    const { options } = this;
    const { signal } = options;
    try {
      const stream = this.pool.stream(0, this.plans(), options.prefetch);
      for (;;) {
        if (this.evaluationDue()) await this.evaluate();
        if (this.position.step >= options.steps) break;
        // Training is synchronous: without a turn of the event loop neither batches nor Ctrl-C would come through.
        await eventLoop();
        signal?.throwIfAborted();
        await this.train(stream);
        if (performance.now() - this.saved.at >= 1000 * options.checkpointSeconds) await this.save();
      }
      await this.save();
    } catch (error) {
      if (signal?.aborted) await this.save();
      throw error;
    }
  }

  private result(): SessionResult {
    const { step, evaluation, skipped } = this.position;
    const whole = this.fits.map((fit, i) => fit + this.waits[i]);
    return {
      step,
      loss: this.losses.length === 0 ? null : mean(this.losses.slice(-RECENT)),
      evaluation: evaluation ?? null,
      stepMs: this.fits.length === 0 ? null : { fit: median(this.fits), wait: median(this.waits), step: median(whole) },
      skipped,
    };
  }
}

/** Whether a folder holds a checkpoint to go on from. */
export const hasCheckpoint = (folder: string): boolean => existsSync(join(folder, RUN_FILES.checkpoint));

/**
 * Trains a model to `steps`. What comes out depends on model, optimizer, data, seed and batch size, not on the threads,
 * interruptions or the clock.
 * @throws the signal's reason when aborted, after a checkpoint; {CheckpointMismatch} if the folder's checkpoint belongs to
 *   another run; {ImageError} naming an image that cannot be decoded; {Error} if the loss is no longer finite
 */
export function trainImageModel(options: SessionOptions): Promise<SessionResult> {
  return new Session(options).run();
}
