import { availableParallelism, cpus } from 'node:os';
import { setImmediate as eventLoop } from 'node:timers/promises';
import type { Tensor } from '@tensorflow/tfjs';
import { loadBackend } from '../../../lib/tfjs/backend';
import { evaluationOrder, TrainingOrder } from '../data/order';
import { ImagePool } from '../data/pool';
import { openSource } from '../data/source';
import { MODELS } from '../models/index';
import { evaluate, tensorsOf } from '../training/evaluate';
import { isLearned, makeOptimizer } from '../training/optimizers';
import type { OptimizerChoice } from '../training/optimizers';
import type { Contender, RunRecord, Settings } from './records';

/** One run, as it goes to the process that makes it. */
export interface Job {
  readonly contender: Contender;
  readonly settings: Settings;
  readonly dataDir: string;
  readonly backend: 'node' | 'cpu';
}

export interface StepReport {
  /** Counted from 1. */
  readonly step: number;
  readonly loss: number;
  readonly ms: number;
}

/** Batches made ahead by one thread, which is several times as fast as training. */
const PREFETCH = 2;

function choiceOf({ optimizer, learningRate, multiplier }: Contender, preset: string): OptimizerChoice {
  if (optimizer !== 'learned') return { name: optimizer, learningRate: learningRate! };
  const options = multiplier === undefined ? {} : { learningRateMultiplier: multiplier, warmupSteps: 0 };
  return { name: optimizer, options: { preset, ...options } };
}

/**
 * Trains a network from a start and on batches that depend on the settings alone, so that they are the same for every optimizer,
 * then evaluates it. A loss that is not finite ends the run and is part of the record.
 */
export async function trainContender(job: Job, onStep: (report: StepReport) => void): Promise<RunRecord> {
  const { contender, settings, dataDir } = job;
  const { steps, batchSize, size, seed } = settings;
  const source = await openSource(dataDir);
  const { tf, description } = await loadBackend(job.backend);
  const classes = source.classes.length;
  const model = MODELS[contender.network].build(tf, { size, classes, head: 'logits', seed });
  const optimizer = makeOptimizer(tf, choiceOf(contender, settings.preset));
  model.compile({
    optimizer,
    loss: (labels: Tensor, logits: Tensor) => tf.losses.softmaxCrossEntropy(labels, logits),
  });
  const pool = new ImagePool({
    sets: [source.train, source.evaluation!],
    size,
    augmentation: 'none',
    centreShare: 1,
    skipDamaged: false,
    workers: 1,
  });
  const order = new TrainingOrder(seed, source.train.labels.length, batchSize);
  const plans = Array.from({ length: steps }, (_, step) => order.batch(step));
  const losses: number[] = [];
  const stepMs: number[] = [];
  let divergedAt: number | null = null;
  try {
    for await (const batch of pool.stream(0, plans, PREFETCH)) {
      const { x, y } = tensorsOf(tf, batch, size, classes);
      const started = performance.now();
      const loss = (await model.trainOnBatch(x, y)) as number;
      stepMs.push(performance.now() - started);
      tf.dispose([x, y]);
      losses.push(loss);
      onStep({ step: losses.length, loss, ms: stepMs.at(-1)! });
      if (!Number.isFinite(loss)) {
        divergedAt = losses.length;
        break;
      }
      // Training is synchronous: without a turn of the event loop no batch would come through.
      await eventLoop();
    }
    const held = evaluationOrder(source.evaluation!.labels.length, batchSize, settings.evaluationImages);
    const test = () => evaluate(tf, model, pool.stream(1, held, PREFETCH));
    const tested = (): ReturnType<typeof test> =>
      isLearned(optimizer) ? optimizer.withEvaluationParameters(test) : test();
    return {
      ...contender,
      parameters: model.countParams(),
      losses,
      stepMs,
      divergedAt,
      evaluation: divergedAt === null ? await tested() : null,
      peakGiB: Number((process.resourceUsage().maxRSS / 2 ** 20).toFixed(2)),
      backend: description,
      machine: `${cpus()[0]?.model.trim() ?? 'unknown'}, ${availableParallelism()} cores`,
    };
  } finally {
    await pool.close();
  }
}
